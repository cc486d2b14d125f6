"""The store: every object's newest state, one resourceVersion counter, histories to watch, and durable commits.

Two views keep "what was acknowledged is never lost" simple. *Staged* changes are seen by writers only (`latest`); a change
becomes visible to readers and watches after the journal has it. Changes staged while a commit runs share the next one. If
a commit fails (disk full), everything staged is dropped, and every waiting writer learns why: no reader ever saw it.
All methods belong to one event loop; only the journal's `write` runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from trueup.embedded.storage.history import Event, EventType, History, Watch
from trueup.embedded.storage.journal import Journal, MemoryJournal, Row
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.storage.record import Record
from trueup.model.errors import Transient
from trueup.model.manifest import Manifest, metadata_of

Listener: TypeAlias = Callable[[Event], None]


class StorageFailed(Transient):
    """The journal could not commit; nothing of it happened."""

    reason = "StorageFailed"


class Collection:
    """The visible objects of one resource, in key order."""

    def __init__(self) -> None:
        self._records: dict[Key, Record] = {}
        self._order: list[str] = []
        self._by_path: dict[str, Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: Key) -> Record | None:
        return self._records.get(key)

    def put(self, record: Record) -> None:
        path = record.key.path
        if record.key not in self._records:
            insort(self._order, path)
        self._records[record.key] = self._by_path[path] = record

    def remove(self, key: Key) -> None:
        if self._records.pop(key, None) is not None:
            del self._by_path[key.path]
            del self._order[bisect_left(self._order, key.path)]

    def scan(self, namespace: str = "", start: str = "") -> Iterator[Record]:
        """Records in the order of their paths, of one namespace unless it is empty, beginning at the path `start`."""
        order, by_path = self._order, self._by_path
        prefix = f"{namespace}/" if namespace else ""
        first = bisect_left(order, max(start, prefix))
        for index in range(first, len(order)):
            path = order[index]
            if prefix and not path.startswith(prefix):
                return
            yield by_path[path]


class _Batch:
    """Changes that will be committed together, and the future that their writers wait for."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        self.done.set_exception(error)
        self.done.exception()  # a writer that went away meanwhile is no unhandled error


