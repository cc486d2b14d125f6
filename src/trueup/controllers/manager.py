"""One controller process: waits for the Lease, wires the loops, runs them while the Lease is held, and begins anew when not.

Everything that the loops know belongs to one term of the Lease; what outlives it is on disk (mirrors, render cache,
state folder) or in the cluster.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import structlog
from msgspec import Struct
from prometheus_client import generate_latest

from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.cluster.lease import ClusterLeases, Lease, Term
from trueup.cluster.liveview import Informer, LiveView
from trueup.cluster.resource import Resource
from trueup.controllers.adapters import (
    Appliers,
    ClusterEvents,
    ClusterPatcher,
    ClusterWatches,
    CountedRenderer,
    Definition,
    Definitions,
)
from trueup.controllers.apps import AppController
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.events import EventWriter
from trueup.controllers.identity import own_identity
from trueup.controllers.managed import Kept, ManagedObjects
from trueup.controllers.memory import AppMemory
from trueup.controllers.metrics import Metrics
from trueup.controllers.queue import Priority, work
from trueup.controllers.resources import Resources
from trueup.controllers.shell import AppShell
from trueup.controllers.sources import Packer, SourceController, SourceShell
from trueup.controllers.state import StateStore
from trueup.controllers.status import StatusWriter
from trueup.controllers.tracking import Tracking
from trueup.controllers.values import ValueStore
from trueup.dialects.argocd.repositories import SECRET_TYPE
from trueup.dialects.dialect import Dialect, ServedKind
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed, LeaseLost
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, uid_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.records.record import Recorder
from trueup.render.cache import BuildCache
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Renderer
from trueup.sources.insteadof import NO_REWRITES, Rewrites
from trueup.sources.mirrors import GitMirrors
from trueup.sync.facts import AppliedRecord, LiveFacts
from trueup.sync.order import CRD

log = structlog.get_logger(__name__)

LEASE = "trueup-controller"
RECHECK_SECONDS = 60.0
COLLECT_SECONDS = 3600.0
WATCHED_VALUES = "reconcile.fluxcd.io/watch=Enabled"


class ControllerOptions(Struct, frozen=True, kw_only=True):
    """`state_dir` None keeps nothing over a restart. `namespace` holds the Lease; `control_namespace` is Argo CD's."""

    state_dir: Path
    namespace: str = "trueup-system"
    control_namespace: str = "argocd"
    allow_local_git: bool = False
    artifact_url: str = "http://localhost"
    app_workers: int = 48
    source_workers: int = 16
    requests_in_flight: int = 32
    objects_in_flight: int = 16


