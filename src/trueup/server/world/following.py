"""A list as a stream of changes: at most one frame per client and quarter of a second, each row encoded once for all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from trueup.model.refs import ObjectRef
from trueup.server.api.operation import Event
from trueup.server.world.rows import Known
from trueup.server.world.table import News, Table

FRAME_SECONDS = 0.25
RIGHTS_SECONDS = 10.0
"""How long a quiet stream takes to see that rights have changed."""


class Eyes(Protocol):
    """What one follower may see, and wants to."""

    @property
    def version(self) -> int:
        """Rises when rights change."""
        ...

    async def open(self) -> None:
        """Before each look: rights that have to be asked for are."""
        ...

    def may(self, policy_object: str, ref: ObjectRef) -> bool: ...

    def wants(self, known: Known) -> bool:
        """Of what may be seen."""
        ...


async def follow(table: Table, since: str, eyes: Eyes) -> AsyncIterator[Event]:
    """Begins with where it begins. Frames are `changes`: `{"changed": [rows], "removed": [keys]}`; `removed` also names what
    no longer fits, and may name what never did. `reset`: read the list again, and follow from there.
    """
    if not since:
        since = table.event_id
        yield Event(b"{}", event="ready", id=since)
    version = eyes.version
    while True:
        await eyes.open()
        news = table.news(since)
        since = news.event_id
        if news.reset or eyes.version != version:
            version = eyes.version
            yield Event(b"{}", event="reset", id=since)
        elif news.refs and (frame := _frame(table, news, eyes)):
            yield Event(frame, event="changes", id=since)
        await asyncio.sleep(FRAME_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RIGHTS_SECONDS):
                await table.wait(since)


def _frame(table: Table, news: News, eyes: Eyes) -> bytes:
    """Empty: nothing of it is this follower's business."""
    changed: list[bytes] = []
    removed: list[str] = []
    for ref, called in news.refs.items():
        known = table.get(ref)
        visible = known is not None and eyes.may(known.policy_object, ref)
        if known is not None and visible and eyes.wants(known):
            changed.append(table.encoded(ref))
        elif visible or any(eyes.may(one, ref) for one in called):
            removed.append(f"{ref.kind}/{ref.namespace}/{ref.name}")
    if not changed and not removed:
        return b""
    return b'{"changed":[' + b",".join(changed) + b'],"removed":' + msgspec.json.encode(removed) + b"}"
