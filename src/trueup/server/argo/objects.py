"""Single objects of an Application at Argo CD's paths: the manifest, patches, deletion, actions, Events and logs."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Struct

from trueup.apps.objects.actions import Action, actions_of
from trueup.apps.objects.asks import LogsOf
from trueup.apps.objects.podlogs import LogLine, LogOptions
from trueup.dialects.reading import format_time
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Lines, Needs, Operation, Surface
from trueup.server.api.problems import status_of
from trueup.server.api.refusals import BadQuery
from trueup.server.argo.finding import APP, ArgoApps, Place
from trueup.server.live.masking import shown
from trueup.server.live.objects import Objects, Propagation
from trueup.server.live.place import Reaches
from trueup.server.world.rows import Known
from trueup.server.world.treeoperations import remembered
from trueup.server.world.trees import Trees

MERGE = "application/merge-patch+json"


class ResourceQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """Which object. `version` is not needed, since we know in which it is read."""

    namespace: str = ""
    resource_name: str = ""
    version: str = ""
    group: str = ""
    kind: str = ""

    @property
    def ref(self) -> ObjectRef:
        """Raises BadQuery."""
        if not self.kind or not self.resource_name:
            raise BadQuery("is missing", field="resourceName" if self.kind else "kind")
        return ObjectRef(self.group, self.kind, self.namespace, self.resource_name)


class PatchQuery(ResourceQuery, frozen=True, kw_only=True, rename="camel"):
    patch_type: str = MERGE


class DeleteQuery(ResourceQuery, frozen=True, kw_only=True, rename="camel"):
    """`orphan` leaves what the object owns."""

    force: bool = False
    orphan: bool = False


class EventQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """Of one object; without a name of the Application itself. `resourceUID`, if it is said, must be the object's."""

    resource_namespace: str = ""
    resource_name: str = ""
    resource_uid: str = msgspec.field(name="resourceUID", default="")


class ActionParameter(Struct, frozen=True, kw_only=True):
    name: str
    value: str = ""


class ActionBody(ResourceQuery, frozen=True, kw_only=True, rename="camel"):
    """Of `/v2`: everything is in the body."""

    name: str = ""
    action: str
    resource_action_parameters: tuple[ActionParameter, ...] | None = None


class LogQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """`filter` is a text that lines hold; with a leading `!`, one that they do not. `tailLines` 0: all there are."""

    namespace: str = ""
    pod_name: str = ""
    container: str = ""
    group: str = ""
    kind: str = ""
    resource_name: str = ""
    follow: bool = False
    previous: bool = False
    tail_lines: int = 0
    since_seconds: int = 0
    since_time: str = ""
    filter: str = ""
    match_case: bool = False


class ArgoObjects:
    """The handlers."""

    def __init__(self, apps: ArgoApps, objects: Objects, reaches: Reaches, trees: Trees) -> None:
        self._apps = apps
        self._trees = trees
        self._objects = objects
        self._reaches = reaches

    async def get(self, call: Call) -> Answer:
        seen = await self._objects.seen(call, call.query.ref)
        return Answer(body={"manifest": _text(shown(seen.manifest, managed_fields=True))})

    async def patch(self, call: Call) -> Answer:
        """The body is a text that holds the patch."""
        if call.query.patch_type not in ("", MERGE):
            raise BadQuery(f"{call.query.patch_type[:60]} is not taken here", field="patchType", hint=f"send {MERGE}")
        done = await self._objects.patched(call, call.query.ref, read_patch(call.body))
        return Answer(body={"manifest": _text(shown(done.after or {}, managed_fields=True))})

    async def delete(self, call: Call) -> Answer:
        propagation: Propagation = (
            "Orphan" if call.query.orphan else ("Background" if call.query.force else "Foreground")
        )
        await self._objects.deleted(call, call.query.ref, propagation, force=call.query.force)
        return Answer(body={})

    async def actions(self, call: Call) -> Answer:
        seen = await self._objects.seen(call, call.query.ref)
        found = actions_of(seen.manifest, seen.ref.group_kind)
        return Answer(body={"actions": [action_row(one) for one in found]})

    async def act(self, call: Call) -> Answer:
        await self._objects.acted(call, call.query.ref, call.body, {})
        return Answer(body={})

    async def act_v2(self, call: Call) -> Answer:
        parameters = {one.name: one.value for one in call.body.resource_action_parameters or ()}
        await self._objects.acted(call, call.body.ref, call.body.action, parameters)
        return Answer(body={})

    async def events(self, call: Call) -> Answer:
        """Events as Kubernetes has them."""
        query = call.query
        known = self._apps.known(call)
        refs = self._named(known, query) if query.resource_name else [known.ref]
        found = [event for ref in refs for event in await self._events_of(call, ref)]
        return Answer(body={"metadata": {}, "items": [shown(one) for one in found]})

    async def _events_of(self, call: Call, ref: ObjectRef) -> tuple[Manifest, ...]:
        """None of what the tree still shows and has gone."""
        try:
            return await self._objects.events_of(call, ref)
        except TrueupError as error:
            if status_of(error) == 404:
                return ()
            raise

    def _named(self, known: Known, query: EventQuery) -> list[ObjectRef]:
        """Argo CD tells no kind: those of the Application's objects that are called so."""
        view = self._trees.tree(known.ref)
        nodes = view.nodes if view is not None else remembered(known, utc_now())
        return [
            node.ref
            for node in nodes
            if (node.ref.namespace, node.ref.name) == (query.resource_namespace, query.resource_name)
            and query.resource_uid in ("", node.uid)
        ]

    async def logs(self, call: Call) -> Lines:
        query = call.query
        ref: ObjectRef | None = None
        if pod := call.path.get("pod") or query.pod_name:
            ref = ObjectRef("", "Pod", query.namespace, pod)
        elif query.kind and query.resource_name:
            ref = ObjectRef(query.group, query.kind, query.namespace, query.resource_name)
        reach = self._reaches.of(call.caller, self._apps.known(call), ref)
        found = await reach.logs(LogsOf(ref=ref, container=query.container), log_options(query))
        return Lines(source=_log(found.lines))