class Controller:
    """`run` is the process; the rest answers the HTTP side."""

    def __init__(
        self,
        config: ClusterConfig,
        dialects: tuple[Dialect, ...],
        options: ControllerOptions,
        recorder: Recorder,
        *,
        packer: Packer | None = None,
    ) -> None:
        self._config = config
        self._dialects = dialects
        self._options = options
        self._recorder = recorder
        self._packer = packer
        self.metrics = Metrics()
        self._present: _Term | None = None
        self._synced = False
        self._problem = "it has not reached the cluster yet"

    async def run(self) -> None:
        """Until cancelled. A lost Lease or cluster begins a new term; nothing of the old one goes on."""
        options = self._options
        with own_identity(options.state_dir) as identity:
            await self._terms(identity)

    async def _terms(self, identity: str) -> None:
        options = self._options
        async with (
            EnginePool() as engines,
            KubeClient(
                self._config, max_in_flight=options.requests_in_flight, on_request=self._count_request
            ) as client,
        ):
            while True:
                lease = Lease(ClusterLeases(client), LEASE, options.namespace, identity)
                try:
                    self._problem = f"another process holds the Lease {options.namespace}/{LEASE}"
                    async with lease.hold() as term:
                        self.metrics.leader.set(1)
                        await self._term(client, term, engines)
                except* LeaseLost as lost:
                    log.warning("term ended", why=str(lost.exceptions[0]))
                except* (ApiError, ClusterUnreachable, KindNotServed) as failed:
                    self._problem = str(failed.exceptions[0])
                    log.warning("the cluster cannot be worked on yet", error=self._problem)
                finally:
                    self.metrics.leader.set(0)
                    self._present, self._synced = None, False
                await asyncio.sleep(1.0)

    # for the HTTP side

    def alive(self) -> list[str]:
        return []

    def ready(self) -> list[str]:
        return [] if self._synced else [self._problem]

    def exposition(self) -> bytes:
        """Counts that are a look at the moment are taken at the moment."""
        metrics = self.metrics
        metrics.apps.clear()
        if self._present is not None:
            apps = Counter((memory.ref.kind, memory.saved.state) for memory in self._present.memories.values())
            for (kind, state), count in apps.items():
                metrics.apps.labels(kind, state.value).set(count)
            metrics.queue.labels("apps").set(len(self._present.apps.queue))
            metrics.queue.labels("sources").set(len(self._present.sources.queue))
        return generate_latest(metrics.registry)

    async def pushed(self, url: str) -> int:
        """How many sources a push notice woke."""
        return self._present.sources.pushed(url) if self._present is not None else 0

    # one term

    async def _term(self, client: KubeClient, term: Term, engines: EnginePool) -> None:
        async with AsyncExitStack() as stack:
            await _Term(self, client.guarded(term), engines, stack).run()

    def _count_request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        del seconds
        self.metrics.requests.labels(verb, resource, str(code)).inc()

    def _is_synced(self, term: _Term) -> None:
        self._present, self._synced, self._problem = term, True, ""


