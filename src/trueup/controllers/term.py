"""One term of the Lease: every collaborator made and joined, the watches opened, the loops run until the Lease is lost.

Wiring only. What the watches of the Apps' own resources tell is `controllers.watching`'s; winning and losing the Lease
is `controllers.manager`'s.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.foreign import Leave
from trueup.controllers.adapters import (
    AccountTokens,
    ClusterEvents,
    ClusterPatcher,
    CountedRenderer,
)
from trueup.controllers.appobjects import AppObjects
from trueup.controllers.apps import AppController
from trueup.controllers.comparing import Comparing
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.events import EventWriter
from trueup.controllers.lockdown import Lockdown
from trueup.controllers.memory import AppMemory
from trueup.controllers.metrics import Metrics
from trueup.controllers.pauses import collect_all
from trueup.controllers.probing import Probing
from trueup.controllers.queue import Priority, work
from trueup.controllers.remotes import AppRemotes, NoRemotes
from trueup.controllers.repositories import KnownRepositories
from trueup.controllers.resources import Resources
from trueup.controllers.shell import AppShell
from trueup.controllers.sites.opening import Means, Parts, make_parts, watch_autoscalers
from trueup.controllers.sites.registry import Registry
from trueup.controllers.sites.remote import RemoteSites
from trueup.controllers.sites.site import Site
from trueup.controllers.sites.sites import Sites
from trueup.controllers.sites.ways import Ways
from trueup.controllers.sourcereport import Packer, SourceReporter
from trueup.controllers.sources import SourceController, SourceShell
from trueup.controllers.state import StateStore
from trueup.controllers.status import StatusWriter
from trueup.controllers.tracking import Tracking
from trueup.controllers.trees.trees import Trees
from trueup.controllers.values import ValueStore
from trueup.controllers.watching import Watching
from trueup.controllers.webhooksecrets import SECONDS, WebhookSecrets
from trueup.dialects.argocd.rendering import refine
from trueup.dialects.dialect import Dialect
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, uid_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.rendering import Capabilities
from trueup.records.record import Recorder
from trueup.render.cache import DEFAULT_BYTES, BuildCache
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.render.expressions import Expressions
from trueup.render.plugins.definitions import Plugin
from trueup.render.plugins.plugins import Plugins
from trueup.render.releases import ReleaseEngine
from trueup.render.render import Renderer
from trueup.sources.diskuse import DEFAULT_LIMIT, STORES, DiskBudget
from trueup.sources.fetching import SourceFetchers
from trueup.sources.insteadof import NO_REWRITES, Rewrites
from trueup.sources.mirrors import GitMirrors
from trueup.sources.oci.fetcher import LARGEST_ARTIFACT
from trueup.sync.facts import AppliedRecord, LiveFacts

log = structlog.get_logger(__name__)

RECHECK_SECONDS = 60.0
COLLECT_SECONDS = 3600.0
FULL_COLLECTION_SECONDS = 3600.0
"""Between two looks of Python's garbage collector at everything, see `controllers.pauses`."""


class ControllerOptions(Struct, frozen=True, kw_only=True):
    """`state_dir` None keeps nothing over a restart. `namespace` holds the Lease; `control_namespace` is Argo CD's."""

    state_dir: Path
    namespace: str = "trueup-system"
    control_namespace: str = "argocd"
    allow_local_git: bool = False
    lockdown: Lockdown = Lockdown()
    remote_bases: bool = True
    """Whether kustomizations may name other repositories and URLs."""
    insecure_kubeconfig_exec: bool = False
    """Whether kubeconfigs in Secrets may have commands run in the controller, as Flux's flag of that name."""
    insecure_kubeconfig_tls: bool = False
    """Whether they may ask not to verify the server."""
    plugins: tuple[Plugin, ...] = ()
    """Config-management plugins that Applications may use."""
    internal_token: str = ""
    """By which our own servers are known; empty: the one in the Secret `trueup-internal`, made if it is not there."""
    artifact_url: str = "http://localhost"
    render_cache: Path | None = None
    """Kept builds; several controllers may share the folder. None: one of its own in `state_dir`."""
    render_cache_bytes: int = DEFAULT_BYTES
    source_bytes: int = DEFAULT_LIMIT
    """What mirrors and other fetched content may take together."""
    artifact_bytes: int = LARGEST_ARTIFACT
    app_workers: int = 48
    source_workers: int = 16
    requests_in_flight: int = 32
    objects_in_flight: int = 16


