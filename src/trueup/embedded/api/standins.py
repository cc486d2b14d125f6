"""Which pods stand for a server of Trueup's own, so that `kubectl port-forward` to them reaches it.

Simulated pods run no process. Whoever starts the embedded Kubernetes may name servers that listen on this machine's
loopback: `NAMESPACE/NAME:PORT=LOCAL_PORT`. A pod stands for one when it lies in NAMESPACE and carries the annotation
`trueup.dev/stands-for: NAME`; its PORT then leads to LOCAL_PORT. Both sides have to agree, so that writing a pod is not
enough to reach a port of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from trueup.model.manifest import Manifest, metadata_of

ANNOTATION = "trueup.dev/stands-for"
_FORM = re.compile(r"([a-z0-9.-]+)/([a-z0-9.-]+):(\d{1,5})=(\d{1,5})")


class StandIn(Struct, frozen=True):
    """A server of ours: the port of its pods, and where it listens on 127.0.0.1."""

    namespace: str
    name: str
    port: int
    local_port: int

    @classmethod
    def parse(cls, text: str) -> StandIn:
        """`argocd/argocd-server:8080=34567`; raises ValueError, which says what is wanted."""
        found = _FORM.fullmatch(text)
        ports = (int(found[3]), int(found[4])) if found else (0, 0)
        if found is None or not all(0 < port < 65536 for port in ports):
            raise ValueError(f"{text!r} names no server: write NAMESPACE/NAME:PORT=LOCAL_PORT")
        return cls(found[1], found[2], *ports)


class StandIns:
    """All of them, by namespace and name."""

    def __init__(self, servers: Iterable[StandIn] = ()) -> None:
        self._ports: dict[tuple[str, str], dict[int, int]] = {}
        for each in servers:
            self._ports.setdefault((each.namespace, each.name), {})[each.port] = each.local_port

    def ports_of(self, pod: Manifest) -> Mapping[int, int] | None:
        """Pod port -> local port; None for a pod that stands for nothing."""
        meta = metadata_of(pod)
        name = (meta.get("annotations") or {}).get(ANNOTATION)
        return self._ports.get((str(meta.get("namespace")), str(name))) if name else None