class _Term:
    """What lives from winning the Lease to losing it."""

    def __init__(self, owner: Controller, client: KubeClient, engines: EnginePool, stack: AsyncExitStack) -> None:
        options = owner._options
        self.owner = owner
        self.options = options
        self.client = client
        self.stack = stack
        self.dialects: dict[GroupKind, Dialect] = {d.app_kind.group_kind: d for d in owner._dialects}
        self.source_dialects = {d.source_kind.group_kind: d for d in owner._dialects if d.source_kind is not None}
        self.engines = engines
        self.resources = Resources()
        self.memories: dict[ObjectRef, AppMemory] = {}
        self.repositories: Informer | None = None
        self.starting = True
        self.apps: AppController
        self.sources: SourceController

    async def run(self) -> None:
        cluster_id = await self._cluster_id()
        state_dir = self.options.state_dir / cluster_id
        secret_key = await asyncio.to_thread(_load_key, state_dir / "key")
        state = StateStore(state_dir / "apps.sqlite")
        metrics = self.owner.metrics
        events = EventWriter(ClusterEvents(self.client), utc_now)
        writer = StatusWriter(
            ClusterPatcher(self.client), self.resources, on_write=lambda why: metrics.status_writes.labels(why).inc()
        )
        values = ValueStore(self._read_value)
        managed = ManagedObjects(self._record_of, _Listener(self), secret_key, utc_now)
        view: LiveView[Kept] = await self.stack.enter_async_context(LiveView(self.client, managed.reduce))
        watches = ClusterWatches(self.client, view)
        tracking = Tracking(watches, managed)
        cache = BuildCache(self.options.state_dir / "builds")
        mirrors = GitMirrors(self.options.state_dir / "mirrors", allow_local=self.options.allow_local_git)
        sources = SourceController(
            SourceShell(
                fetcher=mirrors,
                resources=self.resources,
                dialects=self.source_dialects,
                writer=writer,
                events=events,
                credentials=SourceCredentials(values, self._repository_secrets),
                metrics=metrics,
                clock=utc_now,
                chance=random.random,
                artifact_url=self.options.artifact_url,
                packer=self.owner._packer,
                rewrites=await _rewrites(mirrors),
            ),
            lambda feed, before: self.apps.source_changed(feed, before),
            lambda ref: self.apps.queue.add(ref, Priority.URGENT),
        )
        definitions = Definitions(self.client, lambda kind: self.apps.kind_appeared(kind))
        shell = AppShell(
            dialects=self.dialects,
            resources=self.resources,
            memories=self.memories,
            sources=sources,
            renderer=CountedRenderer(Renderer(self.engines, cache=cache), metrics),
            managed=managed,
            tracking=tracking,
            control=ClusterApplier(self.client, "trueup"),
            applier_for=Appliers(self.client),
            established=definitions.wait,
            writer=writer,
            events=events,
            recorder=self.owner._recorder,
            values=values,
            state=state,
            metrics=metrics,
            clock=utc_now,
            loop_time=asyncio.get_running_loop().time,
            chance=random.random,
            secret_key=secret_key,
            in_flight=self.options.objects_in_flight,
        )
        self.apps = AppController(shell)
        self.sources = sources
        for ref, blob in (await state.load()).items():
            self._restore(ref, blob)
        view.subscribe(managed.seen)
        view.subscribe(lambda ref, _before, after, raw: self._autoscaler_seen(managed, ref, after, raw))
        await self._watch_definitions(definitions)
        await self._watch_dialects()
        await self._watch_values()
        await tracking.follow([("autoscaling", "v2", "HorizontalPodAutoscaler")])
        await self._restore_apps(tracking)
        self.owner._is_synced(self)
        log.info("controller is at work", apps=len(self.memories), sources=len(sources.feeds.all()))
        async with asyncio.TaskGroup() as group:
            group.create_task(
                work(sources.queue, sources.look, workers=self.options.source_workers, name="source"), name="sources"
            )
            group.create_task(work(self.apps.queue, self.apps.look, workers=self.options.app_workers, name="app"))
            group.create_task(writer.run(), name="status")
            group.create_task(events.run(), name="events")
            group.create_task(state.run(), name="state")
            group.create_task(_every(RECHECK_SECONDS, self.apps.recheck), name="recheck")
            group.create_task(self._collect(mirrors), name="collect")

    async def _collect(self, mirrors: GitMirrors) -> None:
        """Removes from the mirrors what no source in use needs; never before all sources were opened once."""
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            if any(feed.snapshot is None and feed.known is not None for feed in self.sources.feeds.all()):
                continue
            try:
                await mirrors.collect()
            except TrueupError as error:
                log.warning("mirrors not collected", error=str(error))

    # beginning

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

    async def _watch_dialects(self) -> None:
        """The Apps' and sources' resources: whole, and first of all."""
        informer = await self.stack.enter_async_context(Informer(self.client))
        informer.subscribe(self._resource_seen, self._resources_gone)
        kinds = [*(d.app_kind for d in self.owner._dialects), *(d.source_kind for d in self.owner._dialects)]
        served = [kind for kind in kinds if kind is not None]
        self.starting = True
        await asyncio.gather(*(self._follow(informer, kind) for kind in served))
        self.starting = False

    async def _follow(self, informer: Informer, kind: ServedKind) -> None:
        resource = await self.client.discovery.resource(kind.group, kind.version, kind.kind)
        await informer.track(resource)

    async def _watch_definitions(self, definitions: Definitions) -> None:
        view: LiveView[Definition] = await self.stack.enter_async_context(LiveView(self.client, definitions.reduce))
        view.subscribe(definitions.seen)
        await view.track(await self.client.discovery.resource(CRD.group, "v1", CRD.kind))

    async def _watch_values(self) -> None:
        """Argo CD's repository Secrets, and the ConfigMaps and Secrets that ask for it: few, so kept whole."""
        secret = await self.client.discovery.resource("", "v1", "Secret")
        config_map = await self.client.discovery.resource("", "v1", "ConfigMap")
        self.repositories = await self.stack.enter_async_context(Informer(self.client))
        await self._track_if_allowed(self.repositories, secret, {self.options.control_namespace}, SECRET_TYPE)
        for resource in (secret, config_map):
            informer: LiveView[str] = await self.stack.enter_async_context(LiveView(self.client, _version))
            informer.subscribe(self._value_seen)
            await self._track_if_allowed(informer, resource, None, WATCHED_VALUES)

    async def _track_if_allowed(
        self, view: LiveView[Manifest] | LiveView[str], resource: Resource, namespaces: set[str] | None, selector: str
    ) -> None:
        try:
            await view.track(resource, namespaces, selector)
        except ApiError as error:
            log.warning("not watched", resource=resource.name, selector=selector, error=error.message)

    async def _restore_apps(self, tracking: Tracking) -> None:
        """Claims what each App owns before its objects are first seen, then looks at all of them by one list per kind."""
        kinds: dict[tuple[str, str], str] = {}
        for ref in list(self.resources):
            obj = self.resources.get(ref)
            if obj is None or ref.group_kind not in self.dialects:
                continue
            memory = self.apps.restore(ref, obj)
            for entry in memory.saved.inventory.entries:
                kinds[entry.ref.group, entry.ref.kind] = entry.version
        for ref in [ref for ref in self.memories if self.resources.get(ref) is None]:
            self.apps.resource_gone(ref)
        await tracking.follow((group, version, kind) for (group, kind), version in sorted(kinds.items()))

    # what the watches tell

    def _resource_seen(
        self, ref: ObjectRef, _before: Manifest | None, after: Manifest | None, raw: Manifest | None
    ) -> None:
        del raw
        is_app = ref.group_kind in self.dialects
        if after is None:
            self.resources.drop(ref)
            if is_app:
                self.apps.resource_gone(ref)
            else:
                self.sources.resource_changed(ref)
            return
        if not self.resources.put(after):
            return
        if not is_app:
            self.sources.resource_changed(ref)
        elif not self.starting:
            self.apps.resource_changed(after, ref)

    def _resources_gone(self, resource: Resource, refs: frozenset[ObjectRef]) -> None:
        """A CRD of ours went: the Apps went with it, and their objects live on."""
        log.warning(
            "a resource is no longer served; the objects of its Apps live on", resource=resource.name, apps=len(refs)
        )
        for ref in refs:
            self.resources.drop(ref)
            if ref.group_kind in self.dialects:
                self.apps.resource_gone(ref)
            else:
                self.sources.resource_changed(ref)

    def _value_seen(self, ref: ObjectRef, before: str | None, after: str | None, _: Manifest | None) -> None:
        if before != after:
            self.apps.value_changed(ref)

    def _autoscaler_seen(
        self, managed: ManagedObjects, ref: ObjectRef, after: Kept | None, raw: Manifest | None
    ) -> None:
        if ref.kind in ("HorizontalPodAutoscaler", "ScaledObject"):
            managed.scaler_seen(ref, raw if after is not None else None)

    # small things that the loops ask for

    def _record_of(self, app: ObjectRef, ref: ObjectRef) -> AppliedRecord | None:
        memory = self.memories.get(app)
        return memory.records.get(ref) if memory is not None else None

    async def _read_value(self, ref: ObjectRef) -> Manifest | None:
        resource = await self.client.discovery.resource(ref.group, "v1", ref.kind)
        return await self.client.get(resource, ref.name, ref.namespace)

    def _repository_secrets(self) -> list[Manifest]:
        if self.repositories is None:
            return []
        return [obj for resource in self.repositories.tracked() for _, obj in self.repositories.items(resource)]


class _Listener:
    """`controllers.managed.Listener`, bound late: the App loop is made after the objects' view."""

    def __init__(self, term: _Term) -> None:
        self._term = term

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None:
        self._term.apps.drifted(app, ref)

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        self._term.apps.vanished(app, ref)

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: LiveFacts | None, after: LiveFacts | None) -> None:
        self._term.apps.health_changed(app, ref, before, after)


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


def _version(obj: Manifest) -> str:
    return str(obj.get("metadata", {}).get("resourceVersion", ""))


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
