"""The operation that follows logs: of a pod, of a workload's pods, of all pods of an App."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from trueup.apps.objects.asks import LogsOf
from trueup.apps.objects.podlogs import LogLine, LogOptions, chooser
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Event, Events, Lines, Needs, Operation, Reply
from trueup.server.live.place import Reaches
from trueup.server.world.operations import APP, Apps

_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]")


class LogQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Of one object, a pod or a workload; without `kind` of the whole App. `container` empty: all of them.

    `filter` is a regular expression (RE2). `download`: plain text in place of events, to the end that there is now.
    """

    kind: str = ""
    name: str = ""
    group: str = ""
    namespace: str = ""
    container: str = ""
    follow: bool = False
    previous: bool = False
    tail: Annotated[int, Meta(ge=0, le=100_000)] = 200
    since_seconds: Annotated[int, Meta(ge=1)] | None = None
    filter: str = ""
    match_case: bool = False
    invert: bool = False
    download: bool = False


class PodLogs:
    def __init__(self, apps: Apps, reaches: Reaches) -> None:
        self._apps = apps
        self._reaches = reaches

    async def read(self, call: Call) -> Reply:
        query = call.query
        app = self._apps.known(call)
        ref = ObjectRef(query.group, query.kind, query.namespace, query.name) if query.kind else None
        options = LogOptions(
            follow=query.follow and not query.download,
            previous=query.previous,
            tail=query.tail,
            since_seconds=query.since_seconds,
            pattern=query.filter,
            match_case=query.match_case,
            invert=query.invert,
        )
        chooser(options)  # a pattern that is none is refused before the stream begins
        found = await self._reaches.of(call.caller, app, ref).logs(LogsOf(ref=ref, container=query.container), options)
        if query.download:
            name = _FILE_NAME.sub("-", query.name or app.ref.name)
            headers = {"Content-Disposition": f'attachment; filename="{name}.log"'}
            text = _text(found.lines, several=found.sources > 1)
            return Lines(source=text, media_type="text/plain; charset=utf-8", headers=headers)
        return Events(source=_events(found.lines))


async def _events(lines: AsyncGenerator[list[LogLine], None]) -> AsyncIterator[Event]:
    """`lines` with what has come since the last; `end` when there will be no more."""
    async with aclosing(lines):
        async for some in lines:
            yield Event(msgspec.json.encode({"lines": some}), event="lines")
    yield Event(b"{}", event="end")


async def _text(lines: AsyncGenerator[list[LogLine], None], *, several: bool) -> AsyncIterator[bytes]:
    async with aclosing(lines):
        async for some in lines:
            yield b"".join(
                (f"[{line.pod}/{line.container}] " if several else "").encode() + line.text.encode() + b"\n"
                for line in some
            )


def operations(logs: PodLogs, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="objects.logs",
            method="GET",
            path=APP + "/logs",
            summary="Logs of pods, followed as server-sent events, or as a file",
            access=Needs("logs", "get", apps.target),
            query=LogQuery,
            streams=True,
            downloads=("text/plain",),
            handler=logs.read,
        )
    ]
