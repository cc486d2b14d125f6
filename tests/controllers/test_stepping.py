"""Applications with hooks and waves, look by look, on virtual time: what runs when, what is said, what survives a restart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.room import Commit, Room
from tests.controllers.test_looks import application as any_application
from tests.sync.world import config_map, deployment
from trueup.controllers.memory import AppMemory
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

APP = ObjectRef("argoproj.io", "Application", "argocd", "app")
SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
FINALIZER = "argocd.argoproj.io/hook-finalizer"
UPDATER = "job-controller"


def application(*, prune: bool = False, automated: bool = True, **more: Any) -> Manifest:
    """It syncs by itself, and tries nothing again."""
    policy = {"automated": {"prune": prune}, "retry": {"limit": 0}} if automated else {}
    found = any_application(**more)
    return found | {"spec": found["spec"] | {"syncPolicy": policy}}


def job(name: str, hook: str = "PreSync", *, wave: int = 0, policy: str = "", **metadata: Any) -> Manifest:
    annotations = {"argocd.argoproj.io/hook": hook, "argocd.argoproj.io/sync-wave": str(wave)}
    if policy:
        annotations["argocd.argoproj.io/hook-delete-policy"] = policy
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "run", "image": "run:1"}]}}
    named = {"name": name} if name else {}
    metadata = {**named, "annotations": annotations, **metadata}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}


def in_wave(manifest: Manifest, wave: int) -> Manifest:
    annotations = {"argocd.argoproj.io/sync-wave": str(wave)}
    return manifest | {"metadata": {**manifest["metadata"], "annotations": annotations}}


def job_ref(name: str) -> ObjectRef:
    return ObjectRef("batch", "Job", "shop", name)


def ends(room: Room, ref: ObjectRef, type_: str = "Complete", message: str = "") -> None:
    """What the Job controller says of it."""

    def change(obj: Manifest) -> None:
        obj["status"] = {"conditions": [{"type": type_, "status": "True", "message": message}]}

    room.cluster.update(ref, change, manager=UPDATER, subresource="status")


def rolled_out(room: Room, ref: ObjectRef) -> None:
    def change(obj: Manifest) -> None:
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
        obj["status"] = {"observedGeneration": obj["metadata"]["generation"], **counts}

    room.cluster.update(ref, change, manager="deployment-controller", subresource="status")


def phase(room: Room) -> str:
    found: str = room.resource(APP)["status"]["operationState"]["phase"]
    return found


def results(room: Room) -> dict[str, dict[str, Any]]:
    state = room.resource(APP)["status"]["operationState"]
    return {f"{row['name']}/{row['syncPhase']}": row for row in state["syncResult"]["resources"]}


def requests(room: Room, verb: str) -> list[str]:
    return [ref.name for what, ref in room.cluster.requests if what == verb]


async def synced(*objects: Manifest, commit: str = "a", room: Room | None = None) -> Room:
    """An Application whose commit declares these objects, as far as it comes by itself."""
    if room is None:
        room = Room()
        room.put(application())
        await room.settle()
    room.renders["app"] = list(objects)
    if APP in room.memories:
        room.memories[APP].content_stale = True
    await room.push(APP, Commit(commit))
    await room.settle()
    return room


async def test_nothing_is_applied_until_the_presync_hook_has_ended_well() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))

    assert job_ref("migrate") in room.cluster.objects
    assert SETTINGS not in room.cluster.objects
    assert phase(room) == "Running"
    state = room.resource(APP)["status"]["operationState"]
    assert state["message"] == "waiting for completion of hook batch/Job/migrate"
    row = results(room)["migrate/PreSync"]
    assert (row["hookType"], row["hookPhase"], row["syncPhase"]) == ("PreSync", "Running", "PreSync")

    ends(room, job_ref("migrate"), message="done")
    await room.settle(31)

    assert SETTINGS in room.cluster.objects
    assert phase(room) == "Succeeded"
    assert results(room)["migrate/PreSync"]["hookPhase"] == "Succeeded"
    assert results(room)["settings/Sync"]["status"] == "Synced"
    assert room.resource(APP)["status"]["sync"]["status"] == "Synced"


async def test_a_hook_is_nobodys_inventory_and_no_difference() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    ends(room, job_ref("migrate"))
    await room.settle(31)

    rows = {row["name"]: row for row in room.resource(APP)["status"]["resources"]}
    assert rows["migrate"]["hook"] is True
    assert "status" not in rows["migrate"]
    assert [entry.ref for entry in room.memories[APP].saved.inventory.entries] == [SETTINGS]
    assert room.resource(APP)["status"]["health"]["status"] == "Healthy"
    room.cluster.remove(job_ref("migrate"))
    await room.settle(120)
    assert job_ref("migrate") not in room.cluster.objects


async def test_a_hook_that_fails_ends_the_sync_before_anything_is_applied_and_says_why() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    ends(room, job_ref("migrate"), "Failed", "Job has reached the specified backoff limit")
    await room.settle(31)

    assert SETTINGS not in room.cluster.objects
    assert phase(room) == "Failed"
    message = room.resource(APP)["status"]["operationState"]["message"]
    assert "Job has reached the specified backoff limit" in message
    assert "one or more synchronization tasks completed unsuccessfully" in message
    assert results(room)["migrate/PreSync"]["hookPhase"] == "Failed"
    assert room.resource(APP)["status"]["sync"]["status"] == "OutOfSync"


async def test_syncfail_hooks_run_when_the_sync_has_failed_and_only_then() -> None:
    room = await synced(job("migrate"), job("mourn", "SyncFail"), config_map(colour="blue"))
    assert job_ref("mourn") not in room.cluster.objects
    ends(room, job_ref("migrate"), "Failed", "no")
    await room.settle(31)
    assert job_ref("mourn") in room.cluster.objects
    assert phase(room) == "Running"
    ends(room, job_ref("mourn"))
    await room.settle(31)
    assert phase(room) == "Failed"
    assert results(room)["mourn/SyncFail"]["hookPhase"] == "Succeeded"
    assert SETTINGS not in room.cluster.objects

    calm = await synced(job("mourn", "SyncFail"), config_map(colour="blue"))
    await calm.settle(120)
    assert phase(calm) == "Succeeded"
    assert job_ref("mourn") not in calm.cluster.objects


async def test_postsync_hooks_wait_for_the_health_of_what_was_applied() -> None:
    room = await synced(deployment(), job("smoke", "PostSync"))
    assert WEB in room.cluster.objects
    assert job_ref("smoke") not in room.cluster.objects
    state = room.resource(APP)["status"]["operationState"]
    assert state["message"] == "waiting for healthy state of apps/Deployment/web"
    rolled_out(room, WEB)
    await room.settle(31)
    assert job_ref("smoke") in room.cluster.objects
    assert results(room)["web/Sync"]["hookPhase"] == "Succeeded"
    ends(room, job_ref("smoke"))
    await room.settle(31)
    assert phase(room) == "Succeeded"


async def test_waves_go_one_after_another_and_the_last_one_is_not_waited_for() -> None:
    last = in_wave(deployment("last"), 5)
    room = await synced(in_wave(deployment(), -1), config_map(colour="blue"), last)
    assert requests(room, "apply") == ["web"]
    rolled_out(room, WEB)
    await room.settle(31)
    assert requests(room, "apply") == ["web", "settings", "last"]
    assert phase(room) == "Succeeded"
    assert room.resource(APP)["status"]["health"]["status"] == "Progressing"


async def test_a_degraded_wave_ends_the_sync() -> None:
    room = await synced(in_wave(deployment(), -1), config_map(colour="blue"))

    def stuck(obj: Manifest) -> None:
        row = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        obj["status"] = {"observedGeneration": 1, "conditions": [row]}

    room.cluster.update(WEB, stuck, manager="deployment-controller", subresource="status")
    await room.settle(31)
    assert phase(room) == "Failed"
    assert SETTINGS not in room.cluster.objects
    assert (
        "Deployment/shop/web: Progress deadline exceeded" in room.resource(APP)["status"]["operationState"]["message"]
    )


async def test_a_newer_commit_takes_over_from_a_wave_that_does_not_become_well() -> None:
    room = await synced(in_wave(deployment(image="bad"), -1), config_map(colour="blue"))
    await synced(config_map(colour="green"), commit="b", room=room)
    assert phase(room) == "Succeeded"
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "green"}


async def test_a_newer_commit_waits_for_a_hook_that_runs() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    await synced(job("migrate"), config_map(colour="green"), commit="b", room=room)
    assert requests(room, "apply") == ["migrate"]
    assert requests(room, "delete") == []
    ends(room, job_ref("migrate"))
    await room.settle(31)
    assert requests(room, "delete") == ["migrate"]
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "blue"}
    await room.settle(31)
    assert requests(room, "apply") == ["migrate", "settings", "migrate"]
    ends(room, job_ref("migrate"))
    await room.settle(31)
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "green"}


async def test_hooks_do_not_run_again_when_nothing_is_to_be_synced() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    ends(room, job_ref("migrate"))
    await room.settle(31)
    applies = len(requests(room, "apply"))
    await synced(job("migrate"), config_map(colour="blue"), commit="b", room=room)
    await room.settle(120)
    assert len(requests(room, "apply")) == applies


async def test_the_finalizer_that_keeps_a_hook_goes_once_its_end_has_been_seen() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    assert room.cluster.objects[job_ref("migrate")]["metadata"]["finalizers"] == [FINALIZER]
    ends(room, job_ref("migrate"))
    await room.settle(31)
    assert not room.cluster.objects[job_ref("migrate")]["metadata"].get("finalizers")


@pytest.mark.parametrize(("policy", "result", "left"), [
    ("HookSucceeded", "Complete", False),
    ("HookSucceeded", "Failed", True),
    ("HookFailed", "Failed", False),
    ("HookFailed", "Complete", True),
    ("BeforeHookCreation", "Complete", True),
    ("", "Failed", True),
    ("HookSucceeded,HookFailed", "Failed", False),
])  # fmt: skip
async def test_a_hook_is_deleted_as_its_policy_says(policy: str, result: str, left: bool) -> None:
    room = await synced(job("migrate", policy=policy), config_map(colour="blue"))
    ends(room, job_ref("migrate"), result)
    await room.settle(31)
    assert (job_ref("migrate") in room.cluster.objects) is left


async def test_an_old_hook_makes_way_before_the_new_one_is_created() -> None:
    room = Room()
    room.cluster.put(job("migrate", namespace="shop", finalizers=["example.com/slow"]), manager="old")
    ends(room, job_ref("migrate"))
    room.put(application())
    await room.settle()
    await synced(job("migrate"), config_map(colour="blue"), room=room)
    assert requests(room, "apply") == []
    assert room.resource(APP)["status"]["operationState"]["message"] == "waiting for deletion of batch/Job/migrate"
    room.cluster.remove(job_ref("migrate"))
    await room.settle(31)
    assert requests(room, "apply") == ["migrate"]
    assert SETTINGS not in room.cluster.objects


async def test_a_hook_without_a_name_gets_one_for_each_sync() -> None:
    room = await synced(job("", generateName="migrate-"), config_map(colour="blue"))
    (ref,) = (ref for ref in room.cluster.objects if ref.kind == "Job")
    assert ref.name.startswith("migrate-aaaaaaa-presync-")
    ends(room, ref)
    await room.settle(31)
    assert phase(room) == "Succeeded"


@pytest.mark.parametrize("lost", [False, True], ids=["with the state folder", "with the status alone"])
async def test_a_restart_in_the_middle_goes_on_and_runs_no_hook_twice(lost: bool) -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    saved = b"" if lost else room.memories[APP].to_bytes()
    again = Room()
    again.cluster = room.cluster
    rebuilt(again, room, saved)
    again.renders = room.renders
    await again.settle()
    await again.push(APP, Commit("a"))
    await again.settle(31)
    assert requests(again, "apply") == ["migrate"]
    assert requests(again, "delete") == []
    ends(again, job_ref("migrate"))
    await again.settle(31)
    assert requests(again, "apply") == ["migrate", "settings"]
    assert phase(again) == "Succeeded"
    assert len(again.resource(APP)["status"]["history"]) == 1, "it is one sync, however often it was interrupted"


def rebuilt(room: Room, before: Room, saved: bytes) -> None:
    """The controller of another process, which finds the state folder and the same cluster."""
    shell, room._version = room.apps._shell, before._version
    shell.control = room.cluster.client("trueup")
    if saved:
        room.memories[APP] = AppMemory.restore(APP, saved)
    room.resources.put(before.resource(APP))
    room.apps.restore(APP, before.resource(APP))


async def test_a_restart_between_two_waves_runs_no_hook_again_though_the_state_folder_is_lost() -> None:
    room = await synced(job("migrate"), in_wave(deployment(), -1), config_map(colour="blue"))
    ends(room, job_ref("migrate"))
    await room.settle(31)
    assert requests(room, "apply") == ["migrate", "web"]
    again = Room()
    again.cluster = room.cluster
    rebuilt(again, room, b"")
    again.renders = room.renders
    await again.settle()
    await again.push(APP, Commit("a"))
    await again.settle(31)
    rolled_out(again, WEB)
    await again.settle(31)
    # What was applied before is not remembered, so it is sent once more in the end; the hook is not run again.
    assert requests(again, "apply") == ["migrate", "web", "settings", "web"]
    assert phase(again) == "Succeeded"


async def test_terminating_deletes_the_hook_that_runs_and_ends_the_sync() -> None:
    room = await synced(job("migrate"), config_map(colour="blue"))
    room.edit(APP, {"status": {"operationState": {"phase": "Terminating"}}})
    await room.settle()
    assert job_ref("migrate") not in room.cluster.objects
    assert SETTINGS not in room.cluster.objects
    state = room.resource(APP)["status"]["operationState"]
    assert (state["phase"], state["message"]) == ("Failed", "Operation terminated")
    assert results(room)["migrate/PreSync"]["message"] == "Deleted"


async def test_a_sync_of_single_objects_runs_no_hooks() -> None:
    room = Room()
    room.put(
        application(operation={"sync": {"resources": [{"kind": "ConfigMap", "name": "settings", "namespace": "shop"}]}})
    )
    await room.settle()
    await synced(job("migrate"), config_map(colour="blue"), config_map("other"), room=room)
    assert requests(room, "apply") == ["settings"]


async def test_a_sync_that_a_client_asks_for_runs_the_hooks_again_and_answers_at_its_end() -> None:
    room = await synced(job("migrate", policy="HookSucceeded"), config_map(colour="blue"))
    ends(room, job_ref("migrate"))
    await room.settle(31)
    room.edit(APP, {"operation": {"sync": {}, "initiatedBy": {"username": "somchai"}}})
    await room.settle()
    assert job_ref("migrate") in room.cluster.objects
    assert "operation" in room.resource(APP)
    ends(room, job_ref("migrate"))
    await room.settle(31)
    assert not room.resource(APP).get("operation")
    assert phase(room) == "Succeeded"
    assert requests(room, "apply") == ["migrate", "settings", "migrate", "settings"]


async def test_a_dry_run_runs_no_hooks() -> None:
    room = Room()
    room.put(application(automated=False, operation={"sync": {"dryRun": True}}))
    await room.settle()
    await synced(job("migrate"), config_map(colour="blue"), room=room)
    assert requests(room, "apply") == []
    assert phase(room) == "Succeeded"


async def test_a_prune_that_asks_for_approval_waits_for_it() -> None:
    kept = config_map("kept")
    kept["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Prune=confirm"}
    room = Room()
    room.put(application(prune=True))
    await room.settle()
    await synced(kept, config_map(colour="blue"), room=room)
    await synced(config_map(colour="blue"), commit="b", room=room)
    await room.settle(120)
    ref = ObjectRef("", "ConfigMap", "shop", "kept")
    assert ref in room.cluster.objects
    state = room.resource(APP)["status"]["operationState"]
    assert (state["phase"], state["message"]) == ("Running", "waiting for pruning confirmation of /ConfigMap/kept")
    now = room.clock().isoformat().replace("+00:00", "Z")
    room.edit(APP, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": now}}})
    await room.settle()
    assert ref not in room.cluster.objects
    assert phase(room) == "Succeeded"


async def test_objects_that_leave_git_are_pruned_in_the_mirrored_order_of_their_waves() -> None:
    room = Room()
    room.put(application(prune=True))
    await room.settle()
    await synced(in_wave(config_map("first"), 1), in_wave(config_map("second"), 2), config_map(), room=room)
    await room.settle(31)
    await synced(config_map(), commit="b", room=room)
    await room.settle(31)
    assert requests(room, "delete") == ["second", "first"]
    assert phase(room) == "Succeeded"


async def test_a_hook_that_the_server_refuses_ends_the_sync_with_its_words() -> None:
    room = Room()
    room.put(application())
    await room.settle()
    broken = job("migrate")
    broken["kind"] = "Jobb"
    await synced(broken, config_map(colour="blue"), room=room)
    assert phase(room) == "Failed"
    assert "one or more objects failed to apply" in room.resource(APP)["status"]["operationState"]["message"]
    assert results(room)["migrate/PreSync"]["status"] == "SyncFailed"
    assert SETTINGS not in room.cluster.objects


async def test_a_type_that_nobody_knows_is_told_and_tests_are_left_out() -> None:
    test = config_map("check")
    test["metadata"]["annotations"] = {"helm.sh/hook": "test"}
    room = await synced(job("migrate", "PreSink"), test, config_map(colour="blue"))
    assert requests(room, "apply") == ["settings"]
    (row,) = room.resource(APP)["status"]["conditions"]
    assert row["type"] == "ExcludedResourceWarning"
    assert "there is no hook type PreSink" in row["message"]
