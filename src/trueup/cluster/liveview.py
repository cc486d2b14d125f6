"""The live view: for each tracked resource, little per object, always current, and subscribers told of each change.

What is kept is for `reduce` to say; no object is kept whole unless it says so. Following one resource in one place is
`reflector`'s work, deciding what is news is `shelf`'s; this module joins them and owns the tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Set
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import structlog

from trueup.cluster.catalog import Catalog
from trueup.cluster.client import KubeClient
from trueup.cluster.reflector import Reflector, ReflectorTiming
from trueup.cluster.resource import Resource
from trueup.cluster.shelf import Seen, Shelf
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, ref_of, resource_version_of
from trueup.model.refs import GroupKind, ObjectRef

log = structlog.get_logger(__name__)

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
EVERYWHERE = ""


class OnChange(Protocol[T_contra]):
    def __call__(
        self, ref: ObjectRef, before: T_contra | None, after: T_contra | None, raw: Manifest | None, /
    ) -> None:
        """`after` None: deleted. `raw` is the object as served; None when a list showed only that it is no longer there."""
        ...


OnGone = Callable[[Resource, frozenset[ObjectRef]], None]
"""The server no longer serves a resource (its CRD went); these objects of it were still known. They are not told as deletions."""


class LiveView(Generic[T]):
    """`async with LiveView(client, reduce) as view:`; the block owns the watches and ends them."""

    def __init__(
        self, client: KubeClient, reduce: Callable[[Manifest], T | None], *, timing: ReflectorTiming | None = None
    ) -> None:
        self._client = client
        self._reduce = reduce
        self._timing = timing or ReflectorTiming()
        self._tracked: dict[GroupKind, _Tracked[T]] = {}
        self._on_change: list[OnChange[T]] = []
        self._on_gone: list[OnGone] = []
        self._group: asyncio.TaskGroup | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._unsubscribe = self._client.discovery.subscribe(self._served, self._kinds_changed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        self._unsubscribe()
        for tracked in self._tracked.values():
            tracked.stop()
        if group is not None:
            await group.__aexit__(kind, error, trace)

    def subscribe(self, on_change: OnChange[T], on_gone: OnGone | None = None) -> Callable[[], None]:
        """Called from the watch's own task, in order, and must not block; an exception is logged. Answers how to unsubscribe."""
        self._on_change.append(on_change)
        if on_gone is not None:
            self._on_gone.append(on_gone)

        def unsubscribe() -> None:
            self._on_change.remove(on_change)
            if on_gone is not None:
                self._on_gone.remove(on_gone)

        return unsubscribe

    async def track(self, resource: Resource, namespaces: Set[str] | None = None, label_selector: str = "") -> None:
        """Follows a resource everywhere (None) or in these namespaces, and returns when all of it is known.

        Calls add up: namespaces join, None takes over from them, and a second selector widens to no selector at all.
        Raises KindNotServed or ApiError when the first list is refused; it is tried again all the same.
        """
        if self._group is None:
            raise RuntimeError("the live view is not open: use it as `async with`")
        tracked = self._tracked.get(resource.group_kind)
        if tracked is None:
            tracked = _Tracked(self, resource, label_selector)
            self._tracked[resource.group_kind] = tracked
        elif tracked.label_selector not in (label_selector, ""):
            tracked.widen_selector()
        places = {EVERYWHERE} if namespaces is None or EVERYWHERE in tracked.places else set(namespaces)
        for namespace in sorted(places - set(tracked.places)):
            tracked.start(namespace, self._group)
        for place in [tracked.places[namespace] for namespace in sorted(places)]:
            await place.first_list()

    def untrack(self, resource: Resource) -> None:
        """Ends the watches and forgets what was kept; nobody is told."""
        if (tracked := self._tracked.pop(resource.group_kind, None)) is not None:
            tracked.stop()

    def revive(self, group_kind: GroupKind) -> None:
        """A CRD or its server has come: a parked watch of this kind looks again at once."""
        if (tracked := self._tracked.get(group_kind)) is not None:
            tracked.revive()

    def is_tracked(self, group_kind: GroupKind) -> bool:
        return group_kind in self._tracked

    def tracked(self) -> tuple[Resource, ...]:
        return tuple(tracked.shelf.resource for tracked in self._tracked.values())

    def synced(self, resource: Resource) -> bool:
        """Whether everything tracked of the resource has been listed and is served now."""
        tracked = self._tracked.get(resource.group_kind)
        return (
            tracked is not None and bool(tracked.places) and all(place.is_synced for place in tracked.places.values())
        )

    def blind_seconds(self, resource: Resource) -> float:
        """For how long nothing can have been heard of a resource that was seen: what is known of it may be old."""
        tracked = self._tracked.get(resource.group_kind)
        return max((place.blind_seconds() for place in tracked.places.values()), default=0.0) if tracked else 0.0

    def get(self, ref: ObjectRef) -> T | None:
        tracked = self._tracked.get(ref.group_kind)
        return tracked.shelf.get(ref) if tracked is not None else None

    def items(self, resource: Resource) -> Iterator[tuple[ObjectRef, T]]:
        tracked = self._tracked.get(resource.group_kind)
        return tracked.shelf.items() if tracked is not None else iter(())

    def __len__(self) -> int:
        return sum(len(tracked.shelf) for tracked in self._tracked.values())

    def note(self, ref: ObjectRef, resource_version: str) -> None:
        """Our own write of `ref` was answered with this version: the event that tells it, and older ones, are dropped."""
        if (tracked := self._tracked.get(ref.group_kind)) is not None:
            tracked.shelf.note(ref, resource_version)

    def observe(self, answer: Manifest) -> None:
        """As `note`, with the whole answer: `get` knows it at once."""
        ref = ref_of(answer)
        if (tracked := self._tracked.get(ref.group_kind)) is None:
            return
        if not tracked.label_selector and (EVERYWHERE in tracked.places or ref.namespace in tracked.places):
            tracked.shelf.observe(answer)
        else:
            tracked.shelf.note(ref, resource_version_of(answer))

    def _kinds_changed(self) -> None:
        """A CRD came, changed or went."""
        for tracked in self._tracked.values():
            tracked.revive()

    def _served(self, catalog: Catalog) -> None:
        """Discovery found something new: parked watches of what is served now look again at once."""
        for tracked in self._tracked.values():
            resource = tracked.shelf.resource
            if catalog.find(resource.group, resource.version, resource.kind) is not None:
                tracked.revive()

    # for the parts below

    def _tell(self, seen: Seen[T], raw: Manifest | None) -> None:
        for on_change in tuple(self._on_change):
            try:
                on_change(seen.ref, seen.before, seen.after, raw)
            except Exception:
                log.exception("a subscriber of the live view failed", ref=str(seen.ref))

    def _tell_gone(self, resource: Resource, refs: frozenset[ObjectRef]) -> None:
        for on_gone in tuple(self._on_gone):
            try:
                on_gone(resource, refs)
            except Exception:
                log.exception("a subscriber of the live view failed", resource=resource.name)

    def _reflector(self, tracked: _Tracked[T], place: _Place[T]) -> Reflector:
        return Reflector(
            self._client,
            tracked.shelf.resource,
            place,
            namespace=place.namespace,
            label_selector=tracked.label_selector,
            timing=self._timing,
        )