class Setup(Struct, frozen=True, kw_only=True):
    """What one process gives to each of its terms."""

    dialects: tuple[Dialect, ...]
    options: ControllerOptions
    recorder: Recorder
    packer: Packer | None
    metrics: Metrics


class _Said(NamedTuple):
    """By what people are told: statuses and Events."""

    writer: StatusWriter
    events: EventWriter


class WorkingTerm:
    """What lives from winning the Lease to losing it. `on_synced` is called when all is known and the loops begin."""

    def __init__(
        self,
        setup: Setup,
        client: KubeClient,
        engines: EnginePool,
        stack: AsyncExitStack,
        on_synced: Callable[[], None],
    ) -> None:
        self.setup = setup
        self.options = setup.options
        self.client = client
        self.stack = stack
        self.dialects: dict[GroupKind, Dialect] = {d.app_kind.group_kind: d for d in setup.dialects}
        self.engines = engines
        self.on_synced = on_synced
        self.resources = Resources()
        self.memories: dict[ObjectRef, AppMemory] = {}
        self.apps: AppController
        self.sources: SourceController
        self.trees: Trees
        self.comparing: Comparing
        self.objects: AppObjects
        self.probing: Probing
        self.webhooks = WebhookSecrets(
            ValueStore(self._read_value, seconds=SECONDS),
            control_namespace=setup.options.control_namespace,
            namespace=setup.options.namespace,
        )

    def _plugins(self) -> Plugins:
        """No plugin sees the controller's folders and credentials, where the kernel lets us hide them."""
        hide = (str(self.options.state_dir), str(Path.home()), "/var/run/secrets", "/run/secrets")
        return Plugins(self.options.plugins, hide=hide)

    async def run(self) -> None:
        cluster_id = await self._cluster_id()
        state_dir = self.options.state_dir / cluster_id
        secret_key = await asyncio.to_thread(_load_key, state_dir / "key")
        state = StateStore(state_dir / "apps.sqlite")
        watching = Watching(
            self.client, self.stack, self.setup.dialects, self.resources, self.options.control_namespace
        )
        said = self._said()
        values = ValueStore(self._read_value)
        credentials = SourceCredentials(values, watching.repository_secrets, self.options.control_namespace)
        fetchers = await self._fetchers(credentials)
        self.sources = await self._source_controller(fetchers, credentials, said)
        self.trees = Trees(self.memories, utc_now)
        means = self._means(await self._cache(), secret_key)
        parts = await make_parts(self.client, self.stack, means)
        shell = AppShell(
            dialects=self.dialects,
            resources=self.resources,
            memories=self.memories,
            sources=self.sources,
            remotes=AppRemotes(fetchers.remotes, credentials) if self.options.remote_bases else NoRemotes(),
            writer=said.writer,
            events=said.events,
            recorder=self.setup.recorder,
            values=values,
            state=state,
            metrics=self.setup.metrics,
            clock=utc_now,
            loop_time=asyncio.get_running_loop().time,
            chance=random.random,
            secret_key=secret_key,
            evaluate=Expressions(self.engines).evaluate,
            in_flight=self.options.objects_in_flight,
            lockdown=self.options.lockdown,
            renderer=parts.renderer,
            capabilities=parts.capabilities.look,
            managed=parts.managed,
            tracking=parts.tracking,
            control=parts.control,
            applier_for=parts.applier_for,
            access_for=parts.applier_for.access,
            established=parts.definitions.wait,
            releases=parts.releases,
        )
        sites = self._sites(Site("in-cluster", cluster_id, shell, parts.branch), means, watching)
        self.apps = AppController(shell, sites, self._placed)
        self.comparing = Comparing(shell, self.apps.shell_of, self.apps.foretell)
        self.objects = AppObjects(shell, sites, self.trees.refs)
        self.probing = Probing(self._read_value, fetchers, credentials, self.client, self.options.control_namespace)
        for ref, blob in (await state.load()).items():
            self._restore(ref, blob)
        await watching.run(parts, self.apps, self.sources)
        await watch_autoscalers(parts.tracking)
        await self._restore_apps(parts.tracking)
        self.on_synced()
        log.info("controller is at work", apps=len(self.memories), sources=len(self.sources.feeds.all()))
        await self._work(parts, sites, fetchers, said, state)

    async def _work(self, parts: Parts, sites: Sites, fetchers: SourceFetchers, said: _Said, state: StateStore) -> None:
        """Until one of the loops fails or all are cancelled."""
        options = self.options
        loops: dict[str, Coroutine[Any, Any, None]] = {
            "sources": work(self.sources.queue, self.sources.look, workers=options.source_workers, name="source"),
            "apps": work(self.apps.queue, self._look, workers=options.app_workers, name="app"),
            "releases": self.apps.releases.run(),
            "status": said.writer.run(),
            "events": said.events.run(),
            "state": state.run(),
            "foresight": parts.managed.run(),
            "sites": sites.run(),
            "recheck": self._recheck(),
            "garbage": _every(FULL_COLLECTION_SECONDS, collect_all),
            "collect": self._collect(fetchers),
            "trees": self.trees.run(),
            "watches of trees": parts.branch.follow(),
            "foresight of trees": parts.branch.foresee(),
        }
        async with asyncio.TaskGroup() as group:
            for name, loop in loops.items():
                group.create_task(loop, name=name)

    async def _look(self, ref: ObjectRef) -> None:
        await self.apps.look(ref)
        self.trees.looked(ref)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self.apps.signals.recheck()

    async def _collect(self, fetchers: SourceFetchers) -> None:
        """Removes from the disk what no source in use needs; never before all sources were opened once."""
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            if any(feed.snapshot is None and feed.known is not None for feed in self.sources.feeds.all()):
                continue
            try:
                if self.setup.packer is not None:
                    await self.setup.packer.keep_only(frozenset(self.resources))
                await fetchers.collect()
            except TrueupError as error:
                log.warning("fetched content not collected", error=str(error))

    # beginning

    def _said(self) -> _Said:
        metrics = self.setup.metrics
        writer = StatusWriter(
            ClusterPatcher(self.client), self.resources, on_write=lambda why: metrics.status_writes.labels(why).inc()
        )
        return _Said(writer, EventWriter(ClusterEvents(self.client), utc_now))

    def _source_dialects(self) -> dict[GroupKind, Dialect]:
        return {kind.group_kind: dialect for dialect in self.setup.dialects for kind in dialect.source_kinds}

    async def _fetchers(self, credentials: SourceCredentials) -> SourceFetchers:
        fetchers = SourceFetchers(
            self.options.state_dir,
            EngineChartReader(self.engines),
            allow_local=self.options.allow_local_git,
            find=KnownRepositories(self.resources, self._source_dialects(), credentials).find,
            most_bytes=self.options.source_bytes,
            largest_artifact=self.options.artifact_bytes,
            tokens=AccountTokens(self.client),
        )
        self.stack.push_async_callback(fetchers.close)
        await self._show_disk(fetchers.budget)
        return fetchers

    async def _source_controller(
        self, fetchers: SourceFetchers, credentials: SourceCredentials, said: _Said
    ) -> SourceController:
        shell = SourceShell(
            fetcher=fetchers,
            resources=self.resources,
            dialects=self._source_dialects(),
            reporter=SourceReporter(said.writer, said.events, utc_now, self.options.artifact_url, self.setup.packer),
            credentials=credentials,
            metrics=self.setup.metrics,
            chance=random.random,
            rewrites=await _rewrites(fetchers.mirrors),
        )
        return SourceController(
            shell,
            lambda feed, before: self.apps.signals.source_changed(feed, before),
            lambda ref: self.apps.queue.add(ref, Priority.URGENT),
        )

    async def _cache(self) -> BuildCache:
        options, metrics = self.options, self.setup.metrics
        root = options.render_cache or options.state_dir / "builds"
        cache = BuildCache(root, max_bytes=options.render_cache_bytes)
        await asyncio.to_thread(cache.usage)
        metrics.cache_bytes.set_function(lambda: cache.known_usage.bytes)
        metrics.cache_limit.set(cache.max_bytes)
        return cache

    async def _show_disk(self, budget: DiskBudget) -> None:
        await asyncio.to_thread(budget.measure)
        metrics = self.setup.metrics
        for store in STORES:
            metrics.source_bytes.labels(store).set_function(partial(_bytes_of, budget, store))
        metrics.source_limit.set(budget.limit)

    def _means(self, cache: BuildCache, secret_key: bytes) -> Means:
        def renderer(capabilities: Callable[[], Capabilities]) -> CountedRenderer:
            made = Renderer(
                self.engines, cache=cache, capabilities=capabilities, refine=refine, plugins=self._plugins()
            )
            return CountedRenderer(made, self.setup.metrics)

        return Means(
            record_of=self._record_of,
            listener=lambda fares: _Listener(self, fares),
            renderer=renderer,
            engine=ReleaseEngine(self.engines),
            trees=self.trees,
            release_changed=lambda *what: self.apps.signals.release_changed(*what),
            kind_appeared=lambda kind: self.apps.signals.kind_appeared(kind),
            secret_key=secret_key,
            clock=utc_now,
        )

    def _sites(self, home: Site, means: Means, watching: Watching) -> Sites:
        """The controller's own cluster, and whatever others Apps name."""
        options = self.options
        leave = Leave(exec_plugins=options.insecure_kubeconfig_exec, unverified_tls=options.insecure_kubeconfig_tls)
        registry = Registry(watching.repository_secrets)
        opener = RemoteSites(
            home.shell,
            means,
            guard=self.client.guard,
            on_request=self._count_request,
            in_flight=options.requests_in_flight,
        )
        ways = Ways(self._read_value, AccountTokens(self.client), registry.find, leave)
        return Sites(home, ways.to, opener)

    def _count_request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        del seconds
        self.setup.metrics.requests.labels(verb, resource, str(code)).inc()

    def _placed(self, app: ObjectRef, site: Site) -> None:
        if site.branch is not None:
            self.trees.place(app, site.branch)

    async def _cluster_id(self) -> str:
        """The uid of `kube-system`, which names a cluster for life: state of one is never used for another."""
        resource = await self.client.discovery.resource("", "v1", "Namespace")
        found = await self.client.get(resource, "kube-system")
        return uid_of(found) if found else "unknown"

    def _restore(self, ref: ObjectRef, blob: bytes) -> None:
        try:
            self.memories[ref] = AppMemory.restore(ref, blob)
        except ValueError as error:
            log.warning("state of an App is unreadable and begins anew", app=str(ref), error=str(error))

    async def _restore_apps(self, tracking: Tracking) -> None:
        """Claims what each App owns before its objects are first seen, then looks at all of them by one list per kind."""
        kinds: set[tuple[str, str, str]] = set()
        for ref in list(self.resources):
            obj = self.resources.get(ref)
            if obj is None or ref.group_kind not in self.dialects:
                continue
            memory = self.apps.restore(ref, obj)
            if memory.app is not None and memory.app.target is not None:
                continue  # its objects are not here
            kinds |= {(entry.ref.group, entry.version, entry.ref.kind) for entry in memory.saved.inventory.entries}
        for ref in [ref for ref in self.memories if self.resources.get(ref) is None]:
            self.apps.signals.resource_gone(ref)
        await tracking.follow(sorted(kinds))

    def _record_of(self, app: ObjectRef, ref: ObjectRef) -> AppliedRecord | None:
        memory = self.memories.get(app)
        return memory.records.get(ref) if memory is not None else None

    async def _read_value(self, ref: ObjectRef) -> Manifest | None:
        resource = await self.client.discovery.resource(ref.group, "v1", ref.kind)
        return await self.client.get(resource, ref.name, ref.namespace)


def _bytes_of(budget: DiskBudget, store: str) -> int:
    return budget.known.of(store)


class _Listener:
    """`controllers.managed.Listener`, bound late: the App loop is made after the objects' view."""

    def __init__(self, term: WorkingTerm, fares_otherwise: Callable[[ObjectRef], None]) -> None:
        self._term = term
        self._fares_otherwise = fares_otherwise

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None:
        self._term.apps.signals.drifted(app, ref)

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        self._term.apps.signals.vanished(app, ref)

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None) -> None:
        self._term.apps.signals.health_changed(app, ref, before, after)
        self._fares_otherwise(ref)


async def _every(seconds: float, action: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        action()


async def _rewrites(mirrors: GitMirrors) -> Rewrites:
    try:
        return await mirrors.rewrites()
    except TrueupError as error:
        log.warning("git's insteadOf rules are not known: a push may be seen by polling only", error=str(error))
        return NO_REWRITES


def utc_now() -> datetime:
    return datetime.now(UTC)


def _load_key(path: Path) -> bytes:
    """The key of the digests that may be kept; made once per state folder."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(32)
        path.touch(mode=0o600)
        path.write_bytes(key)
        return key
