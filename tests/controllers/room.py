"""The App loop around a cluster in memory: real looks, steps, statuses and applies; the renders are what a test says."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

from msgspec import Struct

from tests.dialects.kit import merged
from tests.sync.cluster import Cluster
from trueup.controllers.apps import AppController
from trueup.controllers.events import Event, EventWriter
from trueup.controllers.feeds import Feed, Feeds
from trueup.controllers.managed import Kept, ManagedObjects
from trueup.controllers.memory import AppMemory
from trueup.controllers.metrics import Metrics
from trueup.controllers.releases.shell import ReleaseShell
from trueup.controllers.remotes import NoRemotes
from trueup.controllers.resources import Resources
from trueup.controllers.shell import AppShell
from trueup.controllers.sources import SourceController
from trueup.controllers.state import StateStore
from trueup.controllers.status import Patch, StatusWriter
from trueup.controllers.tracking import Tracking
from trueup.controllers.values import ValueStore
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.errors import SourceError, TrueupError
from trueup.model.manifest import Declared, Manifest, ref_of
from trueup.model.outcome import Notice
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.remote import RemoteFetcher, RemoteNeed
from trueup.model.rendering import Capabilities, RenderSpec
from trueup.model.revision import Revision, git_revision
from trueup.model.snapshot import Inputs
from trueup.model.source import SourceKey
from trueup.records.record import Record
from trueup.render.built import Asked
from trueup.render.expressions import Evaluated
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sync.facts import AppliedRecord

START = datetime(2026, 11, 23, 7, tzinfo=UTC)
KEY = b"k" * 32
TICK = 1 / 1024
"""Seconds; exact in binary, so that virtual time never stands a rounding error short of what is due."""


class Commit:
    """Stands for a snapshot: nothing reads its files here."""

    id = ""
    """As the inputs of every `Rendering`: what was read is there unchanged."""

    def __init__(self, name: str) -> None:
        self.revision: Revision = git_revision("main", name * 40)

    def release(self) -> None: ...


class Rendering(Struct, frozen=True):
    objects: tuple[Declared, ...]
    inputs: Inputs = Inputs("", ())
    source_type: str = "Directory"
    asked: Asked = Asked()
    notices: tuple[Notice, ...] = ()
    remotes: tuple[RemoteNeed, ...] = ()


class Records(list[Record]):
    """A recorder that keeps what it is told."""

    def put(self, record: Record) -> None:
        self.append(record)


class Room:
    """`renders` gives the objects of an App's path, or the error that rendering it ends with."""

    def __init__(self, *resources: Manifest) -> None:
        self.cluster = Cluster()
        self.engine = None  # of Helm releases, of which there are none here
        self.renders: dict[str, list[Manifest] | TrueupError] = {}
        self.rendered: list[str] = []
        self.told: list[Event] = []
        self.records = Records()
        self.expressions: dict[str, Evaluated] = {}
        self.asked: list[SourceKey] = []
        self.values: dict[ObjectRef, Manifest] = {}
        self.resources = Resources()
        self.feeds = Feeds()
        self.memories: dict[ObjectRef, AppMemory] = {}
        self.managed = ManagedObjects(self._record_of, self, KEY, self.clock)
        self._version = 1000
        self._shell = AppShell(
            dialects={dialect.app_kind.group_kind: dialect for dialect in (FluxDialect(), ArgoCdDialect())},
            resources=self.resources,
            memories=self.memories,
            sources=cast("SourceController", self),
            renderer=self,
            remotes=NoRemotes(),
            capabilities=_no_capabilities,
            managed=self.managed,
            tracking=Tracking(_Seen(self), self.managed),
            control=self.cluster.client("trueup"),
            applier_for=lambda rules: self.cluster.client(rules.field_manager),
            access_for=_no_access,
            established=_established,
            writer=StatusWriter(self, self.resources, on_write=lambda _: None),
            events=cast("EventWriter", self),
            recorder=self.records,
            values=ValueStore(self._read_value),
            state=StateStore(None),
            metrics=Metrics(),
            clock=self.clock,
            loop_time=asyncio.get_running_loop().time,
            chance=lambda: 0.5,
            secret_key=KEY,
            releases=cast("ReleaseShell", self),
            evaluate=self._evaluate,
        )
        self.apps = AppController(self._shell)
        for resource in resources:
            self.put(resource)

    async def _evaluate(self, expression: str, variables: Mapping[str, object]) -> Evaluated:
        """What a test said that the expression gives."""
        del variables
        return self.expressions[expression]

    def clock(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    # what a user does

    def put(self, resource: Manifest) -> ObjectRef:
        """Creates or replaces a resource, and the loop hears of it."""
        self._version += 1
        stored = copy.deepcopy(dict(resource))
        stored["metadata"] = {"uid": "u1", **stored["metadata"], "resourceVersion": str(self._version)}
        self.resources.put(stored)
        ref = ref_of(stored)
        self.apps.signals.resource_changed(stored, ref)
        return ref

    def edit(self, ref: ObjectRef, patch: dict[str, Any]) -> None:
        """Merges a patch, as kubectl does."""
        self.put(merged(self.resource(ref), patch))

    def resource(self, ref: ObjectRef) -> dict[str, Any]:
        found = self.resources.get(ref)
        assert found is not None
        return found

    async def push(self, app: ObjectRef, commit: Commit | None, problem: TrueupError | None = None) -> None:
        """The App's source gives another commit, or none and why. Nobody can tell what the commit changed."""
        feed = self.feed(app)
        feed.snapshot, feed.problem = cast("GitSnapshot | None", commit), problem
        await self.apps.signals.source_changed(feed, None)

    def feed(self, app: ObjectRef) -> Feed:
        found = self.feeds.of_app(app)
        assert found is not None
        return found

    async def settle(self, seconds: float = 0.0) -> None:
        """Takes every look that is due, and those that come due within so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            try:
                async with asyncio.timeout(max(end - loop.time(), 0) + TICK):
                    ref = await self.apps.queue.get()
            except TimeoutError:
                return
            await self.apps.look(ref)
            self.apps.queue.done(ref)

    # the parts that the shell asks

    def use(
        self, app: ObjectRef, key: SourceKey, known: Revision | None = None, parts: Sequence[Revision] = ()
    ) -> Feed:
        del known, parts
        return self.feeds.use(app, key)[0]

    def leave(self, app: ObjectRef) -> None:
        self.feeds.leave(app)

    def ask(self, key: SourceKey, *, waking: ObjectRef | None = None) -> None:
        """A look at the remote that brings what there was: the App is woken."""
        self.asked.append(key)
        if waking is not None:
            self.apps.queue.add(waking)

    async def at_revision(self, feed: Feed, revision: Revision, parts: Sequence[Revision] = ()) -> GitSnapshot:
        raise SourceError(f"{feed.key} has no {revision} of {len(parts)}")

    async def render(
        self,
        snapshot: object,
        spec: RenderSpec,
        variables: Mapping[str, str] | None,
        *,
        remotes: RemoteFetcher | None = None,
    ) -> Rendering:
        del snapshot, variables, remotes
        self.rendered.append(spec.path)
        found = self.renders.get(spec.path, [])
        if isinstance(found, TrueupError):
            raise found
        return Rendering(tuple(Declared(manifest) for manifest in found))

    def emit(self, regarding: Manifest, event: Event) -> None:
        del regarding
        self.told.append(event)

    async def patch_resource(self, obj: Manifest, patch: Patch) -> Manifest:
        self._version += 1
        after = merged(self.resource(ref_of(obj)), patch.body)
        after["metadata"] = {**after["metadata"], "resourceVersion": str(self._version)}
        return cast("Manifest", after)

    async def _read_value(self, ref: ObjectRef) -> Manifest | None:
        return self.values.get(ref)

    def _record_of(self, app: ObjectRef, ref: ObjectRef) -> AppliedRecord | None:
        memory = self.memories.get(app)
        return memory.records.get(ref) if memory is not None else None

    # controllers.managed.Listener

    def drifted(self, app: ObjectRef, ref: ObjectRef) -> None:
        self.apps.signals.drifted(app, ref)

    def vanished(self, app: ObjectRef, ref: ObjectRef) -> None:
        self.apps.signals.vanished(app, ref)

    def health_changed(self, app: ObjectRef, ref: ObjectRef, before: Any, after: Any) -> None:
        self.apps.signals.health_changed(app, ref, before, after)


class _Seen:
    """`controllers.tracking.Watches`: everything is seen at once."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def follow(self, group: str, version: str, kind: str) -> None: ...

    def is_complete(self, group_kind: GroupKind, version: str = "") -> bool:
        del group_kind, version
        return True

    def get(self, ref: ObjectRef, version: str = "") -> Kept | None:
        del version
        obj = self._room.cluster.objects.get(ref)
        return self._room.managed.reduce(obj) if obj is not None else None

    def observe(self, answer: Manifest) -> None: ...


async def _established(crd: Manifest) -> None:
    del crd


async def _no_capabilities() -> Capabilities:
    return Capabilities()


def _no_access(_: object) -> NoReturn:
    raise AssertionError("nobody does anything with objects here")
