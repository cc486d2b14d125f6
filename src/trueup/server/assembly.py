"""The server put together: watches, identity, policies, the table of operations, and the application that serves them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry

from trueup.cluster.client import KubeClient
from trueup.cluster.exchange import JSON_TYPE
from trueup.cluster.liveview import LiveView
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.dialects.dialect import Dialect
from trueup.model.manifest import Manifest
from trueup.model.rights import Rights
from trueup.records.audit.entry import AuditLog
from trueup.records.claimstore import ClaimStore
from trueup.records.history import History
from trueup.server.about import About, about_operations
from trueup.server.acting import apps as acting_apps
from trueup.server.acting import checking, rights
from trueup.server.acting import sources as acting_sources
from trueup.server.acting.overriding import is_guarded
from trueup.server.api.auditing import Auditor, Unaudited
from trueup.server.api.dispatch import Api, unknown_paths, utc_now
from trueup.server.api.headers import add_headers
from trueup.server.api.idempotency import PURPOSE, Idempotency, random_secrets
from trueup.server.api.listening import refuse_old_versions
from trueup.server.api.memorykeys import MemoryKeys
from trueup.server.api.metering import Meter
from trueup.server.api.operation import Operation
from trueup.server.api.proxies import per_client
from trueup.server.api.rates import Rates
from trueup.server.api.streaming import MOST, Streams
from trueup.server.argo import whole as argo
from trueup.server.argo.webhook import Forwarding
from trueup.server.argo.whole import NO_LINKS, NOWHERE
from trueup.server.auditlog import RecordedCalls
from trueup.server.comparing import impact, revisions
from trueup.server.comparing import operations as comparing
from trueup.server.comparing.asking import Controllers
from trueup.server.comparing.operations import Asks
from trueup.server.identity.clusterprojects import ClusterProjects
from trueup.server.identity.clusterstore import ClusterStore, Kept, kept_of
from trueup.server.identity.kubernetesnames import Names
from trueup.server.identity.reach import Reaching, directly
from trueup.server.identity.serviceaccounts import ServiceAccounts
from trueup.server.identity.whole import IdentityService, Surroundings
from trueup.server.keeping import audit as keeping_audit
from trueup.server.keeping import may as keeping_may
from trueup.server.keeping import past as keeping_past
from trueup.server.keeping import placekeeping, placeprobes
from trueup.server.keeping import places as keeping_places
from trueup.server.keeping import projects as keeping_projects
from trueup.server.keeping import settings as keeping_settings
from trueup.server.keeping import summary as keeping_summary
from trueup.server.keeping import then as keeping_then
from trueup.server.keeping import timeline as keeping_timeline
from trueup.server.keeping.audit import Audit
from trueup.server.keeping.auditreading import AuditReading
from trueup.server.linking import operations as linking
from trueup.server.linking.filling import Linking, Links
from trueup.server.linking.linking import DeepLinks
from trueup.server.live import logs, objects, treeevents
from trueup.server.live.far import Far
from trueup.server.live.place import Clients, Reaches
from trueup.server.local import Local, local_operations
from trueup.server.measures import SizeCounts, Sizes
from trueup.server.operationkeys import DatabaseKeys
from trueup.server.pages.files import PageFiles, read_files
from trueup.server.pages.serving import add_pages
from trueup.server.rights import deciding
from trueup.server.sharedaudit import nobody
from trueup.server.sharedhistory import SharedHistory
from trueup.server.world import followone, treeoperations
from trueup.server.world import operations as world_operations
from trueup.server.world.treereading import TreeReader
from trueup.server.world.trees import Trees
from trueup.server.world.watching import Watching
from trueup.server.world.world import World

_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 a path


async def no_token() -> str:
    return ""


class Serving(Struct, frozen=True, kw_only=True):
    """What a server is told. `home`: the folder of an embedded one, where the first password is written too."""

    client: KubeClient
    dialects: Sequence[Dialect]
    control_namespace: str = CONTROL_NAMESPACE
    home: Path | None = None
    audit: AuditLog | None = None
    database: str = ""
    """Where records and audit are read; empty: nowhere."""
    states: tuple[Path, ...] = ()
    """Folders with keys and exported checkpoints of those who write into the database, by which the audit log's chains are judged."""
    controllers_history: bool = False
    """Records and audit entries of the controllers are their own, and asked of them; the database holds the server's."""
    audit_strict: bool = True
    """Nothing is changed while the audit log cannot store it."""
    controllers: tuple[str, ...] = ()
    """URLs of the controllers' HTTP sides, from which live trees are read; none: what Apps' status remembers is shown."""
    internal_token: Callable[[], Awaitable[str]] = no_token
    https: bool = False
    max_streams: int = MOST
    """Streams at once, whoever reads them."""
    reaching: Reaching = directly
    root: str = ""
    """The path below which a proxy offers us (`/trueup`), whether it takes it away before it asks or not."""
    local: Local = Local()
    """Of a server of `trueup up`: what the pages may say of this machine."""
    per_client: int = 1000
    """Requests and streams of one client at a time."""
    rate: float = 0
    """Requests a second of one client; 0: no bound."""
    rights: Rights = Rights.POLICY
    names: Names = Names()
    """What Kubernetes calls whoever signs in."""


