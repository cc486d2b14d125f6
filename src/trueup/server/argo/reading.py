"""Applications as Argo CD's API lists, shows and streams them: the native resource, its status as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from trueup.apps.wishes import request_look
from trueup.model.manifest import annotations_of
from trueup.model.refs import ObjectRef
from trueup.server.acting.apps import Acting
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Event, Events, Lines, Listed, Needs, Operation, Surface, Target
from trueup.server.argo.finding import APP, V1, ArgoApps, Choice, Place, version_number, wanted
from trueup.server.live.masking import shown
from trueup.server.world.rows import Known
from trueup.server.world.table import Table

REFRESH = "argocd.argoproj.io/refresh"
PAUSE = 0.05
"""Seconds between looks at whether a refresh is done."""
EVENT_STREAM = "text/event-stream"


class GetQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """`refresh` answers when the controller has looked again; as in Argo CD, whatever is not `hard` is a normal one."""

    refresh: str = ""
    resource_version: str = ""
    fields: str = ""


class Reading:
    """The handlers."""

    def __init__(self, apps: ArgoApps, table: Table, acting: Acting) -> None:
        self._apps = apps
        self._table = table
        self._acting = acting

    async def list(self, call: Call) -> Answer:
        found = self._apps.chosen(call)
        version = max((version_number(one) for one in self._table), default=0)
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationList",
            "metadata": {"resourceVersion": str(version)},
            "items": [shown(one.obj) for one in found] or None,
        }
        return Answer(body=body)

    async def get(self, call: Call) -> Answer:
        known = self._apps.known(call)
        if not call.query.refresh:
            return Answer(body=shown(known.obj))
        hard = call.query.refresh == "hard"
        asked, _ = await self._acting.asked(
            call, known, lambda obj, dialect: request_look(obj, dialect, utc_now(), hard=hard)
        )
        seen = _version(asked)
        while version_number(known) < seen or REFRESH in annotations_of(known.obj):
            await asyncio.sleep(PAUSE)
            known = self._apps.known(call)
        return Answer(body=shown(known.obj))

    async def follow(self, call: Call) -> Events | Lines:
        wanted(call.query)  # a selector that is none is refused before the stream begins
        told = changes(call, self._table, call.query)
        if EVENT_STREAM in call.request.headers.get("Accept", ""):
            return Events(source=_events(told))
        return Lines(source=_lines(told))


def _version(obj: Any) -> int:
    version = str(obj["metadata"].get("resourceVersion") or "")
    return int(version) if version.isdecimal() else 0


async def changes(call: Call, table: Table, choice: Choice) -> AsyncIterator[bytes]:
    """Each as `{"result": {"type", "application"}}`. All at first; with `resourceVersion` those that are newer.

    What stops to fit, or is not to be seen any more, is told as deleted, with what was known of it.
    """
    fits = wanted(choice)
    since = int(choice.resource_version) if choice.resource_version.isdecimal() else 0
    told: set[ObjectRef] = set()

    def shows(known: Known) -> bool:
        return fits(known) and call.predicate("applications")(Target(known.policy_object, known.ref))

    with table.watching() as watch:
        for known in sorted(table, key=lambda one: one.ref):
            if not shows(known):
                continue
            told.add(known.ref)
            if not since:
                yield encoded("ADDED", known)
            elif version_number(known) > since:
                yield encoded("MODIFIED", known)
        while True:
            changed = await watch.changed()
            await call.prepare()
            for ref, before in changed.items():
                known_now = table.get(ref)
                if known_now is not None and shows(known_now):
                    yield encoded("MODIFIED" if ref in told else "ADDED", known_now)
                    told.add(ref)
                elif ref in told:
                    told.discard(ref)
                    if (last := before or known_now) is not None:
                        yield encoded("DELETED", last)


def encoded(type_: str, known: Known) -> bytes:
    return msgspec.json.encode({"result": {"type": type_, "application": shown(known.obj)}})


async def _events(told: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    async for one in told:
        yield Event(one)


async def _lines(told: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for one in told:
        yield one + b"\n"


def operations(reading: Reading, apps: ArgoApps) -> list[Operation]:
    return [
        Operation(
            id="argo.apps-list",
            method="GET",
            path=V1 + "/applications",
            summary="Applications",
            access=Listed("applications"),
            query=Choice,
            surface=Surface.ARGOCD,
            handler=reading.list,
        ),
        Operation(
            id="argo.apps-follow",
            method="GET",
            path=V1 + "/stream/applications",
            summary="Changes of Applications",
            access=Listed("applications"),
            query=Choice,
            streams=True,
            surface=Surface.ARGOCD,
            handler=reading.follow,
        ),
        Operation(
            id="argo.app-get",
            method="GET",
            path=APP,
            summary="One Application",
            access=Needs("applications", "get", apps.target),
            query=GetQuery,
            surface=Surface.ARGOCD,
            handler=reading.get,
        ),
    ]
