"""What the live view takes for news: every way in which events, lists and our own answers can interleave."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trueup.cluster.resource import Resource
from trueup.cluster.shelf import Seen, Shelf
from trueup.model.refs import ObjectRef

MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True)


def obj(name: str, version: int | str, value: str = "") -> dict[str, Any]:
    metadata = {"namespace": "a", "name": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "value": value or f"{name}@{version}"}


def ref(name: str) -> ObjectRef:
    return ObjectRef("", "ConfigMap", "a", name)


def shelf() -> Shelf[str]:
    return Shelf(MAPS, lambda manifest: manifest["value"])


def test_versions_that_are_no_numbers_are_always_news() -> None:
    made = shelf()
    assert made.see(obj("x", "abc", "1")) is not None
    made.note(ref("x"), "zzz")
    assert made.see(obj("x", "abc", "2")) == Seen(ref("x"), "1", "2")
    assert made.drop(obj("x", "abc")) == Seen(ref("x"), "2", None)


def test_versions_are_compared_as_numbers_not_as_texts() -> None:
    made = shelf()
    made.see(obj("x", 9))
    assert made.see(obj("x", 10)) is not None
    assert made.see(obj("x", 9)) is None


def test_notes_leave_no_trace_once_the_place_has_moved_past_them() -> None:
    made = shelf()
    for number in range(1000):
        made.note(ref(f"never-seen-{number}"), str(number))
    made.settle("998")
    assert len(made._noted) == 1
    made.settle("999", namespace="another")
    assert len(made._noted) == 1
    made.settle("999", namespace="a")
    assert not made._noted


def test_an_answer_that_comes_after_the_watch_has_passed_it_brings_nothing_back() -> None:
    made = shelf()
    made.see(obj("x", 5))
    made.drop(obj("x", 6))
    made.settle("6")
    made.observe(obj("x", 5))
    made.note(ref("x"), "5")
    assert made.get(ref("x")) is None
    assert not made._noted


def test_a_deletion_from_before_the_object_was_made_anew_is_no_news() -> None:
    made = shelf()
    made.see(obj("x", 5))
    made.observe(obj("x", 9))
    assert made.drop(obj("x", 7)) is None
    assert made.get(ref("x")) == "x@9"
    assert made.drop(obj("x", 11)) is not None


# A server's history of two objects, and our answers and the watch reading it at their own pace.

NAMES = ("x", "y")
writes = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["ours", "theirs", "delete"])), max_size=12)
readings = st.lists(st.sampled_from(["event", "answer", "relist"]), max_size=40)


@given(writes=writes, readings=readings)
def test_in_the_end_the_view_is_what_the_server_has_and_no_change_is_told_out_of_turn(
    writes: list[tuple[str, str]], readings: list[str]
) -> None:
    events: list[tuple[int, str, str]] = []
    state: dict[str, int] = {}
    states: list[dict[str, int]] = [{}]
    answers: list[int] = []
    for version, (name, what) in enumerate(writes, 1):
        if what == "delete":
            if name not in state:
                states.append(dict(state))
                continue
            del state[name]
        else:
            state[name] = version
            if what == "ours":
                answers.append(version)
        events.append((version, what, name))
        states.append(dict(state))

    made = shelf()
    told: dict[str, str | None] = {}
    ours = {f"{name}@{version}" for version, what, name in events if what == "ours"}
    heard_answers: set[str] = set()

    def tell(seen: Seen[str] | None) -> None:
        if seen is None:
            return
        # What we wrote ourselves is not told back once its answer has been heard.
        assert seen.after not in heard_answers
        known = told.get(seen.ref.name)
        assert seen.before == known or seen.before in ours
        told[seen.ref.name] = seen.after

    def play(event: tuple[int, str, str]) -> None:
        version, what, name = event
        tell(made.drop(obj(name, version)) if what == "delete" else made.see(obj(name, version)))
        made.settle(str(version))

    def hear(version: int) -> None:
        name = next(name for at, _, name in events if at == version)
        made.observe(obj(name, version))
        heard_answers.add(f"{name}@{version}")

    place = 0
    for reading in readings:
        if reading == "event" and place < len(events):
            play(events[place])
            place += 1
        elif reading == "answer" and answers:
            hear(answers.pop(0))
        elif reading == "relist":
            missing = made.refs()
            for name, version in states[-1].items():
                missing.discard(ref(name))
                tell(made.see(obj(name, version)))
            for seen in made.drop_missing(missing, str(len(states) - 1)):
                tell(seen)
            made.settle(str(len(states) - 1))
            place = len(events)
    while answers:
        hear(answers.pop(0))
    for event in events[place:]:
        play(event)
    assert dict(made.items()) == {ref(name): f"{name}@{version}" for name, version in state.items()}
    assert not made._noted
