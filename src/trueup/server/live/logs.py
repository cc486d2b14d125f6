"""The operation that follows logs: of a pod, of a workload's pods, of all pods of an App."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from trueup.cluster.client import KubeClient
from trueup.model.manifest import Manifest, name_of, namespace_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Event, Events, Lines, Needs, Operation, Reply
from trueup.server.api.refusals import NotFound
from trueup.server.live.place import Clients, find, pods_of, pods_of_app
from trueup.server.live.podlogs import MOST_PODS, LogLine, LogOptions, LogSource, chooser, merged
from trueup.server.world.operations import APP, Apps
from trueup.server.world.rows import Known

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


class Logs:
    def __init__(self, apps: Apps, clients: Clients) -> None:
        self._apps = apps
        self._clients = clients

    async def read(self, call: Call) -> Reply:
        query = call.query
        client, app = self._clients.of(call.caller), self._apps.known(call)
        ref = ObjectRef(query.group, query.kind, query.namespace, query.name) if query.kind else None
        sources = await sources_of(client, app, ref, query.container)
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
        lines = merged(client, sources, options)
        if query.download:
            name = _FILE_NAME.sub("-", query.name or app.ref.name)
            headers = {"Content-Disposition": f'attachment; filename="{name}.log"'}
            return Lines(
                source=_text(lines, several=len(sources) > 1), media_type="text/plain; charset=utf-8", headers=headers
            )
        return Events(source=_events(lines))


async def sources_of(client: KubeClient, app: Known, ref: ObjectRef | None, container: str = "") -> list[LogSource]:
    """The logs of a pod, of a workload's pods, or without `ref` of all of the App's. Raises NotFound where there is none."""
    pods = await pods_of(client, await find(client, app, ref)) if ref else await pods_of_app(client, app)
    resource = await client.discovery.resource("", "v1", "Pod")
    sources = [
        LogSource(pod=name_of(pod), container=name, path=resource.path(namespace_of(pod), name_of(pod), "log"))
        for pod in pods[:MOST_PODS]
        for name in containers_of(pod)
        if not container or name == container
    ]
    if not sources:
        raise NotFound("there is no pod whose log could be read", hint="does it have pods now? See the tree")
    return sources


async def _events(lines: AsyncIterator[list[LogLine]]) -> AsyncIterator[Event]:
    """`lines` with what has come since the last; `end` when there will be no more."""
    async for some in lines:
        yield Event(msgspec.json.encode({"lines": some}), event="lines")
    yield Event(b"{}", event="end")


async def _text(lines: AsyncIterator[list[LogLine]], *, several: bool) -> AsyncIterator[bytes]:
    async for some in lines:
        yield b"".join(
            (f"[{line.pod}/{line.container}] " if several else "").encode() + line.text.encode() + b"\n"
            for line in some
        )


def containers_of(pod: Manifest) -> list[str]:
    """Those that run first, then the ones that began before them."""
    spec = spec_of(pod)
    return [
        str(container.get("name"))
        for part in ("containers", "initContainers")
        for container in spec.get(part) or ()
        if isinstance(container, dict)
    ]


def operations(logs: Logs, apps: Apps) -> list[Operation]:
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
