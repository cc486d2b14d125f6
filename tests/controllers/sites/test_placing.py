"""Apps that come to another cluster: what of them is remembered, looked at and deleted there. On virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.room import Commit, Room
from tests.controllers.test_looks import SETTINGS, kustomization
from tests.sync.world import config_map
from trueup.controllers.apps import AppController
from trueup.controllers.memory import AppMemory
from trueup.controllers.sites.placing import forget_cluster
from trueup.model.refs import ObjectRef
from trueup.model.releasestate import Attempt, Mark, ReleaseState

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

DELETED = {"metadata": {"deletionTimestamp": "2026-11-23T07:00:00Z"}}
THERE = {"spec": {"kubeConfig": {"secretRef": {"name": "there"}}}}


async def synced(room: Room) -> ObjectRef:
    app = room.put(kustomization())
    await room.settle()
    room.renders["./app"] = [config_map(colour="blue")]
    await room.push(app, Commit("a"))
    await room.settle()
    assert room.memories[app].saved.cluster == "home"
    assert room.managed.claimed_by(SETTINGS) == app
    return app


def restarted(room: Room, app: ObjectRef) -> None:
    """As from the state folder."""
    room.memories[app] = AppMemory.restore(app, room.memories[app].to_bytes())
    room.apps = AppController(room._shell)
    room.apps.restore(app, room.resource(app))


async def test_an_app_for_another_cluster_is_looked_at_in_ours_no_longer() -> None:
    room = Room()
    app = await synced(room)
    room.edit(app, THERE)
    await room.settle()
    assert room.managed.claimed_by(SETTINGS) is None
    assert room.memories[app].saved.inventory.refs == {SETTINGS}  # it may yet be a kubeconfig of this very cluster


@pytest.mark.parametrize("patch", [DELETED, {"spec": {"path": "./other"}}])
async def test_what_the_status_tells_of_another_cluster_is_not_deleted_here_after_a_restart_either(
    patch: dict[str, Any],
) -> None:
    room = Room()
    app = await synced(room)
    # The status is of another cluster, and the process ends between noting that and telling it.
    forget_cluster(room.memories[app])
    room.edit(app, patch)
    restarted(room, app)
    await room.push(app, Commit("b"))
    await room.settle()
    assert SETTINGS in room.cluster.objects
    assert room.memories[app].saved.inventory.refs == set()


async def test_what_is_told_anew_counts_again_after_a_restart() -> None:
    room = Room()
    app = await synced(room)
    room.memories[app].saved.cluster = "another"
    room.memories[app].content_stale = True
    await room.push(app, Commit("b"))
    await room.settle()
    assert "its 1 objects in the cluster that it left live on" in room.told[-2].message + room.told[-1].message
    memory = room.memories[app]
    assert not memory.saved.moved
    assert memory.saved.inventory.refs == {SETTINGS}
    memory.saved.inventory = type(memory.saved.inventory)()  # lost
    restarted(room, app)
    assert room.memories[app].saved.inventory.refs == {SETTINGS}


async def test_a_release_of_another_cluster_is_forgotten_with_it() -> None:
    memory = AppMemory(ObjectRef("helm.toolkit.fluxcd.io", "HelmRelease", "shop", "web"))
    memory.release = ReleaseState(
        attempt=Attempt(generation=3, action="upgrade"),
        failures=2,
        storage_namespace="shop",
        released=Mark(True, "UpgradeSucceeded", "done"),
        handled_force="t1",
        chart_object="shop/shop-web",
    )
    forget_cluster(memory)
    assert memory.release == ReleaseState(handled_force="t1", chart_object="shop/shop-web")
