"""The command lines of a control plane's programs. Pure: paths and ports in, arguments out.

Defaults of the programs stay wherever a test could notice: admission, priority and fairness, the watch cache. What differs
is what a throwaway server on one machine needs: no fsync, no leader election, no client-side rate limits.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

HOST = "127.0.0.1"


class Layout(msgspec.Struct, frozen=True):
    """Where everything of one control plane is."""

    folder: Path
    etcd_port: int
    etcd_peer_port: int
    api_port: int
    kubelet_port: int

    @property
    def etcd_url(self) -> str:
        return f"http://{HOST}:{self.etcd_port}"

    @property
    def api_url(self) -> str:
        return f"https://{HOST}:{self.api_port}"

    def file(self, name: str) -> Path:
        return self.folder / name


def etcd(at: Layout) -> list[str]:
    """One member; it never waits for the disk, since its data ends with the session."""
    peer_url = f"http://{HOST}:{at.etcd_peer_port}"
    return [
        f"--data-dir={at.file('etcd')}",
        f"--listen-client-urls={at.etcd_url}",
        f"--advertise-client-urls={at.etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def kube_apiserver(at: Layout, *, kubelet: bool = False) -> list[str]:
    """RBAC, client certificates and service account tokens; everything else as by default. `kubelet`: the nodes have one."""
    return [
        f"--etcd-servers={at.etcd_url}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        "--endpoint-reconciler-type=none",  # a loopback address may not stand in the Endpoints of `kubernetes`
        f"--secure-port={at.api_port}",
        f"--cert-dir={at.folder}",
        f"--tls-cert-file={at.file('apiserver.crt')}",
        f"--tls-private-key-file={at.file('apiserver.key')}",
        f"--client-ca-file={at.file('ca.crt')}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-signing-key-file={at.file('service-account.key')}",
        f"--service-account-key-file={at.file('service-account.pub')}",
        "--profiling=false",
        *(_to_kubelets(at) if kubelet else ()),
    ]


def _to_kubelets(at: Layout) -> list[str]:
    """All nodes share one address of this machine, for names of simulated nodes lead nowhere."""
    return [
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-certificate-authority={at.file('ca.crt')}",
        f"--kubelet-client-certificate={at.file('kubelet-client.crt')}",
        f"--kubelet-client-key={at.file('kubelet-client.key')}",
    ]


def kube_controller_manager(at: Layout, kubeconfig: Path) -> list[str]:
    """Every default controller: garbage collection, namespaces, service accounts, workloads."""
    return [
        *_client(kubeconfig),
        f"--service-account-private-key-file={at.file('service-account.key')}",
        f"--root-ca-file={at.file('ca.crt')}",
        "--profiling=false",
    ]


def kube_scheduler(kubeconfig: Path) -> list[str]:
    """The default scheduler, so that pods come to the simulated nodes by its rules."""
    return [*_client(kubeconfig), "--profiling=false"]


def kwok(at: Layout, kubeconfig: Path, configs: Iterable[Path], *, kubelet: bool = False) -> list[str]:
    """All nodes are kwok's; `configs` say how nodes and pods go on and, with `kubelet`, what is served for them."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=true",
        *(_as_kubelet(at) if kubelet else ("--node-ip=10.0.0.1",)),
        "--cidr=10.244.0.0/16",
        "--node-lease-duration-seconds=40",
        *(f"--config={config}" for config in configs),
    ]


def _as_kubelet(at: Layout) -> list[str]:
    return [
        f"--node-ip={HOST}",
        f"--node-port={at.kubelet_port}",
        f"--server-address={HOST}:{at.kubelet_port}",
        f"--tls-cert-file={at.file('kubelet.crt')}",
        f"--tls-private-key-file={at.file('kubelet.key')}",
    ]


def _client(kubeconfig: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
    ]
