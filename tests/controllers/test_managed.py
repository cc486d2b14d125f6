"""Whose objects are whose, and what an event about one means. The world is plain data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.controllers.managed import PRESENT, ManagedObjects
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.app import SyncRules
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef
from trueup.sync.desired import Desired
from trueup.sync.facts import Absent, AppliedRecord, LiveFacts
from trueup.sync.outcomes import record_of
from trueup.sync.plan import Send, Why

KEY = b"k" * 32
NOW = datetime(2026, 11, 23, tzinfo=UTC)
A = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "a")
B = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "b")
WEB = ObjectRef("apps", "Deployment", "shop", "web")


def rules() -> SyncRules:
    obj = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "a", "namespace": "flux-system", "generation": 1},
        "spec": {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "r"}},
    }
    return FluxDialect().read_app(obj).rules


def deployment(version: int, replicas: int = 1, manager: str = "kustomize-controller", ready: int = 1) -> Manifest:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    entries: list[dict[str, Any]] = [
        {"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields}
    ]
    if manager != "kustomize-controller":
        entries[0]["fieldsV1"] = {}
        entries.append({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": fields})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "resourceVersion": str(version),
            "generation": 1,
            "managedFields": entries,
            "labels": {},
        },
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready,
                   "availableReplicas": ready, "conditions": [{"type": "Available", "status": "True"}]},
    }  # fmt: skip


def record(version: int, replicas: int = 1) -> AppliedRecord:
    live = deployment(version, replicas)
    desired = Desired(ref=WEB, version="v1", manifest=live, digest="d")
    return record_of(Send(desired=desired, manifest=live, digest="d", why=Why.NEW), live, "kustomize-controller", KEY)


class World:
    """A listener that remembers, and the records of the Apps."""

    def __init__(self) -> None:
        self.records: dict[tuple[ObjectRef, ObjectRef], AppliedRecord] = {}
        self.told: list[tuple[str, ObjectRef]] = []
        self.objects = ManagedObjects(lambda app, ref: self.records.get((app, ref)), self, KEY, lambda: NOW)
        self.kept: dict[ObjectRef, Any] = {}
        self.complete = True

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None:
        del ref
        self.told.append(("drifted", app))

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        del ref
        self.told.append(("vanished", app))

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None) -> None:
        del ref, before, after
        self.told.append(("health", app))

    def get(self, ref: ObjectRef, version: str = "") -> Any:
        del version
        return self.kept.get(ref)

    def knows(self, ref: ObjectRef) -> bool:
        del ref
        return self.complete

    def see(self, obj: Manifest | None, ref: ObjectRef = WEB) -> list[tuple[str, ObjectRef]]:
        """One event; gives what was told because of it."""
        before = self.kept.get(ref)
        after = self.objects.reduce(obj) if obj is not None else None
        if after is None:
            self.kept.pop(ref, None)
        else:
            self.kept[ref] = after
        self.told.clear()
        self.objects.seen(ref, before, after, obj)
        return [told for told in self.told if told[0] != "health"]


@pytest.fixture
def world() -> World:
    found = World()
    found.objects.claim(A, [WEB], rules())
    found.records[A, WEB] = record(10)
    return found


def test_of_an_object_that_nobody_claims_only_its_presence_is_kept() -> None:
    world = World()
    assert world.objects.reduce(deployment(1)) is PRESENT
    assert world.objects.facts([WEB], world) == {WEB: Absent()}
    world.see(deployment(1))
    assert world.objects.facts([WEB], world) == {}, "it is there, but was never looked at closely"


def test_the_event_of_our_own_apply_is_no_drift(world: World) -> None:
    assert world.see(deployment(10)) == []


def test_a_foreign_value_is_drift_whoever_holds_the_field(world: World) -> None:
    world.see(deployment(10))
    assert world.see(deployment(11, replicas=5, manager="kubectl")) == [("drifted", A)]


def test_a_change_of_status_is_no_drift(world: World) -> None:
    world.see(deployment(10))
    assert world.see(deployment(11, ready=0)) == []


def test_a_deletion_is_told_and_only_when_it_was_ours(world: World) -> None:
    world.see(deployment(10))
    assert world.see(None) == [("vanished", A)]
    world.records.clear()
    world.see(deployment(12))
    assert world.see(None) == []


def test_while_we_apply_nothing_is_judged_and_afterwards_the_newest_sight_is(world: World) -> None:
    world.see(deployment(10))
    with world.objects.applying([WEB]):
        assert world.see(deployment(11, replicas=2)) == [], "may be our own doing"
        world.records[A, WEB] = record(11, replicas=2)
        world.told.clear()
    assert world.told == []
    with world.objects.applying([WEB]):
        world.see(deployment(12, replicas=9, manager="kubectl"))
        world.told.clear()
    assert world.told == [("drifted", A)]


def test_a_deletion_during_our_own_apply_is_told_afterwards(world: World) -> None:
    world.see(deployment(10))
    with world.objects.applying([WEB]):
        assert world.see(None) == []
        world.told.clear()
    assert world.told == [("vanished", A)]


def test_of_two_apps_that_claim_an_object_the_first_is_told_until_it_lets_go(world: World) -> None:
    world.objects.claim(B, [WEB], rules())
    world.records[B, WEB] = record(10)
    world.see(deployment(10))
    assert world.see(deployment(11, replicas=5, manager="kubectl")) == [("drifted", A)]
    world.objects.release(A)
    assert world.objects.claimed_by(WEB) == B
    assert world.see(deployment(12, replicas=6, manager="kubectl")) == [("drifted", B)]


def test_a_health_check_hears_of_health_without_owning_anything(world: World) -> None:
    world.objects.watch(B, [WEB], rules())
    world.see(deployment(10))
    world.see(deployment(11, ready=0))
    assert {app for kind, app in world.told if kind == "health"} == {A, B}
    world.objects.release(A)
    assert isinstance(world.objects.reduce(deployment(12)), LiveFacts)
    world.objects.release(B)
    assert world.objects.reduce(deployment(13)) is PRESENT


def test_replicas_are_an_autoscalers_as_long_as_there_is_one(world: World) -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }
    world.objects.scaler_seen(ref_of(scaler), scaler)
    world.see(deployment(10))
    assert world.see(deployment(11, replicas=5, manager="kube-controller-manager")) == []
    world.told.clear()
    world.objects.scaler_seen(ref_of(scaler), None)
    assert world.told == [("drifted", A)], "the declared replicas count again"


SCALER = ObjectRef("autoscaling", "HorizontalPodAutoscaler", "shop", "web")


def scaler(version: str, resource_version: int, maximum: int, *, manager: str = "kustomize-controller") -> Manifest:
    """One object as two versions show it. managedFields stay in the version that each manager wrote in."""
    cpu: dict[str, Any] = {"metrics": [{"type": "Resource", "resource": {"name": "cpu"}}]}
    if version == "v1":
        cpu = {"targetCPUUtilizationPercentage": 50}
    fields: dict[str, Any] = {"f:spec": {"f:maxReplicas": {}, "f:targetCPUUtilizationPercentage": {}}}
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "resourceVersion": str(resource_version),
            "managedFields": [
                {"manager": manager, "operation": "Apply", "apiVersion": "autoscaling/v1", "fieldsV1": fields}
            ],
        },
        "spec": {"maxReplicas": maximum, **cpu},
    }


def applied_in_v1(world: World) -> None:
    answer = scaler("v1", 10, 5)
    desired = Desired(ref=SCALER, version="v1", manifest=answer, digest="d")
    send = Send(desired=desired, manifest=answer, digest="d", why=Why.NEW)
    world.objects.claim(A, [SCALER], rules())
    world.records[A, SCALER] = record_of(send, answer, "kustomize-controller", KEY)


def test_what_another_version_shows_is_no_drift_of_what_was_applied_in_one() -> None:
    world = World()
    applied_in_v1(world)
    world.objects.watched(SCALER.group_kind, "v2")
    assert world.see(scaler("v2", 11, 5), SCALER) == [], "the same object, differently told"


def test_an_object_is_judged_by_the_watch_of_the_version_that_it_was_applied_in() -> None:
    world = World()
    applied_in_v1(world)
    for version in ("v1", "v2"):
        world.objects.watched(SCALER.group_kind, version)
    assert world.objects.reduce(scaler("v2", 11, 9)) is PRESENT
    assert world.see(scaler("v2", 11, 9, manager="kubectl-edit"), SCALER) == []
    assert world.see(scaler("v1", 11, 9, manager="kubectl-edit"), SCALER) == [("drifted", A)]
    facts = world.objects.facts([SCALER], world)[SCALER]
    assert isinstance(facts, LiveFacts)
    assert facts.version == "v1"


def test_without_a_watch_of_its_own_version_an_object_is_still_seen_to_go() -> None:
    world = World()
    applied_in_v1(world)
    world.objects.watched(SCALER.group_kind, "v2")
    world.see(scaler("v2", 11, 5), SCALER)
    assert world.see(None, SCALER) == [("vanished", A)]
