"""One watch: the lines that it sends, from the version it starts at until time, a lost place or the client ends it.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes and KEP-3157 (streaming lists).
The stream's bytes go out in `api.http`; here is what they say.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator

import msgspec

from trueup.embedded.api import forms, reads, refusals
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.negotiation import Form, View
from trueup.embedded.api.options import ListOptions
from trueup.embedded.api.reads import Selection
from trueup.embedded.storage.history import Event, EventType, HistoryLost, Watch
from trueup.embedded.storage.record import Record
from trueup.embedded.storage.store import Store

BOOKMARK_SECONDS = 60.0
BATCH = 128
"""Events that one watch takes from the history at a time."""
PATIENCE = 60.0
"""Seconds after which a client that takes nothing of what it is sent loses its watch, and can list again."""
CHUNK = 64 * 1024
"""What is encoded ahead of a client that reads slowly, in bytes; one object more at most."""
DEFAULT_TIMEOUT = (1800.0, 3600.0)
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class WatchStream:
    """Made synchronously, so that a place that is lost already is the request's own error (410)."""

    def __init__(
        self, store: Store, kind: Kind, chosen: Selection, options: ListOptions, form: Form, include: str = "Metadata"
    ) -> None:
        self._store = store
        self._kind = kind
        self._chosen = chosen
        self._options = options
        self._form = form
        self._include = include
        self._columns_sent = False
        self._initial: list[Record] = []
        self._ends_initial = False
        self._lost: HistoryLost | None = None
        self._stopped = False
        self._waiting: asyncio.Timeout | None = None
        self._seen = 0  # events up to here are known to the client already
        self._watch = self._start()
        timeout = options.timeout_seconds
        self._seconds = float(timeout) if timeout else random.uniform(*DEFAULT_TIMEOUT)  # noqa: S311

    def _start(self) -> Watch:
        """Legacy rules: no version or "0" begins with what there is, a version continues after it."""
        store, options = self._store, self._options
        version = options.resource_version
        with_state = options.send_initial_events
        if with_state is None:
            with_state = version in ("", "0")
        if not with_state and version not in ("", "0"):
            asked = reads.watch_version(version)
            if asked > store.resource_version:
                self._seen = asked  # of the future: silent until then, as the real server is
                return store.watch(self._kind.storage)
            try:
                return store.watch(self._kind.storage, asked)
            except HistoryLost as lost:
                self._lost = lost
                return store.watch(self._kind.storage)
        if version not in ("", "0") and (asked := reads.watch_version(version)) > store.resource_version:
            raise reads.too_large_version(asked, store.resource_version)
        watch = store.watch(self._kind.storage)
        if with_state:
            records = store.scan(self._kind.storage, self._chosen.namespace)
            self._initial = [record for record in records if self._chosen.matches(record)]
        self._ends_initial = bool(options.send_initial_events) and options.allow_watch_bookmarks
        self._initial_version = store.resource_version
        return watch

    def stop(self) -> None:
        """Ends the stream as if its time were over: the kind is not served any more, or the server stops."""
        self._stopped = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def lines(self) -> AsyncIterator[bytes]:
        """Chunks of whole lines. What is not yet asked for stays a place in the history, not bytes in memory."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        next_bookmark = loop.time() + BOOKMARK_SECONDS
        if self._lost is not None:
            yield self._error(self._lost)
            return
        records, self._initial = self._initial, []
        for chunk in _chunks(self._line(EventType.ADDED, record) for record in records):
            yield chunk
        del records
        if self._ends_initial:
            yield self._bookmark({INITIAL_EVENTS_END: "true"}, self._initial_version)
        while not self._stopped and (remaining := end - loop.time()) > 0:
            wait = min(remaining, max(next_bookmark - loop.time(), 0.0))
            events: list[Event] = []
            try:
                async with asyncio.timeout(wait) as self._waiting:
                    events = await self._watch.next(BATCH)
            except TimeoutError:
                pass
            except HistoryLost as lost:
                yield self._error(lost)
                return
            finally:
                self._waiting = None
            for chunk in _chunks(map(self._event, events)):
                yield chunk
            if loop.time() >= next_bookmark:
                next_bookmark = loop.time() + BOOKMARK_SECONDS
                if self._options.allow_watch_bookmarks:
                    yield self._bookmark({})
        if self._options.allow_watch_bookmarks and not self._stopped:
            yield self._bookmark({})

    def _event(self, event: Event) -> bytes:
        """The event as this selection sees it: an object that leaves the selection is a deletion to it."""
        record, previous = event.record, event.previous
        if record.resource_version <= self._seen:
            return b""
        now = event.type is not EventType.DELETED and self._chosen.matches(record)
        before = previous is not None and self._chosen.matches(previous)
        if now:
            seen = EventType.MODIFIED if before else EventType.ADDED
        elif before:
            seen = EventType.DELETED
            if event.type is not EventType.DELETED:
                record = _as_of(event)
        else:
            return b""
        return self._line(seen, record)

    def _line(self, type_: str, record: Record) -> bytes:
        """Only the first table of a watch names its columns."""
        body = forms.record_json(self._kind, record, self._form, self._include, columns=not self._columns_sent)
        self._columns_sent = True
        return forms.event_json(type_, body)

    def _bookmark(self, annotations: dict[str, str], version: int = 0) -> bytes:
        version = version or self._store.resource_version
        meta: dict[str, object] = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        partial: dict[str, object] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": f"meta.k8s.io/{self._form.version}",
            "metadata": meta,
        }
        bookmark: dict[str, object]
        if self._form.is_metadata:
            bookmark = partial
        elif self._form.view is View.TABLE:
            empty = {"kind": self._kind.name, "apiVersion": self._kind.api_version, "metadata": meta}
            bookmark = forms.single(self._kind, empty, self._form, self._include, columns=not self._columns_sent)
            self._columns_sent = True
        else:
            bookmark = {"kind": self._kind.name, "apiVersion": self._kind.api_version, "metadata": meta}
        return forms.event_json("BOOKMARK", msgspec.json.encode(bookmark))

    def _error(self, lost: HistoryLost) -> bytes:
        status = refusals.status_of(refusals.expired(str(lost)))
        return forms.event_json("ERROR", msgspec.json.encode(status))


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines joined until they are worth sending."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)


def _as_of(event: Event) -> Record:
    """The state before the event, under the event's version: what a watch shows of an object that left its selection."""
    assert event.previous is not None
    manifest = dict(event.previous.manifest)
    manifest["metadata"] = manifest["metadata"] | {"resourceVersion": str(event.resource_version)}
    return Record(event.record.resource, event.record.key, event.resource_version, manifest)
