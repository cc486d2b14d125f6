"""`exec`, `attach`, `portforward` and `proxy`: connections into what runs in a pod.

Nothing runs in a simulated pod, so these are refused with that reason, after the checks that the real server makes first.
Only pods that stand for a server of Trueup's own (`api.standins`) have ports to forward.
"""

from __future__ import annotations

from trueup.embedded.api import containers, portforward, reads, refusals
from trueup.embedded.api.http import Request, Takeover
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.standins import ANNOTATION, StandIns
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of, spec_of, status_of, uid_of

NAMES = frozenset({"exec", "attach", "portforward", "proxy"})
_WHY = "this is Trueup's embedded Kubernetes, whose pods are simulated and run no process"


class PodStreams:
    """Answers these subresources."""

    def __init__(self, store: Store, standins: StandIns) -> None:
        self._store = store
        self._standins = standins

    def respond(self, kind: Kind, request: Request) -> Takeover:
        """Raises ApiError; the takeover is a port-forward's."""
        name = request.target.subresource
        if name == "proxy" or kind.plural != "pods":
            raise _not_possible(f"{kind.plural}/{name}")
        pod = reads.get(self._store, kind, request.target.namespace, request.target.name).manifest
        if name != "portforward":
            containers.chosen(pod, request.query.get("container", ""))
        if not spec_of(pod).get("nodeName"):
            raise refusals.bad_request(f"pod {name_of(pod)} does not have a host assigned")
        if name != "portforward":
            raise _not_possible(f"pods/{name}")
        return self._forward(pod, request)

    def _forward(self, pod: Manifest, request: Request) -> Takeover:
        ports = self._standins.ports_of(pod)
        if ports is None:
            raise _not_possible(
                "pods/portforward",
                f"; only pods that stand for a server of Trueup's own ({ANNOTATION}) have ports to forward",
            )
        if status_of(pod).get("phase") != "Running":
            phase = status_of(pod).get("phase") or "Pending"
            raise refusals.bad_request(f"unable to forward port because pod is not running. Current status={phase}")
        return portforward.upgrade(request, portforward.Wanted(name_of(pod), uid_of(pod), ports))


def _not_possible(what: str, more: str = "") -> ApiError:
    return ApiError(501, "NotImplemented", f"{what} is not possible here: {_WHY}{more}")
