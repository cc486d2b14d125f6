"""Into which groups a sync falls, and in which order they go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sync.world import argo_rules, config_map, ref
from trueup.model.hook import DeletePolicy, Hook, Phase
from trueup.model.inventory import InventoryEntry
from trueup.model.manifest import Manifest, ref_of
from trueup.model.revision import git_revision
from trueup.sync.desired import Desired
from trueup.sync.facts import Lens, reduce_live
from trueup.sync.hooktasks import DeclaredHook, HookTask, sync_tasks, wave_of
from trueup.sync.prunes import Prune
from trueup.sync.waves import Group, groups_of

WAVE = "argocd.argoproj.io/sync-wave"
WEIGHT = "helm.sh/hook-weight"
RULES = argo_rules(wave_annotations=(WAVE, WEIGHT))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(manifest: Manifest, wave: int | str, key: str = WAVE) -> Manifest:
    return manifest | {"metadata": {**manifest["metadata"], "annotations": {key: str(wave)}}}


def desired(*manifests: Manifest) -> list[Desired]:
    return [Desired(ref=ref_of(m), version="v1", manifest=m, digest="d") for m in manifests]


def prune(name: str, wave: int = 0) -> Prune:
    live = at(config_map(name), wave)
    live["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    return Prune(InventoryEntry(ref_of(live), "v1"), reduce_live(live, None, Lens.of(RULES, b"k"), NOW))


def hooks(*found: tuple[Manifest, set[Phase]]) -> tuple[HookTask, ...]:
    declared = [DeclaredHook(hook=Hook(frozenset(phases)), desired=desired(m)[0]) for m, phases in found]
    return sync_tasks(declared, RULES, git_revision("main", "abcdef0123" * 4), NOW, b"k")


def names(groups: tuple[Group, ...]) -> list[tuple[str, int, list[str]]]:
    return [
        (
            str(group.phase),
            group.wave,
            [
                *sorted(r.name for r in group.objects),
                *(f"-{r.name}" for r in sorted(group.prunes)),
                *(f"!{t.ref.name}" for t in group.hooks),
            ],
        )
        for group in groups
    ]


@pytest.mark.parametrize(
    ("annotations", "wave"),
    [
        ({}, 0),
        ({WAVE: "5"}, 5),
        ({WAVE: "-5"}, -5),
        ({WAVE: "+5"}, 5),
        ({WEIGHT: "3"}, 3),
        ({WAVE: "1", WEIGHT: "3"}, 1),
        ({WAVE: "one", WEIGHT: "3"}, 3),
        ({WAVE: " 1"}, 0),
        ({WAVE: "1_000"}, 0),
        ({WAVE: 7}, 0),
    ],
)
def test_the_wave_is_the_first_annotation_that_holds_an_integer(annotations: dict[str, Any], wave: int) -> None:
    assert wave_of(annotations, (WAVE, WEIGHT)) == wave


def test_phases_go_before_waves() -> None:
    tasks = hooks(
        (at(config_map("late"), 9), {Phase.PRE_SYNC}),
        (config_map("after"), {Phase.POST_SYNC}),
        (config_map("with"), {Phase.SYNC}),
        (config_map("mourn"), {Phase.SYNC_FAIL}),
    )
    assert names(groups_of(desired(config_map("a"), at(config_map("b"), -1)), (), tasks, RULES)) == [
        ("PreSync", 9, ["!late"]),
        ("Sync", -1, ["b"]),
        ("Sync", 0, ["a", "!with"]),
        ("PostSync", 0, ["!after"]),
        ("SyncFail", 0, ["!mourn"]),
    ]


def test_a_namespace_comes_no_later_than_the_first_that_goes_there() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    early = at(config_map("early"), -3)
    assert names(groups_of(desired(at(namespace, 4), early), (), (), RULES)) == [("Sync", -3, ["early", "shop"])]

    tasks = hooks((config_map("migrate"), {Phase.PRE_SYNC}))
    assert names(groups_of(desired(namespace, early), (), tasks, RULES)) == [
        ("PreSync", 0, ["shop", "!migrate"]),
        ("Sync", -3, ["early"]),
    ]


def test_a_definition_comes_no_later_than_the_first_of_its_kind() -> None:
    spec = {"group": "example.com", "names": {"kind": "Shop"}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "shops.example.com"},
        "spec": spec,
    }
    shop = {"apiVersion": "example.com/v1", "kind": "Shop", "metadata": {"name": "one", "namespace": "shop"}}
    assert names(groups_of(desired(at(crd, 1), at(shop, -1)), (), (), RULES)) == [
        ("Sync", -1, ["one", "shops.example.com"])
    ]


def test_a_namespace_that_is_needed_late_stays_early() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    assert names(groups_of(desired(at(namespace, -1), config_map("a")), (), (), RULES)) == [
        ("Sync", -1, ["shop"]),
        ("Sync", 0, ["a"]),
    ]


def test_prunes_go_in_mirrored_order() -> None:
    found = groups_of(desired(config_map("a")), [prune("x", 1), prune("y", 2), prune("z", 7)], (), RULES)
    assert names(found) == [("Sync", 0, ["a"]), ("Sync", 1, ["-z"]), ("Sync", 2, ["-y"]), ("Sync", 7, ["-x"])]


def test_with_prunelast_all_prunes_come_after_the_last_wave() -> None:
    found = groups_of(
        desired(config_map("a"), at(config_map("b"), 3)),
        [prune("x", 1), prune("y", 2)],
        (),
        argo_rules(wave_annotations=(WAVE,), prune_last=True),
    )
    assert names(found) == [("Sync", 0, ["a"]), ("Sync", 3, ["b"]), ("Sync", 4, ["-x", "-y"])]


def test_a_hook_of_two_phases_runs_twice() -> None:
    tasks = hooks((config_map("note"), {Phase.PRE_SYNC, Phase.POST_SYNC}))
    assert [(task.ref.name, task.phase) for task in tasks] == [("note", Phase.PRE_SYNC), ("note", Phase.POST_SYNC)]
    assert tasks[0].policies == {DeletePolicy.BEFORE_CREATION}


def test_a_generated_name_tells_revision_phase_and_time() -> None:
    declared = DeclaredHook(
        hook=Hook(frozenset({Phase.PRE_SYNC})), desired=desired(config_map("note-0"))[0], generate_name="note-"
    )
    (task,) = sync_tasks([declared], RULES, git_revision("main", "abcdef0123" * 4), NOW, b"k")
    assert task.ref == ref("ConfigMap", f"note-abcdef0-presync-{int(NOW.timestamp())}")
    assert task.desired.manifest["metadata"]["name"] == task.ref.name
    assert task.desired.manifest["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"].endswith(task.ref.name)


@given(
    waves=st.lists(st.integers(-3, 3), max_size=8),
    gone=st.lists(st.integers(-3, 3), max_size=6),
    last=st.booleans(),
)
def test_every_object_and_prune_is_in_exactly_one_group_and_groups_are_in_order(
    waves: list[int], gone: list[int], last: bool
) -> None:
    wanted = desired(*(at(config_map(f"o{i}"), wave) for i, wave in enumerate(waves)))
    prunes = [prune(f"p{i}", wave) for i, wave in enumerate(gone)]
    found = groups_of(wanted, prunes, (), argo_rules(wave_annotations=(WAVE,), prune_last=last))

    assert sorted(r for group in found for r in group.objects) == sorted(item.ref for item in wanted)
    assert sorted(r for group in found for r in group.prunes) == sorted(item.ref for item in prunes)
    assert [group.at for group in found] == sorted(group.at for group in found)
    if last and prunes:
        assert found[-1].prunes == {item.ref for item in prunes}
        assert not found[-1].objects
