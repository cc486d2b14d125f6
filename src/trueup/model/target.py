"""Which cluster an App's objects live in, where it is not the controller's own: as its resource says it, not yet looked up."""

from __future__ import annotations

from msgspec import Struct

from trueup.model.refs import ObjectRef


class KubeconfigSecret(Struct, frozen=True):
    """A kubeconfig in a Secret of the App's own namespace (Flux's `kubeConfig.secretRef`). `key` empty: `value`, then `value.yaml`."""

    ref: ObjectRef
    key: str = ""

    def __str__(self) -> str:
        return f"the cluster of {self.ref}"


class KubeconfigMap(Struct, frozen=True):
    """A ConfigMap of the App's own namespace that says where the cluster is and who gives tokens for it (`kubeConfig.configMapRef`)."""

    ref: ObjectRef

    def __str__(self) -> str:
        return f"the cluster of {self.ref}"


class Destination(Struct, frozen=True, kw_only=True):
    """A cluster that a Secret of the control namespace registers (Argo CD): by its server or by its name, one of both."""

    server: str = ""
    name: str = ""
    project: str = ""
    """Whose Secrets may be used, besides those of no project."""

    def __str__(self) -> str:
        return f"the cluster {self.name or self.server}"


Target = KubeconfigSecret | KubeconfigMap | Destination


class ClusterAccess(Struct, frozen=True, kw_only=True):
    """How a registered cluster is reached. `namespaces` empty: all of them; else only these, and with `cluster_resources`
    also what is in no namespace."""

    server: str
    name: str = ""
    bearer_token: str = ""
    username: str = ""
    password: str = ""
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    insecure: bool = False
    server_name: str = ""
    proxy: str = ""
    namespaces: tuple[str, ...] = ()
    cluster_resources: bool = False

    def __repr__(self) -> str:
        return f"ClusterAccess(server={self.server!r}, ...)"