def log_options(query: LogQuery) -> LogOptions:
    return LogOptions(
        follow=query.follow,
        previous=query.previous,
        tail=query.tail_lines if query.tail_lines > 0 else None,
        since_seconds=query.since_seconds if query.since_seconds > 0 else None,
        since_time=query.since_time,
        pattern=re.escape(query.filter.removeprefix("!")),
        match_case=query.match_case,
        invert=query.filter.startswith("!"),
    )


async def _log(lines: AsyncGenerator[list[LogLine], None]) -> AsyncIterator[bytes]:
    async with aclosing(lines):
        async for some in lines:
            yield b"".join(encode_line(line) for line in some)
    yield msgspec.json.encode({"result": {"content": "", "timeStampStr": "", "podName": "", "last": True}}) + b"\n"


def encode_line(line: LogLine) -> bytes:
    at = format_time(line.at) if line.at else ""
    result = {"content": line.text, "timeStampStr": at, "podName": line.pod, "last": False}
    return msgspec.json.encode({"result": result | ({"timeStamp": at} if at else {})}) + b"\n"


def action_row(action: Action) -> dict[str, Any]:
    row: dict[str, Any] = {"name": action.name, "displayName": action.title, "iconClass": ""}
    if action.disabled:
        row["disabled"] = True
    if action.parameters:
        row["params"] = [{"name": one.name, "type": one.type, "default": one.default} for one in action.parameters]
    return row


def read_patch(body: str) -> dict[str, Any]:
    """Raises BadQuery."""
    try:
        patch = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadQuery(f"the patch is no JSON: {error}", field="body") from error
    if not isinstance(patch, dict):
        raise BadQuery("a merge patch is an object", field="body")
    return patch


def _text(manifest: Any) -> str:
    return msgspec.json.encode(manifest).decode()


def _fine(verb: str) -> Callable[[Call], str]:
    """`delete/apps/Deployment/shop/web`, as policies name it."""

    def action(call: Call) -> str:
        ref = call.query.ref
        return f"{verb}/{ref.group}/{ref.kind}/{ref.namespace}/{ref.name}"

    return action


def _action(call: Call) -> str:
    return f"action/{call.query.group}/{call.query.kind}/{call.body}"


def _action_v2(call: Call) -> str:
    return f"action/{call.body.group}/{call.body.kind}/{call.body.action}"


def operations(objects: ArgoObjects, apps: ArgoApps) -> list[Operation]:
    def at(name: str, method: str, path: str, summary: str, access: Needs, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"argo.resource-{name}",
            method=method,
            path=APP + path,
            summary=summary,
            access=access,
            surface=Surface.ARGOCD,
            handler=handler,
            **({"query": ResourceQuery} | more),
        )

    def needs(action: str, exact: Callable[[Call], str] | None = None) -> Needs:
        return Needs("applications", action, apps.target, exact)

    read, logs = needs("get"), Needs("logs", "get", apps.target)
    log = {"query": LogQuery, "streams": True}
    return [
        at("get", "GET", "/resource", "One object as it is", read, objects.get),
        at("patch", "POST", "/resource", "Change it", needs("update/*", _fine("update")), objects.patch,
           query=PatchQuery, body=str),
        at("delete", "DELETE", "/resource", "Delete it", needs("delete/*", _fine("delete")), objects.delete,
           query=DeleteQuery),
        at("actions", "GET", "/resource/actions", "What may be done with it", read, objects.actions),
        at("act", "POST", "/resource/actions", "Do it", needs("action/*", _action), objects.act, body=str),
        at("act-v2", "POST", "/resource/actions/v2", "Do it, with parameters", needs("action/*", _action_v2), objects.act_v2,
           query=Place, body=ActionBody),
        at("events", "GET", "/events", "Kubernetes' Events", read, objects.events, query=EventQuery),
        at("logs", "GET", "/logs", "Logs of its pods", logs, objects.logs, **log),
        at("pod-logs", "GET", "/pods/{pod}/logs", "Logs of a pod", logs, objects.logs, **log),
    ]  # fmt: skip
