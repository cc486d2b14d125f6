"""Core Events about Apps and sources. Best effort: a lost Event never stops anything; repeats are counted, not piled up."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import structlog
from msgspec import Struct

from trueup.model.apierror import ApiError
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, name_of, namespace_of, resource_version_of, uid_of

log = structlog.get_logger(__name__)

COMPONENT = "trueup"
MESSAGE_LIMIT = 1000
"""Bytes; the API server refuses longer messages (core/v1 Event validation: 1024)."""
REPEAT_WINDOW = 600.0
"""Seconds within which an equal Event is counted up instead of written again."""


class Event(Struct, frozen=True, kw_only=True):
    """`warning` False: type Normal. `annotations` are copied into the Event (Flux puts the revision there)."""

    reason: str
    message: str
    warning: bool = False
    annotations: dict[str, str] | None = None


class EventSink(Protocol):
    """What the writer needs of the cluster."""

    async def create_event(self, event: Manifest) -> None: ...

    async def patch_event(self, namespace: str, name: str, patch: Manifest) -> None: ...


def make_event(regarding: Manifest, event: Event, *, now: datetime, name: str) -> Manifest:
    """The core/v1 Event object; cluster-scoped objects report in namespace `default`, as the API server demands."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata: dict[str, Any] = {"name": name, "namespace": namespace_of(regarding) or "default"}
    if event.annotations:
        metadata["annotations"] = event.annotations
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata,
        "involvedObject": {
            "apiVersion": regarding.get("apiVersion", ""),
            "kind": regarding.get("kind", ""),
            "namespace": namespace_of(regarding),
            "name": name_of(regarding),
            "uid": uid_of(regarding),
            "resourceVersion": resource_version_of(regarding),
        },
        "reason": event.reason,
        "message": shorten(event.message),
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def shorten(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """At most `limit` bytes of UTF-8, cut between characters."""
    encoded = message.encode()
    return message if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "…"


class EventWriter:
    """Writes Events one after another from a bounded queue; when it is full the oldest is dropped."""

    def __init__(self, sink: EventSink, clock: Callable[[], datetime], *, limit: int = 5000, writers: int = 2) -> None:
        self._sink = sink
        self._clock = clock
        self._queue: asyncio.Queue[tuple[Manifest, Event]] = asyncio.Queue(limit)
        self._seen: OrderedDict[tuple[str, str, str], tuple[str, int, datetime]] = OrderedDict()
        self._writers = writers
        self.dropped = 0

    def emit(self, regarding: Manifest, event: Event) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait((regarding, event))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._writers):
                group.create_task(self._write_all(), name=f"events-{number}")

    async def drain(self) -> None:
        """Writes what is queued now; for a clean stop."""
        while not self._queue.empty():
            await self._write(*self._queue.get_nowait())

    async def _write_all(self) -> None:
        while True:
            await self._write(*await self._queue.get())

    async def _write(self, regarding: Manifest, event: Event) -> None:
        try:
            await self._send(regarding, event)
        except ApiError as error:
            # A namespace that is going away takes no Events; nobody is left to read them.
            log.debug("event refused", reason=event.reason, error=error.message)
        except TrueupError as error:
            log.debug("event lost", reason=event.reason, error=str(error))

    async def _send(self, regarding: Manifest, event: Event) -> None:
        now = self._clock()
        key = (uid_of(regarding), event.reason, event.message)
        known = self._seen.get(key)
        if known is not None and (now - known[2]).total_seconds() < REPEAT_WINDOW:
            name, count, _ = known
            moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            namespace = namespace_of(regarding) or "default"
            await self._sink.patch_event(namespace, name, {"count": count + 1, "lastTimestamp": moment})
            self._remember(key, name, count + 1, now)
            return
        name = f"{name_of(regarding)[:200]}.{uuid4().hex[:16]}"
        await self._sink.create_event(make_event(regarding, event, now=now, name=name))
        self._remember(key, name, 1, now)

    def _remember(self, key: tuple[str, str, str], name: str, count: int, now: datetime) -> None:
        self._seen[key] = (name, count, now)
        self._seen.move_to_end(key)
        while len(self._seen) > 4096:
            self._seen.popitem(last=False)
