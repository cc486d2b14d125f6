"""What a second call with a key is told, and the bounds of what a process remembers."""

from __future__ import annotations

import pytest

from trueup.records.claims import Claim, ClaimLimits, Ended, Known, State
from trueup.server.access.deciding import Person
from trueup.server.api.caller import Caller, Via
from trueup.server.api.idempotency import Idempotency, Kept
from trueup.server.api.memorykeys import MemoryKeys
from trueup.server.api.refusals import Impossible, TooMany, Unavailable

ALICE = Caller(person=Person(name="alice"), via=Via.TOKEN, issuer="argocd")
DONE = Ended(state=State.ANSWERED, status=200, body=b"{}")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_turned_key_of_the_server_makes_no_other_call_of_it() -> None:
    keying = [b"old" * 11]
    idempotency = Idempotency(MemoryKeys(), lambda: keying)
    claim = await idempotency.begin(ALICE, "k", b"POST /x", 60)
    assert isinstance(claim, Claim)
    await idempotency.keys.end(claim, DONE)
    keying.insert(0, b"new" * 11)
    assert await idempotency.begin(ALICE, "k", b"POST /x", 60) == Kept(200, b"{}", "")
    keying.pop()
    with pytest.raises(Impossible, match="another call"):
        await idempotency.begin(ALICE, "k", b"POST /x", 60)
    keying.clear()
    with pytest.raises(Unavailable):
        await idempotency.begin(ALICE, "other", b"POST /x", 60)


async def test_alice_of_another_provider_is_another_caller() -> None:
    idempotency = Idempotency(MemoryKeys(), lambda: [b"secret"])
    for issuer in ("argocd", "https://login.example.com"):
        caller = Caller(person=Person(name="alice"), via=Via.SESSION, issuer=issuer)
        assert isinstance(await idempotency.begin(caller, "k", b"POST /x", 60), Claim)


async def test_memory_has_bounds_and_forgets_after_a_day() -> None:
    clock = Clock()
    keys = MemoryKeys(clock, ClaimLimits(of_one=2, of_all=3, answer=100, answers=150))
    claims = [await keys.claim(b"a", bytes([number]), b"r", 60) for number in range(2)]
    with pytest.raises(TooMany):
        await keys.claim(b"a", b"k", b"r", 60)
    claims.append(await keys.claim(b"b", b"k", b"r", 60))
    with pytest.raises(TooMany):
        await keys.claim(b"c", b"k", b"r", 60)
    for claim in claims:
        assert isinstance(claim, Claim)
        await keys.end(claim, Ended(state=State.ANSWERED, status=200, body=b"x" * 80))
    states = []
    for claim in claims:
        assert isinstance(claim, Claim)
        found = await keys.claim(claim.caller, claim.key, b"r", 60)
        assert isinstance(found, Known)
        states.append(found.ended.state)
    assert states == [State.UNTOLD, State.UNTOLD, State.ANSWERED]
    clock.now = 24 * 3600.0
    assert isinstance(await keys.claim(b"a", b"k", b"r", 60), Claim)
    assert len(keys) == 1


async def test_in_memory_too_a_claim_that_nobody_ended_runs_out() -> None:
    clock = Clock()
    keys = MemoryKeys(clock)
    await keys.claim(b"a", b"k", b"r", 60)
    clock.now = 61
    found = await keys.claim(b"a", b"k", b"r", 60)
    assert isinstance(found, Known)
    assert (found.ended.state, found.left) == (State.RUNNING, -1)