class Server(Struct, frozen=True, kw_only=True):
    """`app` serves it; the rest is for whoever looks in: tests, metrics, probes."""

    app: web.Application
    api: Api
    world: World
    watching: Watching
    trees: Trees
    metrics: CollectorRegistry


@asynccontextmanager
async def serving(options: Serving) -> AsyncIterator[Server]:
    """Begins to watch and is ready when everything has been seen once; ends with the block."""
    async with AsyncExitStack() as stack:
        client = options.client
        world = World(options.dialects, utc_now, options.control_namespace)
        decided = deciding(options.rights, client, world)
        watching = Watching(client, world, decided.on_policy)
        await watching.start(stack)
        view: LiveView[Kept] = await stack.enter_async_context(LiveView(client, kept_of))
        store = ClusterStore(client, view, options.control_namespace)
        await store.start()

        async def review(body: Manifest) -> Manifest:
            answer = await client.raw("POST", _TOKEN_REVIEWS, body=msgspec.json.encode(body), content_type=JSON_TYPE)
            return answer.manifest

        identity = await stack.enter_async_context(
            IdentityService(
                Surroundings(
                    store=store,
                    projects=ClusterProjects(client, watching.settings, options.control_namespace),
                    scopes=decided.scopes,
                    names=options.names,
                    clock=utc_now,
                    reaching=options.reaching,
                    service_accounts=ServiceAccounts(review, time.monotonic),
                    home=options.home,
                )
            )
        )
        trees = await _trees(options, stack)
        world.follow(trees)
        controllers = Controllers(options.controllers, options.internal_token)
        reading = AuditReading(
            options.database, options.states, controllers.audit if options.controllers_history else nobody
        )
        stack.callback(reading.close)
        streams = Streams(options.max_streams)
        about = About(watching.problems, lambda: (len(world.apps), len(world.sources), streams.total))
        auditor: Auditor = (
            RecordedCalls(options.audit, strict=options.audit_strict) if options.audit is not None else Unaudited()
        )
        forwarding = Forwarding(options.controllers, options.internal_token, options.reaching)
        stack.push_async_callback(forwarding.close)
        meter = Meter()
        meter.registry.register(
            SizeCounts(
                Sizes(
                    apps=lambda: len(world.apps),
                    sources=lambda: len(world.sources),
                    streams=lambda: streams.total,
                    controllers=trees.followed,
                )
            )
        )
        links = await stack.enter_async_context(Links(lambda: identity.settings().data))
        loop = asyncio.get_running_loop()
        api = Api(
            table(
                Parts(
                    world=world,
                    identity=identity,
                    about=about,
                    clients=decided.clients,
                    trees=trees,
                    audit=Audit(reading),
                    controllers=controllers,
                    far=controllers if options.rights is Rights.POLICY else None,
                    history=(lambda _: SharedHistory(controllers.history, loop))
                    if options.controllers_history
                    else History,
                    forwarding=forwarding,
                    database=options.database,
                    local=options.local,
                    links=links,
                )
            ),
            identity.authenticator,
            decided.authority,
            auditor=auditor,
            streams=streams,
            meter=meter,
            idempotency=await _idempotency(options, identity, stack),
        )
        about.operations = api.operations
        pages = await asyncio.to_thread(read_files)
        yield Server(
            app=application(api, identity, options, pages),
            api=api,
            world=world,
            watching=watching,
            trees=trees,
            metrics=meter.registry,
        )


async def _idempotency(options: Serving, identity: IdentityService, stack: AsyncExitStack) -> Idempotency:
    """Keys are shared by all replicas that have one database."""
    if not options.database:
        return Idempotency(MemoryKeys(), random_secrets())
    keys = DatabaseKeys(ClaimStore(options.database))
    await stack.enter_async_context(keys.running())
    return Idempotency(keys, lambda: identity.settings().keys.derive(PURPOSE))


