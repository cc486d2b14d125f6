"""What one client may cost: how deep a body is, how many requests are open behind a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, get_args

import msgspec
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from docs.parts.api import operations
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.proxies import behind, per_client, trusting
from trueup.server.api.reading import DEEPEST, check_depth
from trueup.server.api.refusals import BadQuery
from trueup.server.identity.reach import Reach


def nested(levels: int) -> Any:
    value: Any = "x"
    for number in range(levels):
        value = {"a": value} if number % 2 else [value]
    return value


def test_a_body_is_only_so_deep() -> None:
    check_depth(nested(DEEPEST))
    check_depth({"wide": [{"a": 1}] * 10_000})
    for levels in (DEEPEST + 1, 5_000):
        with pytest.raises(BadQuery):
            check_depth(nested(levels))


def test_no_body_takes_a_field_that_nobody_knows() -> None:
    """A misspelt option would be passed over, and something else be done than was meant."""
    lenient: set[str] = set()

    def look(shape: Any) -> None:
        if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
            if not shape.__struct_config__.forbid_unknown_fields:
                lenient.add(shape.__name__)
            for field in msgspec.structs.fields(shape):
                look(field.type)
        for part in get_args(shape):
            look(part)

    for operation in operations():
        if operation.body is not None:
            look(operation.body)
    assert not lenient


class Behind:
    """A server behind a proxy on this machine, whose handler waits."""

    def __init__(self) -> None:
        self.entered = 0
        self.go_on = asyncio.Event()

    async def handle(self, _: web.Request) -> web.Response:
        self.entered += 1
        await self.go_on.wait()
        return web.Response(text="done")


@pytest.fixture
async def served() -> AsyncIterator[tuple[Behind, Listener, str]]:
    handler = Behind()
    app = web.Application(middlewares=[per_client(behind(["127.0.0.1"]), 2)])
    app.router.add_get("/", handler.handle)
    listener = Listener(app, Bounds(per_address=1), trusting(["127.0.0.1"]))
    port = await listener.start("127.0.0.1", 0)
    yield handler, listener, f"http://127.0.0.1:{port}"
    handler.go_on.set()
    await listener.stop()


async def test_behind_a_proxy_clients_are_bounded_and_not_the_proxy(served: tuple[Behind, Listener, str]) -> None:
    handler, listener, url = served
    async with ClientSession(url) as session, asyncio.timeout(20):

        async def ask(client: str) -> int:
            async with session.get("/", headers={"X-Forwarded-For": client}) as answer:
                return answer.status

        asked = [asyncio.create_task(ask(client)) for client in ("10.0.0.1", "10.0.0.1", "10.0.0.2")]
        while handler.entered < 3:  # noqa: ASYNC110 what is waited for is inside of the server
            await asyncio.sleep(0.01)
        assert await ask("10.0.0.1") == 429
        async with session.get("/api/trueup/v1/apps", headers={"X-Forwarded-For": "10.0.0.1"}) as answer:
            assert (answer.status, answer.content_type) == (429, "application/problem+json")
            assert (answer.headers["Retry-After"], (await answer.json())["status"]) == ("5", 429)
        handler.go_on.set()
        assert [await one for one in asked] == [200, 200, 200]
        assert await ask("10.0.0.1") == 200
    assert listener.refused == 0


def reached(*headers: tuple[str, str]) -> Reach:
    raw = CIMultiDict([("Host", "trueup.internal:8080"), *headers])
    request = make_mocked_request("GET", "/", headers=raw)
    return behind(["127.0.0.0/8", "10.0.0.0/8"])(request.clone(remote="127.0.0.1"))


@pytest.mark.parametrize(
    "lines",
    [
        ("198.51.100.7",),
        ("203.0.113.9, 198.51.100.7, 10.0.0.3",),  # what the client wrote itself stands first
        ("203.0.113.9", "198.51.100.7"),  # HAProxy adds a line of its own
        ("203.0.113.9", "198.51.100.7, 10.1.2.3"),
        ("198.51.100.7:4711",),  # Azure's gateway tells the port
        ("::ffff:198.51.100.7",),
        ("198.51.100.7, [::ffff:10.0.0.3]:443",),
    ],
)
def test_the_client_is_whom_the_last_proxy_of_ours_saw(lines: tuple[str, ...]) -> None:
    assert reached(*(("X-Forwarded-For", line) for line in lines)).address == "198.51.100.7"


def test_one_client_of_ipv6_is_one_on_whatever_port() -> None:
    assert reached(("X-Forwarded-For", "[2001:DB8::7]:4711")).address == "2001:db8::7"
    assert reached(("X-Forwarded-For", "unknown")).address == "unknown"
