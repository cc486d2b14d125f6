"""A small API on a real port: two projects' things, a few people, and an audit log that can be full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import ClientSession, web
from msgspec import Struct

from trueup.server.access.authority import PolicyAuthority
from trueup.server.access.deciding import Person
from trueup.server.access.policy import policy_of
from trueup.server.api.auditing import Told
from trueup.server.api.caller import Caller, Via
from trueup.server.api.dispatch import Api, problems_for_unknown_paths
from trueup.server.api.headers import add_headers
from trueup.server.api.idempotency import Idempotency
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.operation import Operation
from trueup.server.api.refusals import Unauthenticated, Unavailable
from trueup.server.api.streaming import Streams

POLICY = """
p, alice, applications, *, shop/*, allow
p, bob, applications, get, shop/*, allow
p, carol, applications, get, bank/*, allow
"""


class NamesInHeaders:
    """Whoever `X-User` names; a test's authenticator."""

    def __init__(self) -> None:
        self.ended: set[str] = set()

    async def authenticate(self, request: web.Request) -> Caller:
        name = request.headers.get("X-User", "")
        if not name:
            raise Unauthenticated("nobody is signed in", hint="sign in")
        return Caller(person=Person(name=name), via=Via.TOKEN, address=request.remote or "")

    def still_valid(self, caller: Caller) -> bool:
        return caller.person.name not in self.ended


class Diary:
    """An auditor that remembers, and that can be full."""

    def __init__(self) -> None:
        self.entries: list[Told] = []
        self.full = False

    def check(self) -> None:
        if self.full:
            raise Unavailable("the audit log takes nothing", hint="see to the database")

    def told(self, entry: Told) -> None:
        self.entries.append(entry)


class Served(Struct):
    url: str
    client: ClientSession
    diary: Diary
    authenticator: NamesInHeaders
    authority: PolicyAuthority
    api: Api
    listener: Listener


@asynccontextmanager
async def serving(
    operations: Sequence[Operation],
    *,
    bounds: Bounds | None = None,
    streams: Streams | None = None,
    idempotency: Idempotency | None = None,
) -> AsyncIterator[Served]:
    authenticator, diary = NamesInHeaders(), Diary()
    authority = PolicyAuthority(policy_of({"policy.csv": POLICY}))
    api = Api(operations, authenticator, authority, auditor=diary, streams=streams, idempotency=idempotency)
    app = web.Application(middlewares=[problems_for_unknown_paths])
    app.on_response_prepare.append(add_headers(https=False))
    api.add_to(app)
    listener = Listener(app, bounds or Bounds())
    port = await listener.start("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port}"
    try:
        async with ClientSession(url) as client:
            yield Served(url, client, diary, authenticator, authority, api, listener)
    finally:
        await listener.stop()


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 what is waited for is inside of the server
            await asyncio.sleep(0.01)
