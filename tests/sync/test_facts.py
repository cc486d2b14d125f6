"""What is kept of an object: our fields, the marks, the facts for rules; small, masked, and the same after a restart."""

from __future__ import annotations

import msgspec
import pytest

from tests.sync.cluster import NOW
from tests.sync.world import KEY, SETTINGS, WEB, World, config_map, deployment, rules
from trueup.model.change import FieldChange
from trueup.model.manifest import Manifest
from trueup.sync.drift import drifted, has_drifted
from trueup.sync.facts import AppliedRecord, Lens, LiveFacts, newer, reduce_live
from trueup.sync.fielddiff import field_changes


def facts_of(world: World, ref: object = WEB) -> LiveFacts:
    found = world.live()[ref]  # type: ignore[index]
    assert isinstance(found, LiveFacts)
    return found


async def test_a_record_survives_the_state_folder() -> None:
    world = World()
    await world.sync(deployment())
    record = world.records[WEB]

    again = AppliedRecord.from_bytes(record.to_bytes())

    assert again == record
    assert not has_drifted(again, facts_of(world))


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        AppliedRecord.from_bytes(b'{"ref": 1}')


async def test_only_the_marks_that_a_rule_looks_at_are_kept() -> None:
    world = World()
    await world.sync(config_map())
    world.cluster.update(
        SETTINGS,
        lambda obj: obj["metadata"].update(
            annotations={"big": "x" * 9999, "kustomize.toolkit.fluxcd.io/prune": "disabled"}
        ),
        manager="someone",
    )

    facts = facts_of(world, SETTINGS)

    assert dict(facts.annotations) == {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    assert set(facts.labels) == {"kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"}


async def test_an_equal_cut_is_kept_once() -> None:
    world = World()
    await world.sync(deployment())

    assert facts_of(world).cut is world.records[WEB].cut


async def test_who_changed_our_field_is_known() -> None:
    world = World()
    await world.sync(deployment(replicas=2))
    world.cluster.update(WEB, lambda obj: obj["spec"].update(replicas=4), manager="kubectl", subresource="scale")

    facts = facts_of(world)

    assert facts.meddlers == ("kubectl",)
    assert drifted(world.records[WEB], facts) == (FieldChange("spec.replicas", "4", "2"),)


async def test_a_removed_field_is_drift() -> None:
    world = World()
    await world.sync(config_map(color="blue"))
    world.cluster.update(SETTINGS, lambda obj: obj["data"].pop("color"), manager="someone")

    assert [str(field) for field in drifted(world.records[SETTINGS], facts_of(world, SETTINGS))] == [
        'data: (unset) -> {"color":"blue"}'
    ]


async def test_a_status_that_changes_is_not_drift() -> None:
    world = World()
    await world.sync(deployment())
    world.cluster.update(
        WEB, lambda obj: obj.update(status={"replicas": 2}), manager="kube-controller-manager", subresource="status"
    )

    assert not has_drifted(world.records[WEB], facts_of(world))


@pytest.mark.parametrize("field", ["resources", "securityContext"])
async def test_what_others_put_into_an_empty_map_of_ours_is_theirs(field: str) -> None:
    world = World()
    declared = deployment()
    container = declared["spec"]["template"]["spec"]["containers"][0]
    container[field] = {}
    await world.sync(declared)

    def fill(obj: Manifest) -> None:
        value = {"limits": {"cpu": "1"}} if field == "resources" else {"runAsNonRoot": True}
        obj["spec"]["template"]["spec"]["containers"][0][field] = value

    world.cluster.update(WEB, fill, manager="operator")

    assert not has_drifted(world.records[WEB], facts_of(world))


async def test_an_empty_selector_that_somebody_fills_is_drift() -> None:
    world = World()
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"podSelector": {}},
    }
    execution = await world.sync(policy)
    ref = execution.report.changes[0].ref
    world.cluster.update(
        ref, lambda obj: obj["spec"].update(podSelector={"matchLabels": {"app": "none"}}), manager="someone"
    )

    assert has_drifted(world.records[ref], facts_of(world, ref))


