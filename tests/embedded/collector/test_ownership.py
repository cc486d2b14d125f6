"""The rules of garbage collection, on plain data."""

from __future__ import annotations

from typing import Any

import pytest

from trueup.embedded.collector.ownership import Dependent, OwnerState, collect, finish_foreground
from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.writes import Delete, Patch, Work
from trueup.model.manifest import Manifest

THINGS = Resource("", "things")
SOLID, GONE, WAITING, UNKNOWN = OwnerState.SOLID, OwnerState.GONE, OwnerState.WAITING, OwnerState.UNKNOWN


def thing(*owners: str, deleting: bool = False, finalizers: tuple[str, ...] = (), blocks: bool = True) -> Manifest:
    references = [{"uid": each, "blockOwnerDeletion": blocks} for each in owners]
    metadata: dict[str, Any] = {"name": "t", "uid": "t", "resourceVersion": "7", "ownerReferences": references}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata | ({"finalizers": list(finalizers)} if finalizers else {})}


def told(work: Work) -> list[str]:
    """`delete Background`, `keep a,b`."""
    lines = []
    for write in work.writes:
        match write:
            case Delete():
                lines.append(f"delete {write.propagation}")
            case Patch():
                kept = write.patch["metadata"].get("ownerReferences") or []
                lines.append(f"keep {','.join(each['uid'] for each in kept)}")
    return lines


CASES: list[tuple[str, Manifest, tuple[OwnerState, ...], bool, list[str]]] = [
    ("its owner lives", thing("a"), (SOLID,), False, []),
    ("its owner is gone", thing("a"), (GONE,), False, ["delete Background"]),
    ("one of two owners is gone", thing("a", "b"), (GONE, SOLID), False, ["keep b"]),
    ("one of two owners waits for it", thing("a", "b"), (WAITING, SOLID), True, ["keep b"]),
    ("its owner waits and it has dependents", thing("a"), (WAITING,), True, ["delete Foreground"]),
    ("its owner waits and it has none", thing("a"), (WAITING,), False, ["delete Background"]),
    ("nobody knows one of its owners", thing("a", "b"), (GONE, UNKNOWN), False, []),
    ("it goes already", thing("a", deleting=True), (GONE,), False, []),
    ("it asked to leave orphans", thing("a", finalizers=("orphan",)), (GONE,), False, ["delete Orphan"]),
    ("it has no owner", thing(), (), False, []),
]


@pytest.mark.parametrize(
    ("title", "obj", "states", "has_dependents", "expected"), CASES, ids=[each[0] for each in CASES]
)
def test_what_becomes_of_an_object_when(
    title: str, obj: Manifest, states: tuple[OwnerState, ...], has_dependents: bool, expected: list[str]
) -> None:
    assert told(collect(Dependent(THINGS, obj, states, has_dependents))) == expected


def test_a_delete_is_of_exactly_the_state_that_was_judged() -> None:
    [write] = collect(Dependent(THINGS, thing("a"), (GONE,))).writes
    assert isinstance(write, Delete)
    assert (write.uid, write.resource_version) == ("t", "7")


def test_a_waiting_owner_is_let_go_when_nothing_blocks_it() -> None:
    owner: Manifest = {"metadata": {"name": "a", "uid": "a", "finalizers": ["foregroundDeletion", "other"]}}
    free = Dependent(THINGS, thing("a", blocks=False), (WAITING,))
    [write] = finish_foreground(THINGS, owner, [free]).writes
    assert isinstance(write, Patch)
    assert write.patch["metadata"]["finalizers"] == ["other"]
    blocking = Dependent(THINGS, thing("a"), (WAITING,))
    assert told(finish_foreground(THINGS, owner, [blocking])) == ["delete Background"]


def test_a_dependent_that_somebody_else_owns_too_only_loses_the_waiting_owner() -> None:
    owner: Manifest = {"metadata": {"name": "a", "uid": "a", "finalizers": ["foregroundDeletion"]}}
    shared = Dependent(THINGS, thing("a", "b"), (WAITING, SOLID))
    assert told(finish_foreground(THINGS, owner, [shared])) == ["keep b"]
