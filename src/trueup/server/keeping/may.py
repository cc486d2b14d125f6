"""What the caller may do with what is administered: asked by pages, so that what is not somebody's is hidden or explained, not refused."""

from __future__ import annotations

from msgspec import Struct

from trueup.dialects.argocd.shared import APP_PROJECT
from trueup.model.refs import ObjectRef
from trueup.server.access.builtin import ACTIONS
from trueup.server.api.call import Call
from trueup.server.api.operation import SIGNED_IN, Answer, Operation, Target
from trueup.server.api.refusals import BadQuery
from trueup.server.world.operations import BASE
from trueup.server.world.world import World

MOST = 25
ANY = "*"
_STAND_IN = {"settings": "ConfigMap", "repositories": "Secret", "clusters": "Secret", "write-repositories": "Secret"}
"""The kinds of the objects that hold them, all in the control namespace: where Kubernetes decides, it is asked about those."""


class MayQuery(Struct, frozen=True, kw_only=True):
    """`right`: RESOURCE/ACTION, or RESOURCE/ACTION/OBJECT as policies write them; may be given up to 25 times."""

    right: tuple[str, ...] = ()


class MayAnswer(Struct, frozen=True, kw_only=True):
    """By the right that was asked for."""

    rights: dict[str, bool]


class May:
    def __init__(self, world: World) -> None:
        self._world = world

    async def told(self, call: Call) -> Answer:
        if len(call.query.right) > MOST:
            raise BadQuery(f"is given {len(call.query.right)} times", field="right", hint=f"ask for at most {MOST}")
        await call.prepare()
        found = {}
        for text in call.query.right:
            resource, _, rest = text.partition("/")
            action, _, name = rest.partition("/")
            if action not in ACTIONS.get(resource, ()):
                known = ", ".join(ACTIONS.get(resource, sorted(ACTIONS)))
                raise BadQuery(f"is no right: {text[:60]!r}", field="right", hint=f"RESOURCE/ACTION, of: {known}")
            found[text] = await call.may(resource, action, self._target(resource, name or ANY))
        return Answer(body=MayAnswer(rights=found))

    def _target(self, resource: str, name: str) -> Target:
        namespace, of = self._world.control_namespace, "" if name == ANY else name
        if resource == "projects":
            return Target(name, ObjectRef(APP_PROJECT.group, APP_PROJECT.kind, namespace, of))
        if kind := _STAND_IN.get(resource):
            return Target(name, ObjectRef("", kind, namespace, of if resource == "settings" else ""))
        return Target(name)


def operations(may: May) -> list[Operation]:
    return [
        Operation(
            id="session.may",
            method="GET",
            path=BASE + "/may",
            summary="What the caller may do, right by right",
            access=SIGNED_IN,
            query=MayQuery,
            answer=MayAnswer,
            handler=may.told,
        ),
    ]
