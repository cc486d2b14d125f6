"""Who asks too fast waits, and nobody else does; why somebody changes something is told in one line."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import structs

from tests.server.api.support import serving
from tests.server.api.test_dispatch import SYNC, Handlers, as_, table
from trueup.server.api.caller import NOBODY
from trueup.server.api.proxies import behind, per_client
from trueup.server.api.rates import REMEMBERED, SHARED, Rates
from trueup.server.api.refusals import TooMany
from trueup.server.api.streaming import Streams
from trueup.server.api.why import HEADER, LONGEST, joined, why_of
from trueup.server.identity.reach import holder


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_emptied_at_once_and_filled_as_time_goes_by() -> None:
    clock = Clock()
    rates = Rates(2, seconds=2, clock=clock)
    assert [rates.wait("198.41.0.4") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rates.wait("198.41.0.5") == 0, "each has its own"
    clock.now += 0.5
    assert [rates.wait("198.41.0.4"), rates.wait("198.41.0.4")] == [0, 0.5]
    clock.now += 3600
    assert [rates.wait("198.41.0.4") for _ in range(5)].count(0) == 4, "no more than a bucket holds"


def test_everybody_behind_an_address_of_a_private_network_shares_a_larger_one_and_memory_is_bounded() -> None:
    rates = Rates(1, seconds=1, clock=Clock())
    assert [rates.wait("10.0.0.1") for _ in range(SHARED + 1)].count(0) == SHARED
    for number in range(REMEMBERED + 100):
        rates.wait(f"198.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(rates) == REMEMBERED
    assert [Rates(0).wait("198.41.0.4") for _ in range(10_000)].count(0) == 10_000


async def test_who_asks_too_fast_is_told_when_to_come_again() -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    rates = Rates(1, seconds=2, clock=Clock())
    app = web.Application(middlewares=[per_client(behind(["127.0.0.1"]), 100, rates)])
    app.router.add_get("/api/v1/hello", hello)
    async with TestClient(TestServer(app)) as client:
        sent = [{"X-Forwarded-For": "198.41.0.4"}] * 3 + [{"X-Forwarded-For": "2a01:4f8:1:2::1"}]
        answers = [await client.get("/api/v1/hello", headers=headers) for headers in sent]
        assert [one.status for one in answers] == [200, 200, 429, 200]
        assert answers[2].headers["Retry-After"] == "1"
        assert "too fast" in (await answers[2].json())["message"]


def test_streams_of_nobody_are_counted_by_who_has_the_address() -> None:
    streams = Streams(most_per_person=1)
    with streams.one_more(structs.replace(NOBODY, address="2a01:4f8:1:2::1")):
        with pytest.raises(TooMany), streams.one_more(structs.replace(NOBODY, address="2a01:4f8:1:2::2")):
            raise AssertionError("one network is one")
        with streams.one_more(structs.replace(NOBODY, address="2a01:4f8:1:3::1")):
            assert streams.total == 2
    assert holder("unknown" * 1000) == ("unknown" * 10)[:64]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("after the fair", "after the fair"),
        ("%E0%B8%AB%E0%B8%A5%E0%B8%B1%E0%B8%87", "\u0e2b\u0e25\u0e31\u0e07"),
        ("a%0d%0ab%1b[31m", "a b [31m"),
        ("%ff", "\ufffd"),
        ("x" * 9000, "x" * LONGEST),
        ("", ""),
    ],
)
def test_why_is_one_line_that_nothing_breaks(given: str, why: str) -> None:
    assert why_of({HEADER: given}) == why
    assert joined(why, "") == why
    assert joined("", "told") == "told"


async def test_every_change_may_say_why() -> None:
    async with serving(table(Handlers())) as served:
        async with served.client.post(SYNC, headers=as_("alice", **{HEADER: "ticket%204711"})) as answer:
            assert answer.status == 202
        async with served.client.post(SYNC, headers=as_("bob", **{HEADER: "let me"})) as answer:
            assert answer.status == 403
        first, second = served.diary.entries
        assert first.message == "ticket 4711; because"
        assert second.message.startswith("let me; bob may not")
