"""What recordings cannot show: times, the order of rows, what is shared, and how long it takes."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from tests.embedded.merge.replay import builtin
from trueup.embedded.merge import ApplyConflict, PatchError, apply, settle_times, track_update
from trueup.embedded.schema import SchemaNode, structural

EARLY, LATE = "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}, "data": data}


def node(kind: str = "ConfigMap", group: str = "") -> SchemaNode:
    found = builtin().node(group, "v1", kind)
    assert found is not None
    return found


def times(obj: dict[str, Any]) -> dict[str, str | None]:
    return {row["manager"]: row.get("time") for row in obj["metadata"]["managedFields"]}


def test_an_apply_without_effect_gives_the_live_object_itself() -> None:
    live = apply(None, config_map(a="1"), node(), manager="us", force=False, now=EARLY)
    assert apply(live, config_map(a="1"), node(), manager="us", force=False, now=LATE) is live


def test_an_update_without_effect_gives_the_live_object_itself() -> None:
    live = track_update(None, config_map(a="1"), node(), manager="us", now=EARLY)
    assert track_update(live, copy.deepcopy(live), node(), manager="them", now=LATE) is live


def test_an_apply_that_changes_something_has_its_own_time_and_leaves_the_others() -> None:
    live = apply(None, config_map(a="1"), node(), manager="us", force=False, now=EARLY)
    live = apply(live, config_map(b="1"), node(), manager="them", force=False, now=LATE)
    assert times(live) == {"us": EARLY, "them": LATE}


def test_a_second_owner_who_changes_nothing_has_no_time() -> None:
    live = apply(None, config_map(a="1"), node(), manager="us", force=False, now=EARLY)
    live = apply(live, config_map(a="1"), node(), manager="them", force=False, now=LATE)
    assert times(live) == {"us": EARLY, "them": None}


def test_rows_stand_by_operation_then_time_then_manager() -> None:
    live = track_update(None, config_map(a="1"), node(), manager="editor", now=EARLY)
    live = apply(live, config_map(b="1"), node(), manager="z", force=False, now=EARLY)
    live = apply(live, config_map(c="1"), node(), manager="a", force=False, now=LATE)
    rows = [(row["operation"], row["manager"]) for row in live["metadata"]["managedFields"]]
    assert rows == [("Apply", "z"), ("Apply", "a"), ("Update", "editor")]


def test_only_times_apart_is_no_change() -> None:
    before = track_update(None, config_map(a="1"), node(), manager="us", now=EARLY)
    after = track_update(None, config_map(a="1"), node(), manager="us", now=LATE)
    assert settle_times(before, after) is before
    other = track_update(None, config_map(a="2"), node(), manager="us", now=LATE)
    assert settle_times(before, other) is other


def test_the_oldest_updaters_are_merged_and_keep_the_latest_time() -> None:
    live = track_update(None, config_map(k0="1"), node(), manager="m0", now="2024-01-01T00:00:00Z")
    for number in range(1, 13):
        changed = {**live, "data": live["data"] | {f"k{number}": "1"}}
        live = track_update(live, changed, node(), manager=f"m{number}", now=f"2024-01-01T00:00:{number:02d}Z")
    rows = {row["manager"]: row for row in live["metadata"]["managedFields"]}
    assert len(rows) == 10
    assert rows["ancient-changes"]["time"] == "2024-01-01T00:00:03Z"
    assert set(rows["ancient-changes"]["fieldsV1"]["f:data"]) == {".", "f:k0", "f:k1", "f:k2", "f:k3"}


def test_rows_that_cannot_be_read_stop_an_apply_and_are_forgotten_by_an_update() -> None:
    live = config_map(a="1")
    live["metadata"]["managedFields"] = [
        {"manager": "x", "operation": "Guess", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    ]
    with pytest.raises(PatchError, match="operation must be `Apply` or `Update`"):
        apply(live, config_map(a="1"), node(), manager="us", force=False, now=EARLY)
    tracked = track_update(live, {**config_map(a="2")}, node(), manager="us", now=EARLY)
    assert "managedFields" not in tracked["metadata"]


def test_nothing_given_is_changed() -> None:
    live = apply(None, config_map(a="1", b="1"), node(), manager="us", force=False, now=EARLY)
    applied = config_map(a="2")
    before, before_applied = copy.deepcopy(live), copy.deepcopy(applied)
    apply(live, applied, node(), manager="us", force=False, now=LATE)
    apply(live, applied, node(), manager="them", force=True, now=LATE)
    assert (live, applied) == (before, before_applied)


def test_a_manager_without_a_name_is_unknown() -> None:
    live = track_update(None, config_map(a="1"), node(), manager="", now=EARLY)
    assert list(times(live)) == ["unknown"]


def test_who_owned_parts_of_what_became_atomic_owns_the_whole() -> None:
    def schema(**extra: Any) -> SchemaNode:
        part = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, **extra}
        return structural({"type": "object", "properties": {"spec": {"type": "object", "properties": {"part": part}}}})

    def custom(**part: str) -> dict[str, Any]:
        return {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"part": part}}

    live = apply(None, custom(a="1"), schema(), manager="us", force=False, now=EARLY)
    live = apply(live, custom(b="1"), schema(), manager="them", force=False, now=EARLY)
    atomic = schema(**{"x-kubernetes-map-type": "atomic"})
    with pytest.raises(ApplyConflict, match=r"conflict with \"them\": \.spec\.part$"):
        apply(live, custom(a="2"), atomic, manager="us", force=False, now=LATE)
    after = apply(live, custom(a="2"), atomic, manager="us", force=True, now=LATE)
    assert after["spec"]["part"] == {"a": "2"}
    assert [row["fieldsV1"] for row in after["metadata"]["managedFields"]] == [{"f:spec": {"f:part": {}}}]


def test_an_apply_of_a_deployment_takes_little() -> None:
    """A guard against an order of magnitude, not a benchmark: 0.2 ms on the machine it was written on."""
    containers = [
        {"name": f"c{number}", "image": "x:1", "env": [{"name": f"E{n}", "value": "1"} for n in range(8)]}
        for number in range(2)
    ]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": containers}}},
    }
    kind = node("Deployment", "apps")
    live = apply(None, deployment, kind, manager="us", force=False, now=EARLY)
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        apply(live, deployment, kind, manager="us", force=False, now=LATE)
        taken.append(time.perf_counter() - begin)
    assert min(taken) < 0.003
