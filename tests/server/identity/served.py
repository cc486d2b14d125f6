"""The server's identity on a real port, on stores in memory, with a policy; and a thing to look at and to change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientSession, DummyCookieJar, web
from msgspec import Struct

from tests.server.api.support import Diary
from tests.server.identity.kit import Clock, a_store
from trueup.model.manifest import Manifest
from trueup.server.access.authority import PolicyAuthority
from trueup.server.access.policy import policy_of
from trueup.server.access.projects import Project, ProjectRole
from trueup.server.api.call import Call
from trueup.server.api.dispatch import Api, problems_for_unknown_paths
from trueup.server.api.headers import add_headers
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.operation import SIGNED_IN, Answer, Event, Events, Needs, Operation, Target
from trueup.server.api.refusals import NotFound
from trueup.server.identity.serviceaccounts import ServiceAccounts
from trueup.server.identity.store import MemoryStore
from trueup.server.identity.whole import IdentityService, Surroundings
from trueup.server.pages.files import PageFiles
from trueup.server.pages.serving import add_pages

POLICY = """
p, role:keeper, accounts, *, *, allow
p, role:viewer, accounts, get, *, allow
p, role:viewer, projects, get, *, allow
g, viewer, role:viewer
g, admin, role:admin
g, team-a, role:keeper
"""


class MemoryProjects:
    """AppProjects as an API server would merge patches into them."""

    def __init__(self) -> None:
        self.projects: dict[str, Manifest] = {
            "shop": {
                "metadata": {"name": "shop"},
                "spec": {"roles": [{"name": "ci", "policies": []}, {"name": "other"}]},
            }
        }

    def read(self, name: str) -> Manifest | None:
        return self.projects.get(name)

    async def change(self, name: str, patch: Callable[[Manifest], dict[str, Any]]) -> None:
        live = self.projects.get(name)
        if live is None:
            raise NotFound(f"there is no project {name}")
        self.projects[name] = _merged(live, patch(live))


def _merged(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    base = live if isinstance(live, dict) else {}
    return {**base, **{key: _merged(base.get(key), value) for key, value in patch.items()}}


class Served(Struct):
    url: str
    client: ClientSession
    store: MemoryStore
    projects: MemoryProjects
    clock: Clock
    diary: Diary
    identity: IdentityService
    changed: list[str]

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        """Status, body (JSON where it is), headers. Cookies are sent only as given: `cookie="..."`."""
        headers = dict(options.pop("headers", {}))
        if cookie := options.pop("cookie", ""):
            headers["Cookie"] = cookie
        if token := options.pop("token", ""):
            headers["Authorization"] = f"Bearer {token}"
        async with self.client.request(method, path, headers=headers, allow_redirects=False, **options) as answer:
            raw = await answer.read()
            body = msgspec.json.decode(raw) if raw and "json" in answer.content_type else raw.decode()
            return answer.status, body, answer.headers

    async def log_in(self, name: str = "alice", password: str = "alice-secret", **options: Any) -> str:
        """The cookie of the session."""
        said = {"username": name, "password": password}
        status, body, headers = await self.ask("POST", "/api/trueup/v1/session", json=said, **options)
        assert status == 200, body
        return cookie_of(headers)

    async def argo_token(self, name: str = "alice", password: str = "alice-secret") -> str:
        status, body, _ = await self.ask("POST", "/api/v1/session", json={"username": name, "password": password})
        assert status == 200, body
        return str(body["token"])


def cookie_of(headers: Any, *, gone: bool = False) -> str:
    """What a browser would send next, of the cookies that were set (or, `gone`, of those taken away)."""
    found = [one.split(";")[0] for one in headers.getall("Set-Cookie", []) if ("Max-Age=0" in one) == gone]
    return "; ".join(found)


@asynccontextmanager
async def serving(
    settings: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    store: MemoryStore | None = None,
    clock: Clock | None = None,
    service_accounts: ServiceAccounts | None = None,
    port: int = 0,
    pages: PageFiles | None = None,
) -> AsyncIterator[Served]:
    store, clock, projects, diary = store or a_store(settings, secrets), clock or Clock(), MemoryProjects(), Diary()
    around = Surroundings(
        store=store,
        projects=projects,
        scopes=lambda: ("groups",),
        clock=clock,
        forward=clock.forward,
        service_accounts=service_accounts,
    )
    shop = Project(
        name="shop", roles=(ProjectRole(name="ci", policies=("p, proj:shop:ci, applications, get, shop/*, allow",)),)
    )
    changed: list[str] = []

    async def change(call: Call) -> Answer:
        changed.append(call.caller.person.name)
        return Answer(body={"changed": call.caller.shown})

    async def look(call: Call) -> Answer:
        return Answer(body={"seen": call.caller.person.name})

    async def ticks(call: Call) -> Events:
        async def source() -> AsyncIterator[Event]:
            while True:
                yield Event(data=b"{}")

        return Events(source=source())

    extra = [
        Operation(id="x.change", method="POST", path="/api/trueup/v1/x", summary="x", access=SIGNED_IN, handler=change),
        Operation(
            id="x.look",
            method="GET",
            path="/api/trueup/v1/x/{project}/{name}",
            summary="x",
            access=Needs("applications", "get", lambda call: Target(f"{call.path['project']}/{call.path['name']}")),
            handler=look,
        ),
        Operation(
            id="x.ticks",
            method="GET",
            path="/api/trueup/v1/ticks",
            summary="x",
            access=SIGNED_IN,
            handler=ticks,
            streams=True,
        ),
    ]
    async with IdentityService(around) as identity:
        authority = PolicyAuthority(policy_of({"policy.csv": POLICY}), {"shop": shop})
        api = Api([*identity.operations(), *extra], identity.authenticator, authority, auditor=diary)
        app = web.Application(middlewares=[problems_for_unknown_paths])
        app.on_response_prepare.append(add_headers(https=False))
        identity.add_to(app)
        api.add_to(app)
        if pages is not None:
            add_pages(app, pages)
        listener = Listener(app, Bounds())
        taken = await listener.start("127.0.0.1", port)
        url = f"http://127.0.0.1:{taken}"
        try:
            async with ClientSession(url, cookie_jar=DummyCookieJar()) as client:
                yield Served(url, client, store, projects, clock, diary, identity, changed)
        finally:
            await listener.stop()
