"""Python's garbage collector: what survived a full collection is not gone through again, and nothing is left for good."""

from __future__ import annotations

import gc
import weakref

from trueup.controllers.pauses import collect_all, short_pauses


class Node:
    def __init__(self) -> None:
        self.itself = self


def test_what_survived_a_full_collection_is_passed_over_by_the_next_one() -> None:
    with short_pauses():
        kept = Node()
        gc.collect()
        assert gc.get_freeze_count() > 0
        assert all(each is not kept for each in gc.get_objects()), "frozen objects are in no generation"


def test_a_cycle_that_dies_young_is_collected_as_ever() -> None:
    with short_pauses():
        gc.collect()
        gone = weakref.ref(Node())
        gc.collect()
        assert gone() is None


def test_a_cycle_that_dies_old_is_left_until_everything_is_asked_for() -> None:
    with short_pauses():
        node = Node()
        gone = weakref.ref(node)
        gc.collect()
        del node
        gc.collect()
        assert gone() is not None
        collect_all()
        assert gone() is None


def test_an_old_object_without_a_cycle_is_freed_at_once() -> None:
    with short_pauses():
        node = Node()
        gone = weakref.ref(node)
        gc.collect()
        node.itself = None  # type: ignore[assignment]
        del node
        assert gone() is None


def test_the_process_is_left_as_it_was() -> None:
    before = gc.get_threshold(), len(gc.callbacks)
    with short_pauses():
        gc.collect()
        assert gc.get_threshold() == before[0], "a higher one makes rarer, longer pauses"
    assert (gc.get_threshold(), len(gc.callbacks)) == before
    assert gc.get_freeze_count() == 0
