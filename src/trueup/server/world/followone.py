"""One App as it changes: its row and its native resource, each version that there is time for.

The list's stream tells only of rows that say something else; whoever watches a sync come to its end needs the resource itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Event, Events, Needs, Operation
from trueup.server.live.masking import shown
from trueup.server.world.operations import APP, AppAnswer, Apps
from trueup.server.world.rows import Known
from trueup.server.world.table import Table

FRAME_SECONDS = 0.2


class OneFollowed:
    def __init__(self, table: Table, apps: Apps) -> None:
        self._table = table
        self._apps = apps

    async def follow(self, call: Call) -> Events:
        return Events(source=follow_one(self._table, self._apps.known(call).ref))


async def follow_one(table: Table, ref: ObjectRef) -> AsyncIterator[Event]:
    """Frames are `app`: `{"row": ..., "resource": ...}`, the first at once; `gone` when it was deleted, which ends it."""
    with table.watching() as watch:
        told: Known | None = None
        while True:
            known = table.get(ref)
            if known is None:
                yield Event(b"{}", event="gone")
                return
            if known is not told:
                told = known
                body = AppAnswer(row=known.row, resource=shown(known.obj))
                yield Event(msgspec.json.encode(body), event="app", id=known.row.version)
            await asyncio.sleep(FRAME_SECONDS)
            while ref not in await watch.changed():
                pass


def operations(followed: OneFollowed, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="apps.follow-one",
            method="GET",
            path=APP + "/resource/events",
            summary="One App, with the native resource, as it changes, as server-sent events",
            access=Needs("applications", "get", apps.target),
            streams=True,
            handler=followed.follow,
        )
    ]
