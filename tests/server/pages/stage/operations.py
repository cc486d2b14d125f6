"""What the pages ask beside the lists of the real world: signing in, and the objects of an App."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from tests.server.pages.stage.feeds import TreeFeed
from tests.server.pages.stage.plans import Patched, actions_for
from tests.server.pages.stage.tree import all_events_of, events_of, log_of, tree_of
from trueup.server.access.deciding import Person
from trueup.server.api.call import Call
from trueup.server.api.caller import Caller, Via
from trueup.server.api.operation import PUBLIC, SIGNED_IN, Answer, Event, Events, Needs, Operation, Reply
from trueup.server.api.refusals import NotFound, Unauthenticated
from trueup.server.world.operations import APP, Apps

BASE = "/api/trueup/v1"
PASSWORD = "correct horse"
COOKIE = "stage"


class Cookies:
    """Whoever has the cookie that signing in gave; a test may end all sessions."""

    def __init__(self) -> None:
        self.sessions: dict[str, str] = {}

    async def authenticate(self, request: web.Request) -> Caller:
        name = self.sessions.get(request.cookies.get(COOKIE, ""))
        if name is None:
            raise Unauthenticated("nobody is signed in", hint="sign in")
        return Caller(person=Person(name=name), via=Via.SESSION, token_id=request.cookies[COOKIE])

    def still_valid(self, caller: Caller) -> bool:
        return caller.token_id in self.sessions


class Object(Struct, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""
    group: str = ""
    namespace: str = ""
    follow: bool = False
    previous: bool = False
    tail: int = 1000
    fields: str = ""


def session_operations(cookies: Cookies) -> list[Operation]:
    async def ways(_: Call) -> Reply:
        return Answer(
            body={
                "password": True,
                "anonymous": False,
                "providers": [{"id": "dex", "name": "Example SSO", "url": "/auth/login?provider=dex"}],
            }
        )

    async def get(call: Call) -> Reply:
        name = call.caller.person.name
        return Answer(
            body={"name": name, "display": name.title(), "groups": ["shop"], "via": "session", "issuer": "argocd"}
        )

    async def begin(call: Call) -> Reply:
        if call.body["password"] != PASSWORD:
            raise Unauthenticated("name or password is wrong", hint="try again")
        token = f"{call.body['username']}-{len(cookies.sessions)}"
        cookies.sessions[token] = call.body["username"]
        return Answer(body={}, headers={"Set-Cookie": f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"})

    async def end(call: Call) -> Reply:
        cookies.sessions.pop(call.request.cookies.get(COOKIE, ""), None)
        return Answer(body={})

    body: Any = dict[str, str]
    return [
        Operation(id="session.ways", method="GET", path=f"{BASE}/logins", summary="Ways", access=PUBLIC, handler=ways),
        Operation(id="session.get", method="GET", path=f"{BASE}/session", summary="Me", access=SIGNED_IN, handler=get),
        Operation(
            id="session.begin",
            method="POST",
            path=f"{BASE}/session",
            summary="In",
            access=PUBLIC,
            handler=begin,
            body=body,
        ),
        Operation(id="session.end", method="DELETE", path=f"{BASE}/session", summary="Out", access=PUBLIC, handler=end),
    ]


def object_operations(apps: Apps, feeds: Mapping[str, TreeFeed], patched: Patched) -> list[Operation]:
    async def tree(call: Call) -> Reply:
        known = apps.known(call)
        if (feed := feeds.get(known.row.key)) is not None:
            return Events(source=feed.follow(call.last_event_id))

        async def source() -> AsyncIterator[Event]:
            before = None
            while True:
                try:
                    row = apps.known(call).row
                except NotFound:
                    return  # the App was deleted
                if row is not before:
                    before = row
                    yield Event(data=msgspec.json.encode({"nodes": tree_of(row)}), event="tree", id=row.version)
                await asyncio.sleep(0.1)

        return Events(source=source())

    async def live(call: Call) -> Reply:
        manifest = patched.live(call.query)
        return Answer(body={"manifest": manifest, "actions": actions_for(call.query, manifest)})

    async def events(call: Call) -> Reply:
        return Answer(body={"items": events_of(call.query.kind, call.query.name)})

    async def all_events(_: Call) -> Reply:
        return Answer(body={"items": all_events_of(), "notes": []})

    async def logs(call: Call) -> Reply:
        async def source() -> AsyncIterator[Event]:
            lines = log_of(call.query.name)
            if call.query.previous:
                lines = [{**lines[0], "text": "the run before ends here"}]
            for i, line in enumerate(lines):
                yield Event(data=msgspec.json.encode({"lines": [line]}), event="lines", id=str(i))
            if call.query.follow:
                await asyncio.Event().wait()

        return Events(source=source())

    see = Needs("applications", "get", apps.target)
    return [
        Operation(
            id="apps.tree",
            method="GET",
            path=f"{APP}/tree/events",
            summary="Tree",
            access=see,
            handler=tree,
            streams=True,
        ),
        Operation(
            id="objects.get", method="GET", path=f"{APP}/object", summary="Live", access=see, query=Object, handler=live
        ),
        Operation(
            id="objects.events",
            method="GET",
            path=f"{APP}/events",
            summary="Events",
            access=see,
            query=Object,
            handler=events,
        ),
        Operation(
            id="objects.all-events",
            method="GET",
            path=f"{APP}/tree/kubernetes-events",
            summary="Events of all",
            access=see,
            handler=all_events,
        ),
        Operation(
            id="objects.logs",
            method="GET",
            path=f"{APP}/logs",
            summary="Logs",
            access=see,
            query=Object,
            handler=logs,
            streams=True,
        ),
    ]