async def _trees(options: Serving, stack: AsyncExitStack) -> Trees:
    """Read from every controller, each by a task that ends with the block."""
    trees = Trees()
    group = await stack.enter_async_context(asyncio.TaskGroup())
    tasks = [
        group.create_task(
            TreeReader(url, options.internal_token, trees, utc_now, name=url, chance=random.random).run(),
            name=f"trees of {url}",
        )
        for url in options.controllers
    ]
    stack.callback(lambda: [task.cancel() for task in tasks])
    return trees


class Parts(Struct, frozen=True, kw_only=True):
    """What operations are made of."""

    world: World
    identity: IdentityService
    about: About
    clients: Clients
    trees: Trees
    audit: Audit
    controllers: Asks
    far: Far | None = None
    """Who reaches objects in other clusters; None where people have Kubernetes' rights, which say nothing of those."""
    forwarding: Forwarding = NOWHERE
    database: str = ""
    history: Callable[[str], History] = History
    """Opens the records of a database."""
    local: Local = Local()
    links: Linking = NO_LINKS

    def guarded(self) -> bool:
        """Whether syncs to other revisions need a right of their own."""
        return is_guarded(self.identity.settings().data)


def table(parts: Parts) -> list[Operation]:
    """Every operation there is. Routes, rights, documents and tests are made from it."""
    world, clients = parts.world, parts.clients
    apps, sources = world_operations.Apps(world), world_operations.Sources(world)
    reaches = Reaches(clients, parts.far, apps.is_app)
    past = keeping_past.Past(apps, parts.database, parts.history)
    projects, seen = keeping_projects.Projects(world, clients), objects.Objects(apps, reaches)
    deep = DeepLinks(world, clients, seen, parts.links, lambda: parts.identity.settings().urls, parts.trees)
    return [
        *about_operations(parts.about),
        *local_operations(parts.local),
        *parts.identity.operations(),
        *world_operations.operations(apps, sources),
        *followone.operations(followone.OneFollowed(world.apps, apps), apps),
        *treeoperations.operations(treeoperations.AppTrees(apps, parts.trees), apps),
        *acting_apps.operations(acting_apps.Acting(world, apps, clients, guarded=parts.guarded), apps),
        *acting_sources.operations(acting_sources.SourceActing(world, sources, clients), sources),
        *rights.operations(rights.Telling(world, apps), apps),
        *checking.operations(checking.Checking(world, clients)),
        *objects.operations(seen, apps),
        *logs.operations(logs.PodLogs(apps, reaches), apps),
        *treeevents.operations(treeevents.TreeEvents(apps, parts.trees, reaches), apps),
        *comparing.operations(comparing.Plans(apps, parts.controllers), apps),
        *revisions.operations(revisions.Revisions(apps, parts.controllers), apps),
        *impact.operations(impact.Impacts(sources, world, parts.controllers), sources),
        *keeping_past.operations(past, apps),
        *keeping_then.operations(keeping_then.Then(past, apps), apps),
        *keeping_summary.operations(keeping_summary.Summaries(apps, parts.database, opened=parts.history)),
        *keeping_timeline.operations(keeping_timeline.Timeline(apps, parts.database, parts.history)),
        *keeping_projects.operations(projects),
        *linking.operations(linking.LinkOperations(world, apps, deep), apps, projects),
        *keeping_places.operations(keeping_places.Places(world, clients)),
        *placekeeping.operations(
            placekeeping.Keeping(placekeeping.REPOSITORIES, world, clients),
            placekeeping.Keeping(placekeeping.CLUSTERS, world, clients),
        ),
        *placeprobes.operations(
            placeprobes.PlaceProbes(placekeeping.Keeping(placekeeping.REPOSITORIES, world, clients), parts.controllers),
            placeprobes.PlaceProbes(placekeeping.Keeping(placekeeping.CLUSTERS, world, clients), parts.controllers),
        ),
        *keeping_settings.operations(
            keeping_settings.SettingsKeeping(
                clients, world.control_namespace, parts.identity.settings.resolve, parts.links
            )
        ),
        *keeping_audit.operations(parts.audit),
        *keeping_may.operations(keeping_may.May(world)),
        *argo.operations(
            world,
            clients,
            parts.trees,
            parts.controllers,
            parts.forwarding,
            parts.identity.settings,
            parts.far,
            parts.links,
        ),
    ]


def application(api: Api, identity: IdentityService, options: Serving, pages: PageFiles) -> web.Application:
    app = web.Application(
        middlewares=[
            refuse_old_versions,
            per_client(options.reaching, options.per_client, Rates(options.rate)),
            unknown_paths(options.root),
        ]
    )
    app.on_response_prepare.append(add_headers(https=options.https))
    identity.add_to(app)
    for root in dict.fromkeys((options.root, "")):
        api.add_to(app, root)
    add_pages(app, pages, base=options.root)  # last: every other address is a page
    return app
