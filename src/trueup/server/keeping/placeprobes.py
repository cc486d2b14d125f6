"""Operations that test whether a registered repository or cluster answers: the controller tries, with what it has."""

from __future__ import annotations

from typing import Any

from trueup.apps.probe import Probe, ProbeWish
from trueup.model.manifest import name_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Operation
from trueup.server.comparing.operations import Asks
from trueup.server.keeping.placekeeping import BASE, Keeping


class PlaceProbes:
    """Whoever may get it may test it: what is registered is tried as it is, and Apps do so every few minutes."""

    def __init__(self, keeping: Keeping[Any, Any], controllers: Asks) -> None:
        self._keeping = keeping
        self._controllers = controllers

    async def test(self, call: Call) -> Answer:
        _, secret = await self._keeping.found(call, "get")
        return Answer(body=await self._controllers.probe(ProbeWish(secret=name_of(secret))))


def operations(repositories: PlaceProbes, clusters: PlaceProbes) -> list[Operation]:
    def at(part: str, summary: str, probes: PlaceProbes) -> Operation:
        return Operation(
            id=f"{part}.test",
            method="POST",
            path=f"{BASE}/{part}/{{secret}}/test",
            summary=summary,
            access=Listed(part),
            answer=Probe,
            audited=False,
            handler=probes.test,
        )

    return [
        at("repositories", "Whether it answers with the credentials that it has, and what it offers", repositories),
        at("clusters", "Whether it answers with the credentials that it has, and its version", clusters),
    ]