class _Tracked(Generic[T]):
    """One resource: its shelf, and the places where it is followed."""

    def __init__(self, view: LiveView[T], resource: Resource, label_selector: str) -> None:
        self.view = view
        self.shelf: Shelf[T] = Shelf(resource, view._reduce)
        self.label_selector = label_selector
        self.places: dict[str, _Place[T]] = {}

    def start(self, namespace: str, group: asyncio.TaskGroup) -> None:
        place = _Place(self, namespace)
        self.places[namespace] = place
        place.start(group)

    def stop(self) -> None:
        for place in self.places.values():
            place.stop()
        self.places.clear()

    def revive(self) -> None:
        for place in self.places.values():
            place.revive()

    def widen_selector(self) -> None:
        """Two selectors cannot be joined in one watch: everything is followed instead, and listed anew."""
        self.label_selector = ""
        for place in self.places.values():
            place.restart()

    def everywhere_is_synced(self) -> None:
        """The watch of all namespaces has taken over."""
        for namespace in [namespace for namespace in self.places if namespace != EVERYWHERE]:
            self.places.pop(namespace).stop()
            self.shelf.unfollow(namespace)


class _Place(Generic[T]):
    """One resource in one namespace or everywhere: a reflector's sink, and its task."""

    def __init__(self, tracked: _Tracked[T], namespace: str) -> None:
        self.namespace = namespace
        self.is_synced = False
        self._tracked = tracked
        self._missing: set[ObjectRef] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._group: asyncio.TaskGroup | None = None
        self._reflector: Reflector | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._reflector = self._tracked.view._reflector(self._tracked, self)
        name = f"watch {self._tracked.shelf.resource.name} {self.namespace or '*'}"
        self._task = group.create_task(self._reflector.run(), name=name)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._answer(None)

    def restart(self) -> None:
        if self._task is not None and self._group is not None:
            self._task.cancel()
            self.is_synced = False
            self.start(self._group)

    def revive(self) -> None:
        if self._reflector is not None and not self.is_synced:
            self._reflector.revive()

    def blind_seconds(self) -> float:
        return self._reflector.blind_seconds() if self._reflector is not None else 0.0

    async def first_list(self) -> None:
        """Returns when a list has been told; raises what a list was refused with."""
        if self.is_synced:
            return
        self.revive()
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def _answer(self, error: TrueupError | None) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if future.done():
                continue  # who waited has been cancelled
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    # Sink

    def begin_list(self, *, rewound: bool) -> None:
        if rewound:
            log.warning(
                "the cluster went back in time; everything is looked at anew",
                resource=self._tracked.shelf.resource.name,
            )
            self._tracked.shelf.rewind()
        self._missing = self._tracked.shelf.refs(self.namespace)

    def seen(self, manifest: Manifest) -> None:
        shelf = self._tracked.shelf
        if self._missing:
            self._missing.discard(shelf.ref_of(manifest))
        if (seen := shelf.see(manifest)) is not None:
            self._tracked.view._tell(seen, manifest)

    def deleted(self, manifest: Manifest) -> None:
        if (seen := self._tracked.shelf.drop(manifest)) is not None:
            self._tracked.view._tell(seen, manifest)

    def end_list(self, resource_version: str) -> None:
        missing, self._missing = self._missing, set()
        for seen in self._tracked.shelf.drop_missing(missing, resource_version):
            self._tracked.view._tell(seen, None)
        self._tracked.shelf.settle(resource_version, self.namespace)
        self.is_synced = True
        self._answer(None)
        if self.namespace == EVERYWHERE:
            self._tracked.everywhere_is_synced()

    def reached(self, resource_version: str) -> None:
        self._tracked.shelf.settle(resource_version, self.namespace)

    def gone(self, error: KindNotServed) -> None:
        self._missing = set()
        shelf = self._tracked.shelf
        shelf.unfollow(self.namespace)
        refs = shelf.refs(self.namespace)
        shelf.forget(refs)
        if self.is_synced or refs:
            self._tracked.view._tell_gone(shelf.resource, frozenset(refs))
        self.is_synced = False
        self._answer(error)

    def failed(self, error: TrueupError) -> None:
        # What is forbidden stays so, and whoever waits must hear it. Other faults pass, and the wait goes on.
        if isinstance(error, ApiError) and error.code in (401, 403, 405):
            self._answer(error)


class Informer(LiveView[Manifest]):
    """A live view that keeps whole objects: for the few resources that say what to do, not for what they make."""

    def __init__(self, client: KubeClient, *, timing: ReflectorTiming | None = None) -> None:
        super().__init__(client, _whole, timing=timing)


def _whole(manifest: Manifest) -> Manifest:
    return manifest
