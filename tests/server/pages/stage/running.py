"""The stage on a real port: the frame of the API with its rights, the real lists, the pages."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from msgspec import structs

from tests.server.identity.kit import Clock, a_store
from tests.server.identity.served import MemoryProjects
from tests.server.pages.stage.administered import administered
from tests.server.pages.stage.cluster import Cluster
from tests.server.pages.stage.controllers import StageControllers
from tests.server.pages.stage.feeds import TreeFeed
from tests.server.pages.stage.linked import link_operations
from tests.server.pages.stage.operations import Cookies, object_operations, session_operations
from tests.server.pages.stage.plans import Patched, patch_operations
from tests.server.pages.stage.records import fill
from tests.server.pages.stage.world import NOW, make_world
from tests.server.pages.stage.worldcluster import StageCluster
from trueup.model.manifest import Manifest, ref_of
from trueup.server.access.authority import PolicyAuthority
from trueup.server.access.policy import policy_of
from trueup.server.acting import apps as acting_apps
from trueup.server.acting import checking, rights
from trueup.server.acting import sources as acting_sources
from trueup.server.api.call import Call
from trueup.server.api.dispatch import Api, problems_for_unknown_paths
from trueup.server.api.headers import add_headers
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.operation import Operation, Reply
from trueup.server.comparing import impact
from trueup.server.comparing import operations as comparing
from trueup.server.identity.store import SETTINGS, Form, MemoryStore
from trueup.server.identity.whole import IdentityService, Surroundings
from trueup.server.keeping import audit, past, then, timeline
from trueup.server.keeping.auditreading import AuditReading
from trueup.server.linking.filling import Links
from trueup.server.local import Local, local_operations
from trueup.server.pages.files import read_files
from trueup.server.pages.serving import add_pages
from trueup.server.world import followone
from trueup.server.world import operations as world_operations
from trueup.server.world.listing import Sort, sort_key
from trueup.server.world.rows import AppRow

POLICY = """
p, malee, applications, *, *, allow
p, malee, applications, *, */*, allow
p, malee, sources, *, *, allow
p, malee, projects, *, *, allow
p, malee, repositories, *, *, allow
p, malee, clusters, *, *, allow
p, malee, settings, *, *, allow
p, malee, accounts, *, *, allow
p, guest, repositories, get, *, allow
p, keeper, repositories, *, shop/*, allow
p, keeper, projects, get, *, allow
p, guest, clusters, get, *, allow
p, guest, projects, get, *, allow
p, guest, settings, get, *, allow
p, malee, audit, get, *, allow
p, guest, applications, get, ns:shop/*, allow
"""


@functools.cache
def database() -> str:
    """Made once for all stages, which only read it."""
    folder = tempfile.TemporaryDirectory(prefix="trueup-stage-")
    _folders.append(folder)
    return fill(Path(folder.name))


_folders: list[tempfile.TemporaryDirectory[str]] = []
"""They go when the process ends."""


class Stage:
    """What a test may do to the world behind the pages."""

    def __init__(self, count: int, identity: IdentityService, store: MemoryStore) -> None:
        self.store = store
        self.world = make_world(count)
        self.cluster = Cluster(self._project)
        self._identity = identity
        self.cookies = Cookies()
        self.feeds: dict[str, TreeFeed] = {}
        """Trees that a test moves, by the key of their App; of the others there is one that is always the same."""
        self.heard: list[str] = []
        """What people asked for: operation and App."""
        self.controllers = StageControllers()
        self.said: list[tuple[str, Any]] = []
        """The same, with what they said."""
        self.patched = Patched({})
        self.links = Links(lambda: self.cluster.data_of("argocd-cm"))
        self.url = ""
        self._port = 0
        self._files = read_files()

    @functools.cached_property
    def rows(self) -> list[AppRow]:
        """As they were at the beginning, in the order in which the list shows them."""
        return sorted((known.row for known in self.world.apps), key=sort_key(Sort.STATUS))

    def _project(self, obj: Manifest | None, kind: str, name: str) -> None:
        if name == SETTINGS and obj is not None:
            self.store.set(Form.CONFIG_MAP, SETTINGS, obj["data"])  # which the server watches
        elif kind == "AppProject" and obj is not None:
            self.world.projects[name] = obj
        elif kind == "AppProject":
            self.world.projects.pop(name, None)

    def change(self, kind: str, namespace: str, name: str, doing: Callable[[Manifest], None]) -> None:
        """The App's resource as the cluster has it from now on."""
        known = self.world.app(kind, namespace, name)
        assert known is not None
        obj = msgspec.json.decode(msgspec.json.encode(known.obj))
        doing(obj)
        obj["metadata"]["resourceVersion"] = str(int(obj["metadata"]["resourceVersion"]) + 100_000)
        self.world.seen(ref_of(obj), obj)

    def end_sessions(self) -> None:
        self.cookies.sessions.clear()

    async def listen(self) -> None:
        """On the port of before, if there was one."""
        app = web.Application(middlewares=[problems_for_unknown_paths])
        app.on_response_prepare.append(add_headers(https=False))
        apps, sources = world_operations.Apps(self.world), world_operations.Sources(self.world)
        table = [
            *session_operations(self.cookies),
            *local_operations(Local()),
            *world_operations.operations(apps, sources),
            *administered(self.world, self.cluster, self._identity, self.links),
            *past_operations(apps),
            *comparing.operations(comparing.Plans(apps, self.controllers), apps),
            *impact.operations(impact.Impacts(sources, self.world, self.controllers), sources),
            *followone.operations(followone.OneFollowed(self.world.apps, apps), apps),
            *object_operations(apps, self.feeds, self.patched),
            *patch_operations(apps, self.heard.append, self.patched),
            *link_operations(self.world, apps, self.cluster, self.patched, self.links),
            *self._acting(apps, sources),
        ]
        Api(table, self.cookies, PolicyAuthority(policy_of({"policy.csv": POLICY}))).add_to(app)
        add_pages(app, self._files)
        self._listener = Listener(app, Bounds(drain_seconds=0.05))
        self._port = await self._listener.start("127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._port}"

    def _acting(self, apps: world_operations.Apps, sources: world_operations.Sources) -> list[Operation]:
        """The real ones, on what the stage has for a cluster; what people ask for is remembered."""
        cluster: Any = StageCluster(self.world)
        real = [
            *acting_apps.operations(acting_apps.Acting(self.world, apps, cluster, lambda: NOW), apps),
            *acting_sources.operations(acting_sources.SourceActing(self.world, sources, cluster, lambda: NOW), sources),
        ]
        asking = [structs.replace(one, handler=self._heard(one)) for one in real]
        return [
            *asking,
            *rights.operations(rights.Telling(self.world, apps), apps),
            *checking.operations(checking.Checking(self.world, cluster)),
        ]

    def _heard(self, operation: Operation) -> Callable[[Call], Awaitable[Reply]]:
        async def handler(call: Call) -> Reply:
            name = call.path.get("appName") or call.path.get("name") or call.body["metadata"]["name"]
            self.heard.append(f"{operation.id} {name}")
            self.said.append((operation.id, call.body))
            return await operation.handler(call)

        return handler

    async def stop(self) -> None:
        """As if the server were gone: open connections are cut, new ones refused."""
        await self._listener.stop()


def past_operations(apps: world_operations.Apps) -> list[Operation]:
    kept = past.Past(apps, database())
    return [
        *past.operations(kept, apps),
        *then.operations(then.Then(kept, apps), apps),
        *timeline.operations(timeline.Timeline(apps, database())),
        *audit.operations(audit.Audit(AuditReading(database()))),
    ]


@contextlib.asynccontextmanager
async def running_stage(count: int = 400) -> AsyncIterator[Stage]:
    store = a_store()
    around = Surroundings(
        store=store,
        projects=MemoryProjects(),
        scopes=lambda: ("groups",),
        clock=Clock(NOW),
        forward=Clock().forward,
    )
    async with IdentityService(around) as identity:
        stage = Stage(count, identity, store)
        await stage.listen()
        try:
            async with stage.links:
                yield stage
        finally:
            await stage.stop()
