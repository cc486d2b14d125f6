"""Where what a call is about is reached: by a client of our own cluster, or by a controller that has one of another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from trueup.apps.objects.belonging import Ours
from trueup.apps.objects.reach import Allowed, Near, Reach
from trueup.cluster.client import KubeClient
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.server.api.caller import Caller
from trueup.server.api.dispatch import utc_now
from trueup.server.api.refusals import Refused
from trueup.server.live.far import Far, Remote
from trueup.server.world.rows import Known


class Clients(Protocol):
    def of(self, caller: Caller) -> KubeClient:
        """By which the caller's wishes are carried out: our own, or one that speaks as the person."""
        ...


class Elsewhere(Refused):
    """The object lives in another cluster, where this caller is nobody. One of its name here is another object."""

    status = 422
    reason = "OtherCluster"


class Reaches:
    """`far` reaches other clusters; None: nobody does, because there the caller's own rights are not known.

    `is_app`: which objects in our own cluster are Apps of their own.
    """

    def __init__(
        self,
        clients: Clients,
        far: Far | None,
        is_app: Callable[[ObjectRef], bool],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._clients = clients
        self._far = far
        self._allowed = Allowed(is_app=is_app)
        self._clock = clock

    def of(self, caller: Caller, app: Known, ref: ObjectRef | None = None) -> Reach:
        """Of an object of the App; None: of all. The App's own resource is always here. Raises Elsewhere."""
        if not app.elsewhere or ref == app.ref:
            client = self._clients.of(caller)
            return Near(client, ours_of(app), self._clock, allowed=self._allowed, discreet=client.impersonates)
        if self._far is not None:
            return Remote(self._far, app.ref)
        raise Elsewhere(
            f"the objects of {app.ref} live in another cluster ({app.elsewhere}), where your Kubernetes rights are not known",
            hint="its tree shows how they fare; ask that cluster itself (kubectl --kubeconfig)",
            ref=ref,
        )


def ours_of(app: Known) -> Ours:
    return Ours(app=app.ref, versions=declared(app))


def declared(app: Known) -> dict[ObjectRef, str]:
    """The App's own objects and itself, with the API version in which each is read."""
    try:
        entries = app.dialect.stored_inventory(app.obj).entries
    except TrueupError:
        entries = ()
    return {**{entry.ref: entry.version for entry in entries}, app.ref: app.dialect.app_kind.version}
