"""What a caller may do: with Apps, and with one object of an App. Pages hide or explain what they may not.

It only tells; each operation asks again for itself.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.apps.asks import ARGOCD
from trueup.apps.objects.actions import names_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Target
from trueup.server.api.refusals import BadQuery
from trueup.server.live.objects import ObjectQuery
from trueup.server.world.operations import APP, BASE, Apps
from trueup.server.world.rows import Known
from trueup.server.world.world import World

ACTIONS = ("sync", "update", "delete")
MOST = 100


class RightsQuery(Struct, frozen=True, kw_only=True):
    """`app`: `KIND/NAMESPACE/NAME`, up to a hundred times."""

    app: tuple[str, ...] = ()


class AppRights(Struct, frozen=True, kw_only=True):
    """`may`: of refresh, sync, update, delete. Terminating and pinning need `sync`, suspending `update`.

    `missing`: of the others, what to ask for.
    """

    app: str
    may: tuple[str, ...]
    missing: dict[str, str]


class Rights(Struct, frozen=True, kw_only=True):
    """An App that one may not see is not in it."""

    items: tuple[AppRights, ...]


class ObjectRights(Struct, frozen=True, kw_only=True):
    """`may`: of update, delete, and the names of actions that its kind has. Whether there is such an object is not looked at."""

    may: tuple[str, ...]


class Telling:
    """The handlers."""

    def __init__(self, world: World, apps: Apps) -> None:
        self._world = world
        self._apps = apps

    async def apps(self, call: Call) -> Answer:
        if len(call.query.app) > MOST:
            raise BadQuery(f"{len(call.query.app)} Apps are too many", field="app", hint=f"ask for {MOST} at a time")
        sees = call.predicate("applications")
        items = []
        for key in call.query.app:
            kind, _, rest = key.partition("/")
            namespace, _, name = rest.partition("/")
            known = self._world.app(kind, namespace, name)
            if known is not None and sees(Target(known.policy_object, known.ref)):
                items.append(await _of_app(call, key, known))
        return Answer(body=Rights(items=tuple(items)))

    async def object(self, call: Call) -> Answer:
        known, ref = self._apps.known(call), call.query.ref
        target = Target(known.policy_object, known.ref)
        place = f"{ref.group}/{ref.kind}/{ref.namespace}/{ref.name}"
        asked = {} if self._apps.is_app(ref) else {verb: f"{verb}/{place}" for verb in ("update", "delete")}
        asked |= {name: f"action/{ref.group}/{ref.kind}/{name}" for name in names_of(ref.group_kind)}
        may = [name for name, action in asked.items() if await call.may("applications", action, target)]
        return Answer(body=ObjectRights(may=tuple(may)))


async def _of_app(call: Call, key: str, known: Known) -> AppRights:
    target = Target(known.policy_object, known.ref)
    may = [action for action in ACTIONS if await call.may("applications", action, target)]
    missing = {action: call.advice("applications", action, target) for action in ACTIONS if action not in may}
    # To look again changes nothing of an Application, but re-applies a Kustomization.
    refresh = ["refresh"] if known.dialect.name == ARGOCD or "sync" in may else []
    return AppRights(app=key, may=(*refresh, *may), missing=missing)


def operations(telling: Telling, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="apps.rights",
            method="GET",
            path=BASE + "/apps/rights",
            summary="What the caller may do with Apps",
            access=Listed("applications"),
            query=RightsQuery,
            answer=Rights,
            handler=telling.apps,
        ),
        Operation(
            id="objects.rights",
            method="GET",
            path=APP + "/object/rights",
            summary="What the caller may do with one object of an App",
            access=Needs("applications", "get", apps.target),
            query=ObjectQuery,
            answer=ObjectRights,
            handler=telling.object,
        ),
    ]
