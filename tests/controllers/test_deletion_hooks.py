"""The hooks of a deletion: what runs before the objects go and after, what stops it, and what is left."""

from __future__ import annotations

import pytest

from tests.controllers.room import Room
from tests.controllers.test_stepping import APP, SETTINGS, application, ends, job, job_ref, requests, synced
from tests.sync.world import config_map
from trueup.model.manifest import Manifest

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

CASCADE = "resources-finalizer.argocd.argoproj.io"
PRE = "pre-delete-finalizer.argocd.argoproj.io"
POST = "post-delete-finalizer.argocd.argoproj.io"


async def deployed(*objects: Manifest) -> Room:
    room = Room()
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    room.cluster.put({**crd, "metadata": {"name": "applications.argoproj.io"}}, manager="install")
    room.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}, manager="install")
    app = application()
    room.put(app | {"metadata": {**app["metadata"], "finalizers": [CASCADE]}})
    await room.settle()
    await synced(*objects, room=room)
    return room


def delete(room: Room) -> None:
    room.edit(APP, {"metadata": {"deletionTimestamp": "2026-11-23T08:00:00Z"}})


def finalizers(room: Room) -> list[str]:
    found: list[str] = room.resource(APP)["metadata"].get("finalizers") or []
    return found


async def test_the_application_waits_for_its_hooks_by_argo_cds_finalizers_as_soon_as_they_are_declared() -> None:
    room = await deployed(job("save", "PreDelete"), job("tidy", "PostDelete"), config_map())
    assert finalizers(room) == [CASCADE, PRE, POST, f"{POST}/cleanup"]
    assert requests(room, "apply") == ["settings"]

    await synced(config_map(), commit="b", room=room)
    assert finalizers(room) == [CASCADE]


async def test_one_hook_runs_before_the_objects_go_and_one_after() -> None:
    room = await deployed(job("save", "PreDelete"), job("tidy", "PostDelete", policy="HookSucceeded"), config_map())
    delete(room)
    await room.settle()
    assert job_ref("save") in room.cluster.objects
    assert SETTINGS in room.cluster.objects
    await room.settle(60)
    assert SETTINGS in room.cluster.objects

    ends(room, job_ref("save"))
    await room.settle(3)
    assert SETTINGS not in room.cluster.objects
    await room.settle(3)
    assert finalizers(room) == [POST, f"{POST}/cleanup"]
    assert job_ref("tidy") in room.cluster.objects

    ends(room, job_ref("tidy"))
    await room.settle(3)
    assert finalizers(room) == []
    assert job_ref("tidy") not in room.cluster.objects


async def test_a_hook_before_the_deletion_that_fails_deletes_nothing_until_it_has_run_well() -> None:
    room = await deployed(job("save", "PreDelete"), config_map())
    delete(room)
    await room.settle()
    ends(room, job_ref("save"), "Failed", "no space for the backup")
    await room.settle(30)
    assert SETTINGS in room.cluster.objects
    assert PRE in finalizers(room)
    (row,) = room.resource(APP)["status"]["conditions"]
    assert row["type"] == "DeletionError"
    assert "no space for the backup" in row["message"]

    room.cluster.remove(job_ref("save"))
    await room.settle(30)
    ends(room, job_ref("save"))
    await room.settle(30)
    assert SETTINGS not in room.cluster.objects
    assert finalizers(room) == []


async def test_a_hook_after_the_deletion_that_fails_keeps_nothing_back() -> None:
    room = await deployed(job("tidy", "PostDelete", policy="HookFailed"), config_map())
    delete(room)
    await room.settle(3)
    ends(room, job_ref("tidy"), "Failed", "no")
    await room.settle(6)
    assert finalizers(room) == []
    assert job_ref("tidy") not in room.cluster.objects


async def test_what_the_hooks_of_syncs_left_goes_with_the_objects() -> None:
    room = await deployed(job("migrate", "PreSync"), config_map())
    ends(room, job_ref("migrate"))
    await room.settle(31)
    assert job_ref("migrate") in room.cluster.objects
    delete(room)
    await room.settle(6)
    assert job_ref("migrate") not in room.cluster.objects
    assert SETTINGS not in room.cluster.objects
    assert finalizers(room) == []


async def test_a_deletion_that_asks_for_approval_waits_for_one_that_is_younger_than_itself() -> None:
    kept = config_map()
    kept["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Delete=confirm"}
    room = await deployed(kept)
    room.edit(APP, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": "2026-11-23T07:59:00Z"}}})
    delete(room)
    await room.settle(60)
    assert SETTINGS in room.cluster.objects
    (row,) = room.resource(APP)["status"]["conditions"]
    assert row["type"] == "DeletionError"
    assert "waiting for somebody to approve of deleting ConfigMap/shop/settings" in row["message"]

    room.edit(APP, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": "2026-11-23T08:00:00Z"}}})
    await room.settle(15)
    assert SETTINGS not in room.cluster.objects
    assert finalizers(room) == []
