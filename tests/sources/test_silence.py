"""A host that hangs holds up one who asks, and not everybody."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from tests.sources.webserver import web_server
from trueup.sources.http import FetchTimeout, HttpFetcher, HttpLimits, Request
from trueup.sources.silence import SilentHosts


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_host_that_was_silent_is_left_alone_and_then_asked_by_one() -> None:
    clock = Clock()
    hosts = SilentHosts(clock, patience=10, rest=15)
    assert hosts.enter("a:443") is None
    clock.now += 20
    hosts.leave("a:443", answered=False, waited=20)
    assert hosts.enter("a:443") == 20
    assert hosts.enter("b:443") is None
    clock.now += 15
    assert hosts.enter("a:443") is None
    assert hosts.enter("a:443") == 35  # the first one asks for all
    hosts.leave("a:443", answered=True, waited=1)
    assert hosts.enter("a:443") is None


def test_a_probe_that_is_given_up_early_or_fails_makes_room_for_the_next() -> None:
    clock = Clock()
    hosts = SilentHosts(clock, patience=10, rest=15)
    hosts.leave("a:443", answered=False, waited=12)
    clock.now += 15
    assert hosts.enter("a:443") is None
    hosts.leave("a:443", answered=False, waited=1)
    assert hosts.enter("a:443") is None
    hosts.leave("a:443", answered=False, waited=11)
    assert hosts.enter("a:443") is not None


def test_impatience_is_no_silence() -> None:
    hosts = SilentHosts(Clock(), patience=10, rest=15)
    hosts.leave("a:443", answered=False, waited=2)
    assert hosts.enter("a:443") is None


async def test_others_do_not_wait_for_a_host_that_hangs_and_hear_of_it_when_it_is_back() -> None:
    hangs, asked = True, 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if hangs:
            await asyncio.Event().wait()
        return web.Response()

    clock = Clock()
    silent = SilentHosts(clock, patience=0.1, rest=15)
    async with web_server(handler) as server, HttpFetcher(silent=silent) as http:
        request = Request(url=server.url, limits=HttpLimits(stall=timedelta(seconds=0.2)))
        with pytest.raises(FetchTimeout, match=r"silent for 0\.2 s"):
            await http.fetch(request)
        for _ in range(50):
            with pytest.raises(FetchTimeout, match="has not answered anybody since"):
                await http.fetch(request)
        assert asked == 1
        clock.now += 15
        hangs = False
        assert (await http.fetch(request)).status == 200
        assert (await http.fetch(request)).status == 200


async def test_a_whole_time_that_is_over_counts_as_silence_too() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    silent = SilentHosts(Clock(), patience=0.1, rest=15)
    async with web_server(handler) as server, HttpFetcher(silent=silent) as http:
        request = Request(url=server.url, limits=HttpLimits(total=timedelta(seconds=0.2)))
        with pytest.raises(FetchTimeout, match=r"longer than 0\.2 s"):
            await http.fetch(request)
        with pytest.raises(FetchTimeout, match="has not answered anybody since"):
            await http.fetch(request)
