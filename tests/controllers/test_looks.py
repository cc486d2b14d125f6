"""Whole looks at Apps: what is rendered, what is said, what is answered. On virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.controllers.room import Commit, Room
from tests.sync.world import config_map
from trueup.model.errors import BuildFailed, SourceError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")
LABELS = ObjectRef("", "ConfigMap", "shop", "variables")


def kustomization(**spec: Any) -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "app", "namespace": "shop", "generation": 1, "finalizers": ["finalizers.fluxcd.io"]},
        "spec": {
            "interval": "10m",
            "path": "./app",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": "repo"},
            **spec,
        },
    }


def application(**more: Any) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "app", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.com/apps", "path": "app"},
            "destination": {"name": "in-cluster", "namespace": "shop"},
            "syncPolicy": {"automated": {}},
        },
        **more,
    }


def asking(key: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {key: value}}}


def ready_row(room: Room, ref: ObjectRef) -> dict[str, Any]:
    rows = room.resource(ref)["status"]["conditions"]
    found: dict[str, Any] = next(row for row in rows if row["type"] == "Ready")
    return found


async def stalled(room: Room, app: ObjectRef) -> None:
    """A first good commit, then one that cannot be rendered."""
    await room.settle()
    room.renders["./app"] = [config_map(colour="blue")]
    await room.push(app, Commit("a"))
    await room.settle()
    assert ready_row(room, app)["status"] == "True"
    room.renders["./app"] = BuildFailed("app/settings.yaml:3: mapping values are not allowed here")
    room.memories[app].content_stale = True
    await room.push(app, Commit("b"))
    await room.settle()
    assert ready_row(room, app)["reason"] == "BuildFailed"
    room.rendered.clear()


async def test_a_revision_that_cannot_be_rendered_is_rendered_once() -> None:
    room = Room()
    app = room.put(kustomization())
    await stalled(room, app)
    for _ in range(3):
        room.apps.queue.add(app)
        await room.settle()
    room.edit(app, asking("trueup.dev/note", "somebody looks at it"))
    await room.settle(3600)
    assert room.rendered == []
    assert ready_row(room, app)["reason"] == "BuildFailed"


async def test_a_first_revision_that_cannot_be_rendered_is_rendered_once() -> None:
    room = Room()
    room.renders["./app"] = BuildFailed("no such directory: app")
    app = room.put(kustomization())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle()
    room.apps.queue.add(app)
    await room.settle(3600)
    assert room.rendered == ["./app"]


@pytest.mark.parametrize("why", ["commit", "spec", "request"])
async def test_it_is_rendered_again_when_something_else_can_come_of_it(why: str) -> None:
    room = Room()
    app = room.put(kustomization())
    await stalled(room, app)
    room.renders["./app"] = [config_map(colour="green")]
    match why:
        case "commit":
            await room.push(app, Commit("c"))
        case "spec":
            room.edit(app, {"spec": {"targetNamespace": "shop"}})
        case _:
            room.edit(app, asking("reconcile.fluxcd.io/requestedAt", "now"))
    await room.settle()
    assert room.rendered == ["./app"]
    assert ready_row(room, app)["status"] == "True"
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "green"}


async def test_a_failed_render_comes_again_with_other_variables_and_with_no_others() -> None:
    room = Room()
    room.values[LABELS] = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"name": "v"}}
    substitute = {"substituteFrom": [{"kind": "ConfigMap", "name": "variables"}]}
    app = room.put(kustomization(postBuild=substitute))
    await stalled(room, app)
    await room.settle(1800)
    assert room.rendered == [], "the values are looked at every interval, and are what they were"
    room.values[LABELS] = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "2"}, "metadata": {"name": "v"}}
    await room.settle(700)
    assert room.rendered == ["./app"]


async def test_drift_is_healed_while_a_newer_revision_cannot_be_rendered() -> None:
    room = Room()
    app = room.put(kustomization())
    await stalled(room, app)
    await room.push(app, Commit("a"))
    await room.settle()
    room.cluster.update(SETTINGS, lambda obj: obj["data"].update(colour="red"), manager="kubectl-edit")
    room.apps.signals.drifted(app, SETTINGS)
    await room.settle()
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "blue"}


async def test_a_wrong_annotation_that_is_taken_off_leaves_no_failure_behind() -> None:
    room = Room()
    room.renders["./app"] = [config_map()]
    app = room.put(kustomization())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle()
    room.edit(app, asking("trueup.dev/pin", "not a revision"))
    await room.settle()
    assert ready_row(room, app)["status"] == "False"
    room.edit(app, {"metadata": {"annotations": {"trueup.dev/pin": None}}})
    await room.settle()
    assert ready_row(room, app)["status"] == "True"


async def test_a_request_is_answered_while_the_source_gives_nothing() -> None:
    room = Room()
    app = room.put(kustomization())
    await room.settle()
    await room.push(app, None, SourceError("the host does not answer"))
    await room.settle()
    room.edit(app, asking("reconcile.fluxcd.io/requestedAt", "first"))
    await room.settle()
    status = room.resource(app)["status"]
    assert status["lastHandledReconcileAt"] == "first"
    assert ready_row(room, app)["reason"] == "ArtifactFailed"
    told = len(room.told)
    room.edit(app, asking("reconcile.fluxcd.io/requestedAt", "second"))
    await room.settle()
    assert room.resource(app)["status"]["lastHandledReconcileAt"] == "second"
    assert len(room.told) == told, "the same failure is told once"
    room.renders["./app"] = [config_map()]
    await room.push(app, Commit("a"))
    await room.settle()
    assert ready_row(room, app)["status"] == "True"


async def test_drift_is_healed_while_the_source_gives_nothing() -> None:
    room = Room()
    room.renders["./app"] = [config_map(colour="blue")]
    app = room.put(kustomization())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle()
    await room.push(app, None, SourceError("the host does not answer"))
    room.edit(app, asking("reconcile.fluxcd.io/requestedAt", "now"))
    await room.settle()
    assert ready_row(room, app)["reason"] == "ArtifactFailed"
    room.cluster.update(SETTINGS, lambda obj: obj["data"].update(colour="red"), manager="kubectl-edit")
    room.apps.signals.drifted(app, SETTINGS)
    await room.settle()
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "blue"}
    await room.push(app, Commit("a"))
    await room.settle()
    assert ready_row(room, app)["status"] == "True"


async def test_news_of_a_drift_that_a_sync_made_good_meanwhile_changes_nothing() -> None:
    """Without self-heal: what was pruned is heard to be gone, and what was brought back is heard to have been changed."""
    room = Room()
    room.renders["app"] = [config_map(colour="blue")]
    app = room.put(application())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle()
    assert room.resource(app)["status"]["sync"]["status"] == "Synced"
    room.apps.signals.drifted(app, SETTINGS)
    room.apps.signals.vanished(app, ObjectRef("", "ConfigMap", "shop", "pruned"))
    await room.settle()
    assert room.resource(app)["status"]["sync"]["status"] == "Synced"
    room.cluster.update(SETTINGS, lambda obj: obj["data"].update(colour="red"), manager="kubectl-edit")
    room.apps.signals.drifted(app, SETTINGS)
    await room.settle()
    assert room.resource(app)["status"]["sync"]["status"] == "OutOfSync"


async def test_a_request_is_answered_while_a_dependency_is_not_ready() -> None:
    room = Room()
    app = room.put(kustomization(dependsOn=[{"name": "db"}]))
    await room.settle()
    await room.push(app, Commit("a"))
    room.edit(app, asking("reconcile.fluxcd.io/requestedAt", "now"))
    await room.settle()
    assert room.resource(app)["status"]["lastHandledReconcileAt"] == "now"
    assert ready_row(room, app)["reason"] == "DependencyNotReady"


async def test_every_request_to_a_resource_that_cannot_be_read_is_answered() -> None:
    room = Room()
    app = room.put(kustomization(decryption={"provider": "sops"}))
    await room.settle()
    for token in ("first", "second"):
        room.edit(app, asking("reconcile.fluxcd.io/requestedAt", token))
        await room.settle()
        assert room.resource(app)["status"]["lastHandledReconcileAt"] == token


@pytest.mark.parametrize("kind", ["normal", "hard"])
async def test_a_refresh_asks_the_remote_and_is_taken_off_with_the_failure(kind: str) -> None:
    room = Room()
    app = room.put(application())
    await room.settle()
    await room.push(app, None, SourceError("the host does not answer"))
    await room.settle()
    room.edit(app, asking("argocd.argoproj.io/refresh", kind))
    await room.settle()
    obj = room.resource(app)
    assert len(room.asked) == 1, "the remote was asked once more before it was answered"
    assert "argocd.argoproj.io/refresh" not in obj["metadata"]["annotations"]
    assert [row["type"] for row in obj["status"]["conditions"]] == ["ComparisonError"]
    assert "the host does not answer" in obj["status"]["conditions"][0]["message"]
    assert obj["status"]["sync"]["status"] == "Unknown"
    room.renders["app"] = [config_map()]
    await room.push(app, Commit("a"))
    await room.settle()
    status = room.resource(app)["status"]
    assert status["sync"]["status"] == "Synced"
    assert "conditions" not in status


async def test_an_operation_that_cannot_be_carried_out_is_said_at_once() -> None:
    room = Room()
    room.renders["app"] = [config_map()]
    app = room.put(application())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle()
    room.edit(app, {"operation": {"sync": {"manifests": ["kind: ConfigMap"]}}})
    await room.settle()
    rows = room.resource(app)["status"]["conditions"]
    assert "operation.sync.manifests" in rows[0]["message"]
    room.edit(app, {"operation": None})
    await room.settle()
    assert "conditions" not in room.resource(app)["status"]


async def test_an_operation_is_tried_again_after_its_own_waits() -> None:
    room = Room()
    room.renders["app"] = [config_map()]
    app = room.put(application())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle(60)
    backoff = {"duration": "10s", "factor": 3, "maxDuration": "60s"}
    room.renders["app"] = SourceError("not now")
    room.edit(app, {"operation": {"sync": {}, "retry": {"limit": 3, "backoff": backoff}}})
    room.rendered.clear()
    seen = []
    for seconds in (0, 9.5, 1, 29, 1, 59, 1, 3600):
        await room.settle(seconds)
        seen.append(len(room.rendered))
    assert seen == [1, 1, 2, 2, 3, 3, 4, 4]
    assert "operation" not in room.resource(app)


async def test_operations_that_come_within_one_second_are_each_carried_out_and_taken_off() -> None:
    room = Room()
    room.renders["app"] = [config_map()]
    app = room.put(application())
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle()
    starts = []
    for user in ("somchai", "malee"):
        room.edit(app, {"operation": {"sync": {}, "initiatedBy": {"username": user}}})
        await room.settle()
        obj = room.resource(app)
        assert "operation" not in obj
        assert obj["status"]["operationState"]["operation"]["initiatedBy"] == {"username": user}
        starts.append(obj["status"]["operationState"]["startedAt"])
    assert starts == ["2026-11-23T07:00:01Z", "2026-11-23T07:00:02Z"]


@pytest.mark.parametrize(("limit", "rows"), [(None, 10), (13, 13), (3, 3)])
async def test_an_applications_history_is_as_long_as_it_asks(limit: int | None, rows: int) -> None:
    room = Room()
    app = room.put(application())
    if limit is not None:
        room.edit(app, {"spec": {"revisionHistoryLimit": limit}})
    for number in range(15):
        room.renders["app"] = [config_map(number=str(number))]
        await room.settle(1)
        room.memories[app].content_stale = True
        await room.push(app, Commit(f"{number:x}"))
        await room.settle(1)
    history = room.resource(app)["status"]["history"]
    assert [row["id"] for row in history] == list(range(15 - rows, 15))
    assert history[-1]["revision"] == "e" * 40


async def test_an_app_whose_cluster_is_not_known_does_nothing_in_ours() -> None:
    room = Room()
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    crd_name = {"name": "kustomizations.kustomize.toolkit.fluxcd.io"}
    room.cluster.put({**crd, "metadata": crd_name}, manager="install")
    room.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, manager="install")
    there = set(room.cluster.objects)
    sites = asyncio.create_task(room.apps.sites.run())
    app = room.put(kustomization(kubeConfig={"secretRef": {"name": "there"}}))
    room.renders["./app"] = [config_map()]
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle(30)
    assert ready_row(room, app)["reason"] == "ClusterNotFound"
    assert set(room.cluster.objects) == there
    assert room.rendered == []
    # Suspended, it is let go with a word about what it leaves; before that, its deletion waits.
    inventory = {"entries": [{"id": "shop_settings__ConfigMap", "v": "v1"}]}
    room.edit(app, {"status": {"inventory": inventory}, "metadata": {"deletionTimestamp": "2026-11-23T07:00:00Z"}})
    await room.settle(30)
    assert room.resource(app)["metadata"]["finalizers"]
    assert ready_row(room, app)["reason"] == "ClusterNotFound"
    room.edit(app, {"spec": {"suspend": True}})
    await room.settle(30)
    assert [event.reason for event in room.told][-1] == "ObjectsKept"
    assert not room.resource(app)["metadata"].get("finalizers")
    sites.cancel()
