"""What is pinned, and under which key a build of it is kept.

Each folder of `tools/` is one Go module whose go.mod and go.sum decide a peer to the byte; this module reads them and
says which programs come out. It builds nothing.
"""

import hashlib
import platform
import re
import sys
from pathlib import Path

import msgspec

TOOLS = Path(__file__).resolve().parents[2] / "tools"

KUBERNETES_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
"""The packages that `kubectl version` and `GET /version` read; without linker flags they say v0.0.0-master."""

HELM_VERSION_PACKAGE = "helm.sh/helm/v4/internal/version"
"""What `helm version` reads, and charts through `.Capabilities.HelmVersion`."""


class Peer(msgspec.Struct, frozen=True):
    """One Go module of `tools/` and the programs built from it."""

    name: str
    module: str
    """The required module whose version is the peer's version."""
    programs: dict[str, str]
    """Name of the binary -> package to build."""
    assets: dict[str, str] = {}
    """Files of the module kept beside the binaries: name there -> path in the module."""

    @property
    def folder(self) -> Path:
        return TOOLS / self.name


KUBERNETES = Peer(
    name="kubernetes",
    module="k8s.io/kubernetes",
    programs={
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    },
)
ETCD = Peer(name="etcd", module="go.etcd.io/etcd/server/v3", programs={"etcd": "go.etcd.io/etcd/server/v3"})
KWOK = Peer(
    name="kwok",
    module="sigs.k8s.io/kwok",
    programs={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    assets={
        "node-initialize.yaml": "kustomize/stage/node/fast/node-initialize.yaml",
        "node-heartbeat.yaml": "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
        "pod-ready.yaml": "kustomize/stage/pod/fast/pod-ready.yaml",
        "pod-complete.yaml": "kustomize/stage/pod/fast/pod-complete.yaml",
        "pod-delete.yaml": "kustomize/stage/pod/fast/pod-delete.yaml",
        "pod-failed.yaml": "kustomize/stage/pod/chaos/pod-container-running-failed.yaml",
    },
)
HELM = Peer(name="helm", module="helm.sh/helm/v4", programs={"helm": "helm.sh/helm/v4/cmd/helm"})
JSONNET = Peer(
    name="jsonnet",
    module="github.com/google/go-jsonnet",
    programs={"jsonnet": "github.com/google/go-jsonnet/cmd/jsonnet"},
)
CUE = Peer(name="cue", module="cuelang.org/go", programs={"cue": "cuelang.org/go/cmd/cue"})
KUSTOMIZE = Peer(
    name="kustomize",
    module="sigs.k8s.io/kustomize/kustomize/v5",
    programs={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
)
REGISTRY = Peer(
    name="registry",
    module="github.com/distribution/distribution/v3",
    programs={"registry": "github.com/distribution/distribution/v3/cmd/registry"},
)
MINIO = Peer(name="minio", module="github.com/minio/minio", programs={"minio": "github.com/minio/minio"})
FAKEGCS = Peer(
    name="fakegcs",
    module="github.com/fsouza/fake-gcs-server",
    programs={"fake-gcs-server": "github.com/fsouza/fake-gcs-server"},
)
PEERS = {peer.name: peer for peer in (KUBERNETES, ETCD, KWOK, HELM, JSONNET, CUE, KUSTOMIZE, REGISTRY, MINIO, FAKEGCS)}


class Pin(msgspec.Struct, frozen=True):
    """What a peer's go.mod asks for."""

    version: str
    """`v1.37.2`"""
    go: str
    """The `go` line, `1.26.0`: the oldest toolchain that can build it."""


def parse_pin(go_mod: str, module: str) -> Pin:
    """The required version of `module` and the go line. Grammar: the Go modules reference, "go.mod files"."""
    required = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    go = re.search(r"^go\s+(\d+\.\d+(?:\.\d+)?)\s*$", go_mod, re.MULTILINE)
    if required is None or go is None:
        raise ValueError(f"go.mod names no version of {module}, or has no go line; run `go mod tidy` beside it")
    return Pin(version=required[1], go=go[1])


def read_pin(peer: Peer) -> Pin:
    """The pin of a peer, from its go.mod."""
    return parse_pin((peer.folder / "go.mod").read_text(encoding="utf-8"), peer.module)


def linker_flags(peer: Peer, version: str) -> str:
    """`-ldflags` that strip symbols and, for Kubernetes and Helm, set the version that they report."""
    flags = ["-s", "-w"]
    if peer.name == "kubernetes":
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags += [
            f"-X {package}.{key}={value}" for package in KUBERNETES_VERSION_PACKAGES for key, value in values.items()
        ]
    if peer.name == "helm":
        flags.append(f"-X {HELM_VERSION_PACKAGE}.version={version}")
    return " ".join(flags)


def cache_key(peer: Peer, go_mod: bytes, go_sum: bytes, flags: str, target: str) -> str:
    """A name for the build of a peer that changes exactly when its inputs do: `etcd-2f0c9a41d3b7e865`."""
    digest = hashlib.sha256()
    recipe = msgspec.json.encode([peer.programs, peer.assets, flags, target], order="sorted")
    for part in (go_mod, go_sum, recipe):
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"{peer.name}-{digest.hexdigest()[:16]}"


def current_key(peer: Peer) -> str:
    """The key of a peer as its files stand, for this machine."""
    flags = linker_flags(peer, read_pin(peer).version)
    go_mod, go_sum = ((peer.folder / name).read_bytes() for name in ("go.mod", "go.sum"))
    return cache_key(peer, go_mod, go_sum, flags, f"{sys.platform}/{platform.machine()}")