async def test_the_live_values_of_a_secret_are_kept_as_hashes() -> None:
    world = World()
    login = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "shop"},
        "stringData": {"password": "hunter2"},
    }
    execution = await world.sync(login)
    ref = execution.report.changes[0].ref
    world.cluster.update(ref, lambda obj: obj["data"].update(password="c3RvbGVu"), manager="someone")

    facts = facts_of(world, ref)

    assert facts.cut is not None
    assert b"c3RvbGVu" not in facts.cut
    assert [str(field) for field in drifted(world.records[ref], facts)] == ["data.password: (hidden) -> (hidden)"]


async def test_without_a_record_our_own_entry_says_what_is_ours() -> None:
    world = World()
    await world.sync(config_map(color="blue"))

    facts = reduce_live(world.cluster.objects[SETTINGS], None, Lens.of(rules(), KEY), NOW)

    assert facts.cut == world.records[SETTINGS].cut


@pytest.mark.parametrize(
    ("one", "other", "expected"), [("10", "9", True), ("9", "10", False), ("9", "9", False), ("x", "9", True)]
)
def test_versions_are_compared_as_numbers(one: str, other: str, expected: bool) -> None:
    assert newer(one, other) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, ["a: 1 -> true"]),
        ({"a": 1}, {}, ["a: 1 -> (unset)"]),
        ({}, {"a": None}, ["a: (unset) -> null"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1]: 2 -> 3"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a: [1] -> [1,2]"]),
        (
            {"c": [{"name": "x", "v": 1}, {"name": "y"}]},
            {"c": [{"name": "new"}, {"name": "x", "v": 2}]},
            ["c[name=x].v: 1 -> 2", 'c[name=y]: {"name":"y"} -> (unset)', 'c[name=new]: (unset) -> {"name":"new"}'],
        ),
        (
            {"p": [{"port": 80, "protocol": "TCP", "n": 1}]},
            {"p": [{"port": 80, "protocol": "TCP", "n": 2}]},
            ["p[port=80,protocol=TCP].n: 1 -> 2"],
        ),
        (
            {"c": [{"name": "x"}, {"name": "x"}]},
            {"c": [{"name": "x"}]},
            ['c: [{"name":"x"},{"name":"x"}] -> [{"name":"x"}]'],
        ),
        ({"m": {"example.com/a": "1"}}, {"m": {"example.com/a": "2"}}, ['m[example.com/a]: "1" -> "2"']),
        ({"a": {"b": 1}}, {"a": "text"}, ['a: {"b":1} -> "text"']),
    ],
)
def test_differences_are_named_by_path_and_key(before: object, after: object, expected: list[str]) -> None:
    assert [str(change) for change in field_changes(before, after)] == expected


def test_long_values_and_long_lists_of_changes_are_bounded() -> None:
    [change] = field_changes({"a": "x" * 5000}, {"a": "y"})
    assert len(change.before) == 1024
    assert len(field_changes({}, {f"k{index}": index for index in range(500)})) == 100


async def test_a_big_object_is_kept_small_and_its_drift_is_seen_all_the_same() -> None:
    world = World()
    big = config_map(blob="x" * 500_000, small="1")
    await world.sync(big)
    assert len(world.records[SETTINGS].to_bytes()) < 2000
    assert not has_drifted(world.records[SETTINGS], facts_of(world, SETTINGS))
    assert (await world.plan([big])).is_empty

    world.cluster.update(SETTINGS, lambda obj: obj["data"].update(blob="y" * 500_000), manager="someone")

    assert [str(field) for field in drifted(world.records[SETTINGS], facts_of(world, SETTINGS))] == [
        "data.blob: (large) -> (large)"
    ]
