"""Kinds that appear: told when discovery names them, which a real API server does a while after the CRD is established."""

from __future__ import annotations

import asyncio

import pytest

from trueup.cluster.catalog import Catalog
from trueup.cluster.resource import Resource
from trueup.controllers.definitions import Definition, Definitions
from trueup.model.apierror import ClusterUnreachable
from trueup.model.refs import GroupKind, ObjectRef

GADGET, WIDGET = GroupKind("example.com", "Gadget"), GroupKind("example.com", "Widget")
EMPTY = Catalog.of(())


def serving(*kinds: str) -> Catalog:
    return Catalog.of(
        Resource(group="example.com", version="v1", plural=f"{kind.lower()}s", kind=kind, namespaced=True)
        for kind in kinds
    )


class Discovery:
    """Answers one after another, the last one for good."""

    def __init__(self, *answers: Catalog | Exception) -> None:
        self.answers = list(answers)
        self.looks = 0

    async def refresh(self) -> Catalog:
        self.looks += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def invalidate(self) -> None: ...


def established(kind: str) -> tuple[ObjectRef, Definition]:
    ref = ObjectRef("apiextensions.k8s.io", "CustomResourceDefinition", "", f"{kind.lower()}s.example.com")
    return ref, Definition(True, (("example.com", "v1", kind),))


async def told_by(discovery: Discovery, *kinds: str, most: int) -> list[GroupKind]:
    """What is told until so many kinds are."""
    told: list[GroupKind] = []
    enough = asyncio.Event()

    def on_kind(group_kind: GroupKind) -> None:
        told.append(group_kind)
        if len(told) == most:
            enough.set()

    definitions = Definitions(discovery, on_kind)
    for kind in kinds:
        ref, now = established(kind)
        definitions.seen(ref, None, now, None)
    assert told == [], "not before discovery was asked"
    async with asyncio.timeout(20):
        await enough.wait()
    await definitions.close()
    return told


async def test_a_kind_is_told_of_when_discovery_names_it_and_not_when_its_definition_is_established() -> None:
    discovery = Discovery(EMPTY, EMPTY, serving("Gadget"))
    assert await told_by(discovery, "Gadget", most=1) == [GADGET]
    assert discovery.looks == 3


async def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    discovery = Discovery(ClusterUnreachable("away"), serving("Gadget"))
    assert await told_by(discovery, "Gadget", most=1) == [GADGET]


async def test_many_definitions_share_a_look_and_each_is_told_of_as_soon_as_it_is_served() -> None:
    discovery = Discovery(serving("Widget"), serving("Widget", "Gadget"))
    assert await told_by(discovery, "Gadget", "Widget", most=2) == [WIDGET, GADGET]
    assert discovery.looks == 2


async def test_a_kind_that_never_comes_is_told_of_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.controllers.definitions.SERVED_SECONDS", 0.0)
    assert await told_by(Discovery(EMPTY), "Gadget", most=1) == [GADGET]


async def test_a_definition_that_goes_is_not_awaited_any_more() -> None:
    told: list[GroupKind] = []
    came = asyncio.Event()

    def on_kind(group_kind: GroupKind) -> None:
        told.append(group_kind)
        came.set()

    definitions = Definitions(Discovery(EMPTY, serving("Widget", "Gadget")), on_kind)
    (gadget, now), (widget, other) = established("Gadget"), established("Widget")
    definitions.seen(gadget, None, now, None)
    definitions.seen(gadget, now, None, None)
    definitions.seen(widget, None, other, None)
    async with asyncio.timeout(20):
        await came.wait()
    assert told == [WIDGET]
    await definitions.close()