class Store:
    """See the module. Make with `Store.open`; close before the loop ends."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._collections: dict[Resource, Collection] = {}
        self._histories: dict[Resource, History] = {}
        self._staged: dict[tuple[Resource, Key], Event] = {}
        self._batch: _Batch | None = None  # open: takes what is staged now
        self._in_flight: _Batch | None = None  # being written by the journal
        self._committing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._listeners: list[Listener] = []
        loaded, records = journal.load()
        self.resource_version = max(loaded, 1)
        """The newest committed resourceVersion of the whole store: the version of a list answered now."""
        self._issued = self._begin = self.resource_version
        for record in records:
            self._collection(record.resource).put(record)

    @classmethod
    async def open(cls, journal: Journal | None = None) -> Store:
        """Loads what the journal holds; without one, the store lives in memory only."""
        return await asyncio.to_thread(cls, journal or MemoryJournal())

    async def close(self) -> None:
        """Commits what is staged and closes the journal."""
        while self._committing is not None:
            await asyncio.wait({self._committing})
        await asyncio.to_thread(self._thread.shutdown)
        self._journal.close()

    # Reading what is committed.

    def get(self, resource: Resource, namespace: str, name: str) -> Record | None:
        """The committed state; `namespace` is empty for cluster scope."""
        found = self._collections.get(resource)
        return found.get(Key(namespace, name)) if found else None

    def scan(self, resource: Resource, namespace: str = "", start: str = "") -> Iterator[Record]:
        """Committed records in the order of their paths, from `start` on; of one namespace unless it is empty. Use up
        before the next await."""
        found = self._collections.get(resource)
        return found.scan(namespace, start) if found else iter(())

    def count(self, resource: Resource) -> int:
        found = self._collections.get(resource)
        return len(found) if found else 0

    def scan_at(self, resource: Resource, version: int, namespace: str = "", start: str = "") -> list[Record]:
        """The records as they were at `version`; raises HistoryLost when that is too long ago."""
        if version >= self.resource_version:
            return list(self.scan(resource, namespace, start))
        history = self.history(resource)
        history.position_after(version)
        changed: dict[Key, Record | None] = {}
        for event in history.newest_first():
            if event.resource_version <= version:
                break
            changed[event.record.key] = event.previous
        if not changed:
            return list(self.scan(resource, namespace, start))
        records = [record for record in self.scan(resource, namespace, start) if record.key not in changed]
        records += [
            record
            for key, record in changed.items()
            if record is not None and (not namespace or key.namespace == namespace) and key.path >= start
        ]
        return sorted(records, key=lambda record: record.key.path)

    def resources(self) -> list[Resource]:
        """The resources that hold at least one committed object."""
        return [resource for resource, collection in self._collections.items() if len(collection)]

    # Watching.

    def history(self, resource: Resource) -> History:
        if (found := self._histories.get(resource)) is None:
            found = self._histories[resource] = History(self._begin)
        return found

    def watch(self, resource: Resource, since: int | None = None) -> Watch:
        """Follows a collection from the event after `since` (default: from now on); raises HistoryLost."""
        history = self.history(resource)
        return Watch(history, history.end if since is None else history.position_after(since))

    def listen(self, listener: Listener) -> None:
        """Calls `listener` with each committed event of every resource, in order; it must not block or raise."""
        self._listeners.append(listener)

    # Writing. Between `latest` and `put` there must be no await, or the caller checks `latest` again.

    def latest(self, resource: Resource, namespace: str, name: str) -> Record | None:
        """The newest state, committed or not: the only ground for a write to stand on."""
        key = Key(namespace, name)
        if (staged := self._staged.get((resource, key))) is not None:
            return None if staged.type is EventType.DELETED else staged.record
        found = self._collections.get(resource)
        return found.get(key) if found else None

    def put(self, resource: Resource, manifest: Manifest) -> Record:
        """Stages a create or replace under the next resourceVersion, which it writes into the manifest's metadata: the
        manifest is the store's from now on. Follow with `await committed()` before telling anyone."""
        metadata = metadata_of(manifest)
        key = Key(metadata.get("namespace") or "", metadata["name"])
        previous = self.latest(resource, *key)
        record = self._version(resource, key, manifest)
        self._stage(Event(EventType.MODIFIED if previous else EventType.ADDED, record, previous))
        return record

    def remove(self, previous: Record, manifest: Manifest | None = None) -> Record:
        """Stages a removal; answers the last state (`manifest`, or that of `previous`) under the deletion's version."""
        last = dict(previous.manifest if manifest is None else manifest)
        last["metadata"] = dict(last["metadata"])
        record = self._version(previous.resource, previous.key, last)
        self._stage(Event(EventType.DELETED, record, previous))
        return record

    async def committed(self) -> None:
        """Returns when everything staged so far is durable and visible; raises StorageFailed when it could not be."""
        if (last := self._batch or self._in_flight) is not None:
            await asyncio.shield(last.done)

    def _version(self, resource: Resource, key: Key, manifest: Manifest) -> Record:
        self._issued += 1
        manifest["metadata"]["resourceVersion"] = str(self._issued)
        return Record(resource, key, self._issued, manifest)

    def _stage(self, event: Event) -> None:
        if self._batch is None:
            self._batch = _Batch()
        self._batch.events.append(event)
        self._staged[event.record.resource, event.record.key] = event
        if self._journal.is_instant:
            batch, self._batch = self._batch, None
            self._publish(batch)
        elif self._committing is None:
            self._committing = asyncio.create_task(self._commit_all(), name="store-commit")

    async def _commit_all(self) -> None:
        try:
            await asyncio.sleep(0)  # writers that are ready in this turn of the loop share the first commit
            while self._batch is not None:
                batch = self._in_flight = self._batch
                self._batch = None
                try:
                    rows = [_row(event) for event in batch.events]
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.write, rows)
                except Exception as error:
                    self._drop(batch, error)
                else:
                    self._publish(batch)
                self._in_flight = None
        finally:
            self._committing = None

    def _publish(self, batch: _Batch) -> None:
        for event in batch.events:
            record = event.record
            collection = self._collection(record.resource)
            if event.type is EventType.DELETED:
                collection.remove(record.key)
            else:
                collection.put(record)
            if self._staged.get((record.resource, record.key)) is event:  # else a later change is staged already
                del self._staged[record.resource, record.key]
            self.resource_version = record.resource_version
            self.history(record.resource).append(event)
            for listener in self._listeners:
                listener(event)
        batch.done.set_result(None)

    def _drop(self, batch: _Batch, error: Exception) -> None:
        failed = StorageFailed(
            f"the write could not be stored: {error}", hint="check the disk's free space and permissions"
        )
        failed.__cause__ = error
        self._staged.clear()
        later, self._batch = self._batch, None
        for each in (batch, later):
            if each is not None:
                each.fail(failed)

    def _collection(self, resource: Resource) -> Collection:
        if (found := self._collections.get(resource)) is None:
            found = self._collections[resource] = Collection()
        return found


def _row(event: Event) -> Row:
    record = event.record
    body = None if event.type is EventType.DELETED else record.json
    return Row(record.resource, record.key, record.resource_version, body)
