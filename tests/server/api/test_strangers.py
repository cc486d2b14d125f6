"""Whoever says not who they are fills no audit log."""

from __future__ import annotations

from tests.server.api.support import serving
from tests.server.api.test_dispatch import SYNC, Handlers, as_, table
from trueup.server.api.strangers import REMEMBERED, WINDOW, Strangers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_of_one_address_so_many_a_minute_are_told_and_then_how_many_were_not() -> None:
    clock = Clock()
    strangers = Strangers(each=2, together=100, clock=clock)
    assert [strangers.admit("198.51.100.7") for _ in range(5)] == [0, 0, None, None, None]
    assert strangers.admit("198.51.100.8") == 0, "another address has its own"
    clock.now += WINDOW
    assert [strangers.admit("198.51.100.7") for _ in range(3)] == [3, 0, None]


def test_a_network_of_addresses_is_one_and_many_networks_are_bounded_together() -> None:
    strangers = Strangers(each=2, together=10, clock=Clock())
    told = [strangers.admit(f"2001:db8:0:1::{number:x}") for number in range(10)]
    assert told.count(0) == 2
    told = [strangers.admit(f"198.51.{number // 250}.{number % 250}") for number in range(REMEMBERED + 500)]
    assert told.count(0) == 8
    assert len(strangers) == REMEMBERED


async def test_a_flood_of_calls_without_a_login_leaves_few_entries_and_hides_nobody_elses() -> None:
    async with serving(table(Handlers())) as served:
        served.api.strangers = Strangers(each=3)
        for _ in range(20):
            async with served.client.post(SYNC) as answer:
                assert answer.status == 401
        async with served.client.post(SYNC, headers=as_("alice")) as answer:
            assert answer.status == 202
        told = [(entry.caller.person.name, entry.result) for entry in served.diary.entries]
        assert told == [*[("", "refused")] * 3, ("alice", "succeeded")]
        assert served.diary.entries[0].target == SYNC, "what was meant, as far as anybody knows"
