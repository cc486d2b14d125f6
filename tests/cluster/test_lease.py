"""Leadership: on virtual time, with a store in memory that keeps the API's one promise, optimistic concurrency."""

# ruff: noqa: PT012, ASYNC110  (what is raised comes out of the whole block; conditions have no event of their own)
from __future__ import annotations

import asyncio
import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trueup.cluster.election import LeaseTiming
from trueup.cluster.lease import Lease, Term
from trueup.model.apierror import ApiError, ClusterUnreachable, LeaseLost
from trueup.model.manifest import Manifest

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class MemoryLeases:
    """One Lease. `down`: nothing answers; `hang`: answers never come; `lose_answers`: writes happen, their answers are lost."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.down = self.hang = self.lose_answers = False
        self.writes: list[tuple[float, str]] = []
        self._version = 0

    async def _reach(self) -> None:
        await asyncio.sleep(0.01)
        if self.hang:
            await asyncio.Event().wait()
        if self.down:
            raise ClusterUnreachable("connection refused")

    async def read(self, name: str, namespace: str) -> Manifest | None:
        await self._reach()
        return copy.deepcopy(self.lease)

    async def create(self, lease: Manifest) -> Manifest:
        await self._reach()
        if self.lease is not None:
            raise ApiError(409, "AlreadyExists", "it exists")
        return self._store(lease)

    async def replace(self, lease: Manifest) -> Manifest:
        await self._reach()
        if self.lease is None:
            raise ApiError(404, "NotFound", "it is gone", details={"name": "x"})
        if lease["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self._store(lease)

    def _store(self, lease: Manifest) -> Manifest:
        self._version += 1
        self.lease = copy.deepcopy(lease)
        self.lease["metadata"]["resourceVersion"] = str(self._version)
        self.writes.append((asyncio.get_running_loop().time(), lease["spec"]["holderIdentity"]))
        if self.lose_answers:
            raise ClusterUnreachable("connection reset")
        return copy.deepcopy(self.lease)

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


def candidate(store: MemoryLeases, identity: str, **options: Any) -> Lease:
    options.setdefault("clock", asyncio.get_running_loop().time)
    return Lease(store, "trueup", "trueup-system", identity, chance=lambda: 0.5, **options)


async def wait_for(condition: Any, within: float = 120) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.05)


async def test_the_first_to_come_holds_it_at_once_and_renews_every_ten_seconds() -> None:
    store = MemoryLeases()
    async with candidate(store, "a").hold() as term:
        assert term.is_held()
        await asyncio.sleep(35)
        term.check()
    assert [round(at) for at, _ in store.writes] == [0, 10, 20, 30, 35]
    assert store.lease is not None
    assert store.lease["spec"]["leaseDurationSeconds"] == 1


async def test_a_clean_end_gives_it_back_and_the_next_one_need_not_wait_for_it_to_run_out() -> None:
    store = MemoryLeases()
    second = candidate(store, "b")
    got = asyncio.Event()

    async def wait_in_line() -> None:
        async with second.hold():
            got.set()
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as group:
        async with candidate(store, "a").hold():
            group.create_task(wait_in_line())
            await asyncio.sleep(12)
            assert not got.is_set()
        left = asyncio.get_running_loop().time()
        await got.wait()
        assert asyncio.get_running_loop().time() - left < 7


async def test_a_dead_holder_is_followed_thirty_seconds_after_its_last_renewal_was_seen() -> None:
    store = MemoryLeases()
    dead = asyncio.create_task(hold_for_ever(candidate(store, "a")))
    await wait_for(lambda: store.holder == "a")
    store.hang, moment = True, asyncio.get_running_loop().time()
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)
    store.hang = False
    async with candidate(store, "b").hold():
        waited = asyncio.get_running_loop().time() - moment
    assert 30 <= waited < 45
    assert store.lease is not None
    assert store.lease["spec"]["leaseTransitions"] == 2 - 1


async def hold_for_ever(lease: Lease) -> None:
    async with lease.hold():
        await asyncio.Event().wait()


async def test_clocks_of_other_machines_do_not_matter() -> None:
    store = MemoryLeases()
    hours_ahead = candidate(store, "a", wall=lambda: datetime.now(UTC) + timedelta(hours=5))
    hours_behind = candidate(store, "b", wall=lambda: datetime.now(UTC) - timedelta(hours=5))
    other = asyncio.create_task(hold_for_ever(hours_behind))
    try:
        async with hours_ahead.hold() as term:
            await asyncio.sleep(200)
            term.check()
            assert store.holder == "a"
    finally:
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)


async def test_when_renewals_fail_the_block_is_cancelled_before_another_may_take_over() -> None:
    store = MemoryLeases()
    cancelled_at = 0.0
    with pytest.raises(LeaseLost, match="not renewed in time"):
        async with candidate(store, "a").hold() as term:
            store.down = True
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled_at = asyncio.get_running_loop().time()
                assert not term.is_held()
                raise
    assert 24 < cancelled_at < 26
    assert [holder for _, holder in store.writes] == ["a"]


async def test_a_server_that_hangs_is_the_same_as_one_that_is_down() -> None:
    store = MemoryLeases()
    with pytest.raises(LeaseLost):
        async with candidate(store, "a").hold():
            store.hang = True
            await asyncio.Event().wait()
    assert 24 < asyncio.get_running_loop().time() < 32


async def test_renewals_that_fail_for_a_while_cost_nothing() -> None:
    store = MemoryLeases()
    async with candidate(store, "a").hold() as term:
        await asyncio.sleep(9)
        store.down = True
        await asyncio.sleep(12)
        store.down = False
        await asyncio.sleep(60)
        term.check()


async def test_a_process_that_was_stopped_for_a_minute_writes_nothing_when_it_goes_on() -> None:
    store = MemoryLeases()
    stopped_for = 0.0
    loop = asyncio.get_running_loop()
    lease = candidate(store, "a", clock=lambda: loop.time() + stopped_for)
    with pytest.raises(LeaseLost):
        async with lease.hold() as term:
            await asyncio.sleep(1)
            stopped_for = 60.0
            # The very next step of the program, before any timer of the loop has had its turn:
            with pytest.raises(LeaseLost):
                term.check()
            await asyncio.sleep(40)
    assert [holder for _, holder in store.writes] == ["a"]


async def test_a_term_that_is_over_stays_over_when_the_lease_is_won_again() -> None:
    store = MemoryLeases()
    lease = candidate(store, "a")
    terms: list[Term] = []
    for _ in range(2):
        async with lease.hold() as term:
            terms.append(term)
            assert lease.guard() is term
    with pytest.raises(LeaseLost):
        terms[0].check()
    with pytest.raises(LeaseLost, match="does not hold"):
        lease.guard()


async def test_a_lost_answer_of_a_renewal_does_not_lose_the_lease() -> None:
    store = MemoryLeases()
    async with candidate(store, "a").hold() as term:
        await asyncio.sleep(9)
        store.lose_answers = True
        await asyncio.sleep(5)
        store.lose_answers = False
        await asyncio.sleep(40)
        term.check()
        assert store.holder == "a"


async def test_someone_who_takes_the_lease_by_force_ends_the_term() -> None:
    store = MemoryLeases()
    with pytest.raises(LeaseLost, match="intruder holds it now"):
        async with candidate(store, "a").hold():
            assert store.lease is not None
            store.lease["spec"]["holderIdentity"] = "intruder"
            store.lease["metadata"]["resourceVersion"] = "900"
            await asyncio.Event().wait()
    assert store.holder == "intruder"


async def test_a_lease_that_was_deleted_is_made_again_by_its_holder() -> None:
    store = MemoryLeases()
    async with candidate(store, "a").hold() as term:
        store.lease = None
        await asyncio.sleep(45)
        term.check()
        assert store.holder == "a"


async def test_the_same_identity_takes_over_without_waiting() -> None:
    store = MemoryLeases()
    await store.create(
        {
            "metadata": {"name": "trueup"},
            "spec": {"holderIdentity": "pod-1", "leaseDurationSeconds": 30, "leaseTransitions": 3},
        }
    )
    async with candidate(store, "pod-1").hold():
        assert asyncio.get_running_loop().time() < 1
        assert store.lease is not None
        assert store.lease["spec"]["leaseTransitions"] == 3


async def test_an_error_of_the_block_passes_through_and_the_lease_is_given_back() -> None:
    store = MemoryLeases()
    with pytest.raises(ZeroDivisionError):
        async with candidate(store, "a").hold():
            raise ZeroDivisionError
    assert store.holder == ""


async def test_a_timeout_of_the_block_is_not_taken_for_a_lost_lease() -> None:
    store = MemoryLeases()
    with pytest.raises(TimeoutError):
        async with candidate(store, "a").hold():
            async with asyncio.timeout(1):
                await asyncio.Event().wait()


async def test_of_many_candidates_never_two_hold_it_at_once() -> None:
    store = MemoryLeases()
    holding: set[str] = set()
    most = 0

    async def compete(name: str, seconds: float) -> None:
        nonlocal most
        lease = candidate(store, name, timing=LeaseTiming(look_every=1))
        async with lease.hold() as term:
            holding.add(name)
            most = max(most, len(holding))
            await asyncio.sleep(seconds)
            term.check()
            holding.remove(name)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(compete(f"c{number}", 3 + 7 * number))
    assert most == 1
