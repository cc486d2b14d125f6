"""The live trees of one term: nothing is watched before somebody reads, and then only what is needed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from tests.controllers.trees.kit import POD, SET, SETTINGS, SHOP, WEB, below, facts
from trueup.apps.livetree import Delta, Hello, Reached, Ready, Tree, decode_frame
from trueup.controllers.memory import AppMemory
from trueup.controllers.trees.below import reduce_below
from trueup.controllers.trees.branch import AGAIN
from trueup.controllers.trees.feed import BREATH
from trueup.controllers.trees.kinds import CLAIM, JOB, REPLICA_SET, REVISION, SLICE, Watched, watched_for
from trueup.controllers.trees.kinds import POD as PODS
from trueup.controllers.trees.standing import standing_of
from trueup.controllers.trees.trees import Trees
from trueup.model.apierror import ApiError
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.outcome import State
from trueup.model.refs import GroupKind, ObjectRef
from trueup.sync.facts import Forecast

pytestmark = pytest.mark.looptime
START = datetime(2026, 11, 28, tzinfo=UTC)


class Watches:
    def __init__(self) -> None:
        self.followed: list[Watched] = []
        self.refused: dict[Watched, int] = {}

    async def follow(self, kind: Watched) -> None:
        self.followed.append(kind)
        if self.refused.get(kind, 0) > 0:
            self.refused[kind] -= 1
            raise ApiError(403, "Forbidden", f"{kind.kind} is forbidden")


class Rig:
    def __init__(self) -> None:
        entries = Inventory.of([InventoryEntry(WEB, "v1"), InventoryEntry(SETTINGS, "v1")])
        self.memories = {SHOP: AppMemory(SHOP)}
        self.memories[SHOP].saved.inventory = entries
        self.memories[SHOP].saved.state = State.READY
        self.watches = Watches()
        self.live = {WEB: facts(WEB, "web"), SETTINGS: facts(SETTINGS, "settings")}
        self.looks = 0
        self.trees = Trees(self.memories, self.clock)
        self.branch = self.trees.grow(self._facts, self.watches)

    def clock(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def _facts(self, refs: object) -> dict[ObjectRef, object]:
        self.looks += 1
        return {ref: self.live[ref] for ref in refs if ref in self.live}  # type: ignore[attr-defined]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    trees = made.trees
    tasks = [asyncio.create_task(work) for work in (trees.run(), made.branch.follow(), made.branch.foresee())]
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_without_a_reader_nothing_is_watched_and_events_end_at_once(rig: Rig) -> None:
    rig.branch.managed_seen(WEB, None, None, None)
    rig.trees.looked(SHOP)
    await asyncio.sleep(3600)
    assert (rig.watches.followed, rig.looks) == ([], 0)


async def test_the_first_reader_is_told_every_tree_and_what_its_kinds_own_is_watched(rig: Rig) -> None:
    async with contextlib.aclosing(rig.trees.lines()) as lines:
        hello, tree, ready = [decode_frame(line) for line in (await anext(lines)).splitlines()]
        await asyncio.sleep(1)
    assert isinstance(hello, Hello)
    assert isinstance(tree, Tree)
    assert {node.ref: node.sync for node in tree.nodes} == {WEB: "Synced", SETTINGS: "Synced"}
    assert isinstance(ready, Ready)
    assert set(rig.watches.followed) == {REPLICA_SET, PODS, CLAIM}


async def test_each_kind_is_watched_once_however_many_readers_and_objects_there_are(rig: Rig) -> None:
    for _ in range(5):
        async with contextlib.aclosing(rig.trees.lines()) as lines:
            await anext(lines)
    rig.trees.looked(SHOP)
    await asyncio.sleep(300)
    assert len(rig.watches.followed) == len(set(rig.watches.followed)) == 3


async def test_a_kind_that_may_not_be_watched_is_tried_again_later_and_holds_up_no_other(rig: Rig) -> None:
    rig.watches.refused = {PODS: 1}
    async with contextlib.aclosing(rig.trees.lines()) as lines:
        await anext(lines)
        await asyncio.sleep(1)
        assert rig.watches.followed.count(PODS) == 1
        assert CLAIM in rig.watches.followed
        await asyncio.sleep(AGAIN + 1)
        assert rig.watches.followed.count(PODS) == 2


async def test_a_storm_of_events_is_one_change_per_breath(rig: Rig) -> None:
    async with contextlib.aclosing(rig.trees.lines()) as lines:
        await anext(lines)
        rig.branch.below_seen(SET, None, below("set", "web"), None)
        await anext(lines)
        began = asyncio.get_running_loop().time()
        last = None
        for number in range(1000):
            after = below("pod", "set", version=str(number))
            rig.branch.below_seen(POD, last, after, None)
            last = after
        delta, reached = [decode_frame(line) for line in (await anext(lines)).splitlines()]
    assert isinstance(delta, Delta)
    assert [node.resource_version for node in delta.changed] == ["999"]
    assert isinstance(reached, Reached)
    assert asyncio.get_running_loop().time() - began <= BREATH


async def test_a_pod_that_cannot_be_scheduled_for_long_is_told_though_no_event_comes(rig: Rig) -> None:
    bad = Verdict(kstatus=Kstatus.FAILED, health=Health.DEGRADED, message="nobody takes it")
    waiting = structs.replace(below("pod", "set"), forecast=Forecast(START + timedelta(seconds=15), bad))
    async with contextlib.aclosing(rig.trees.lines()) as lines:
        await anext(lines)
        rig.branch.below_seen(SET, None, below("set", "web"), None)
        rig.branch.below_seen(POD, None, waiting, None)
        await anext(lines)
        while b"nobody takes it" not in await anext(lines):
            assert asyncio.get_running_loop().time() < 30
        assert 15 <= asyncio.get_running_loop().time() <= 15 + 2 * BREATH


async def test_a_look_that_ends_tells_how_objects_stand_now(rig: Rig) -> None:
    async with contextlib.aclosing(rig.trees.lines()) as lines:
        await anext(lines)
        rig.memories[SHOP].out_of_sync = {WEB}
        rig.trees.looked(SHOP)
        delta = decode_frame((await anext(lines)).splitlines()[0])
        assert isinstance(delta, Delta)
        assert [(node.ref, node.sync) for node in delta.changed] == [(WEB, "OutOfSync")]
        del rig.memories[SHOP]
        rig.trees.looked(SHOP)
        assert b'"gone"' in await anext(lines)


def test_only_kinds_that_may_hang_below_are_watched() -> None:
    assert watched_for([GroupKind("", "ConfigMap"), GroupKind("rbac.authorization.k8s.io", "Role")]) == frozenset()
    assert watched_for([GroupKind("", "Service")]) == {SLICE}
    assert watched_for([GroupKind("batch", "CronJob")]) == {JOB, PODS, CLAIM}
    assert watched_for([GroupKind("apps", "StatefulSet")]) == {PODS, CLAIM, REVISION}


def test_what_nobody_owns_is_not_kept() -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone", "namespace": "shop", "uid": "u"}}
    assert reduce_below(obj, datetime.now(UTC)) is None


def test_before_the_first_render_the_last_outcome_holds() -> None:
    memory = Rig().memories[SHOP]
    assert {one.sync for one in standing_of(memory).values()} == {"Synced"}
    memory.saved.state = State.RETRYING
    assert {one.sync for one in standing_of(memory).values()} == {"Unknown"}
    memory.desired = {}
    assert {one.sync for one in standing_of(memory).values()} == {"OutOfSync"}, "left over, to be pruned"
