"""Where a peer's program comes from: what the user names or has, else our own build.

A program in `KUBEBUILDER_ASSETS` is used as it is, for its owner asked for it. etcd and kube-apiserver on PATH are used
when they are of the pinned minor release, since another one would silently test something else. All else is built.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.peers.build import Report, ensure
from tests.peers.pins import PEERS, Peer, read_pin

FROM_PATH = ("etcd", "kube-apiserver")


def from_assets(program: str, environ: Mapping[str, str]) -> Path | None:
    """The program in the folder that `KUBEBUILDER_ASSETS` names, if it is there."""
    folder = environ.get("KUBEBUILDER_ASSETS")
    path = Path(folder) / program if folder else None
    return path if path is not None and os.access(path, os.X_OK) else None


def same_minor(printed: str, pinned: str) -> bool:
    """Does what `--version` printed name the pinned minor release? `Kubernetes v1.37.0`, `v1.37.2` -> True."""
    found = re.search(r"\bv?(\d+)\.(\d+)\.\d+", printed)
    wanted = re.search(r"(\d+)\.(\d+)\.\d+", pinned)
    return found is not None and wanted is not None and found.groups() == wanted.groups()


def peer_of(program: str) -> Peer:
    """The peer that has this program; raises KeyError naming it."""
    for peer in PEERS.values():
        if program in peer.programs:
            return peer
    raise KeyError(f"no peer has a program {program!r}")


def find_program(program: str, report: Report = lambda _: None) -> Path:
    """The path of `etcd`, `kube-apiserver`, `kubectl`...; builds it when it has to. Raises BuildFailed or NoGo."""
    if (path := from_assets(program, os.environ)) is not None:
        return path
    peer = peer_of(program)
    on_path = shutil.which(program) if program in FROM_PATH else None
    if on_path and same_minor(_version_of(on_path), read_pin(peer).version):
        return Path(on_path)
    return ensure(peer, report) / program


def _version_of(path: str) -> str:
    try:
        return subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
