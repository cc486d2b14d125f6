"""An Application's objects in Argo CD's shapes: the resource tree, managed resources and desired manifests.

The tree is the live one that controllers tell of; what is declared is asked of the controller that serves the Application.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from trueup.apps.comparison import CompareWish, Comparison, ObjectComparison
from trueup.apps.livetree import LiveNode
from trueup.dialects.reading import format_time
from trueup.model.manifest import Manifest, resource_version_of, spec_of, status_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Event, Events, Lines, Needs, Operation, Surface
from trueup.server.api.refusals import NotFound
from trueup.server.argo.finding import APP, V1, ArgoApps, Place
from trueup.server.argo.reading import EVENT_STREAM
from trueup.server.comparing.operations import Asks, compared
from trueup.server.linking.declared import leads_out
from trueup.server.world.rows import Known
from trueup.server.world.treeoperations import remembered, visible_nodes
from trueup.server.world.treerows import health_word
from trueup.server.world.trees import Trees

FRAME_SECONDS = 0.25
RIGHTS_SECONDS = 15.0
_HEALTHS = frozenset({"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"})


class ManagedQuery(Place, frozen=True, kw_only=True, rename="camel"):
    """Only such objects."""

    namespace: str = ""
    name: str = ""
    version: str = ""
    group: str = ""
    kind: str = ""
    fields: str = ""


class ManifestQuery(Place, frozen=True, kw_only=True, rename="camel"):
    revision: str = ""
    fields: str = ""


class TreeQuery(ManagedQuery, frozen=True, kw_only=True, rename="camel"):
    pass


class ArgoTrees:
    """The handlers."""

    def __init__(self, apps: ArgoApps, trees: Trees, controllers: Asks) -> None:
        self._apps = apps
        self._trees = trees
        self._controllers = controllers

    async def tree(self, call: Call) -> Answer:
        return Answer(body=await self._tree(call, self._apps.known(call)))

    async def follow(self, call: Call) -> Events | Lines:
        told = self._changes(call)
        if EVENT_STREAM in call.request.headers.get("Accept", ""):
            return Events(source=_events(told))
        return Lines(source=_lines(told))

    async def managed(self, call: Call) -> Answer:
        known, query = self._apps.known(call), call.query
        comparison = await compared(call, self._controllers, CompareWish(app=known.ref))
        wanted = {"group": query.group, "kind": query.kind, "namespace": query.namespace, "name": query.name}
        chosen = [
            one
            for one in (*comparison.objects, *comparison.hooks)
            if all(not value or getattr(one.ref, name) == value for name, value in wanted.items())
        ]
        return Answer(body={"items": [managed_row(one) for one in chosen]})

    async def manifests(self, call: Call) -> Answer:
        known = self._apps.known(call)
        wish = CompareWish(app=known.ref, revision=call.query.revision, dry_run=False)
        return Answer(body=manifests_answer(known.obj, await compared(call, self._controllers, wish)))

    async def _tree(self, call: Call, known: Known) -> dict[str, Any]:
        """Without a controller what the status remembers."""
        view = self._trees.tree(known.ref)
        nodes = view.nodes if view is not None else remembered(known, utc_now())
        shown = await visible_nodes(call, self._trees, known.ref, nodes)
        return tree_of(shown, (lambda node: self._owner(known.ref, node)) if view is not None else (lambda _: None))

    def _owner(self, app: ObjectRef, node: LiveNode) -> LiveNode | None:
        parent = self._trees.parent(app, node)
        return self._trees.node(app, parent) if parent is not None else None

    async def _changes(self, call: Call) -> AsyncIterator[bytes]:
        """The whole tree each time that it changed, at most four times a second, as long as the caller may see it."""
        last = b""
        while True:
            try:
                await call.require("applications", "get", self._apps.target(call))
            except NotFound:
                return
            app = self._apps.known(call)
            now = msgspec.json.encode({"result": await self._tree(call, app)})
            news = self._trees.news(app.ref, "")
            if now != last:
                last = now
                yield now
            await asyncio.sleep(FRAME_SECONDS)
            try:
                async with asyncio.timeout(RIGHTS_SECONDS):
                    await self._trees.wait(app.ref, news.event_id, news.problem)
            except TimeoutError:
                continue


async def _events(told: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    async for one in told:
        yield Event(one)


async def _lines(told: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for one in told:
        yield one + b"\n"


def tree_of(nodes: Any, owner: Callable[[LiveNode], LiveNode | None]) -> dict[str, Any]:
    """Pure. Objects that are only wished for have no uid, and are in the list all the same, as Argo CD has them."""
    return {"nodes": [node_row(node, owner(node)) for node in sorted(nodes, key=lambda one: one.ref)]}


def node_row(node: LiveNode, owner: LiveNode | None) -> dict[str, Any]:
    sight = node.sight
    row: dict[str, Any] = {
        **_place(node.ref, node.version),
        "uid": node.uid,
        "resourceVersion": node.resource_version,
        "parentRefs": [{**_place(owner.ref, owner.version), "uid": owner.uid}] if owner is not None else None,
        "info": _info(node),
        "networkingInfo": _networking(node),
        "images": list(sight.images),
        "createdAt": format_time(sight.created) if sight.created else None,
    }
    if (word := health_word(node) or ("Healthy" if node.health else "")) in _HEALTHS:
        row["health"] = {"status": word} | ({"message": node.message} if node.message else {})
    return {name: value for name, value in row.items() if value}


def _place(ref: ObjectRef, version: str) -> dict[str, str]:
    place = {"group": ref.group, "version": version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    return {name: value for name, value in place.items() if value}


def _info(node: LiveNode) -> list[dict[str, str]]:
    sight = node.sight
    if (node.ref.group, node.ref.kind) != ("", "Pod"):
        return []
    found = {"Status Reason": sight.reason or sight.phase, "Node": sight.node}
    if sight.wanted is not None:
        found["Containers"] = f"{sight.ready or 0}/{sight.wanted}"
    if sight.restarts:
        found["Restart Count"] = str(sight.restarts)
    return [{"name": name, "value": value} for name, value in found.items() if value]


def _networking(node: LiveNode) -> dict[str, Any]:
    sight = node.sight
    urls = [text for text in sight.urls if leads_out(text.rpartition("|")[2].strip())]
    if node.ref.kind not in ("Service", "Ingress", "HTTPRoute"):
        return {"externalURLs": urls} if urls else {}
    found: dict[str, Any] = {
        "externalURLs": urls,
        "targetRefs": [_place(ref, "") for ref in sight.targets],
        "ingress": [{"hostname": name} for name in sight.hosts] + [{"ip": one} for one in sight.addresses],
    }
    return {name: value for name, value in found.items() if value}


def managed_row(one: ObjectComparison) -> dict[str, Any]:
    """States are JSON texts; one that is not there is `null`, as Argo CD writes it. Cut to what people decide."""
    row: dict[str, Any] = {
        **_place(one.ref, ""),
        "targetState": _text(None if one.action == "prune" else one.after),
        "liveState": _text(one.before),
        "normalizedLiveState": _text(one.before),
        "predictedLiveState": _text(one.after),
        "resourceVersion": resource_version_of(one.before) if one.before else "",
        "hook": bool(one.hook),
        "modified": bool(one.fields) or one.action not in ("unchanged", ""),
    }
    return {name: value for name, value in row.items() if value not in ("", False)}


def _text(state: Manifest | None) -> str:
    return msgspec.json.encode(state).decode()


def manifests_answer(app: Manifest, comparison: Comparison) -> dict[str, Any]:
    destination = spec_of(app).get("destination") or {}
    answer = {
        "manifests": [_text(one.after) for one in (*comparison.objects, *comparison.hooks) if one.after is not None],
        "namespace": destination.get("namespace"),
        "server": destination.get("server"),
        "revision": commit_of(comparison.full_revision),
        "sourceType": status_of(app).get("sourceType"),
    }
    return {name: value for name, value in answer.items() if value or name == "manifests"}


def commit_of(revision: str) -> str:
    """`main@sha1:COMMIT` as Argo CD has it: the commit alone."""
    return revision.rpartition("@")[2].removeprefix("sha1:")


def operations(trees: ArgoTrees, apps: ArgoApps) -> list[Operation]:
    def get(name: str, path: str, summary: str, handler: Any, query: Any, *, streams: bool = False) -> Operation:
        return Operation(
            id=f"argo.app-{name}",
            method="GET",
            path=path,
            summary=summary,
            access=Needs("applications", "get", apps.target),
            query=query,
            streams=streams,
            surface=Surface.ARGOCD,
            handler=handler,
        )

    stream = V1 + "/stream/applications/{application}/resource-tree"
    return [
        get("tree", APP + "/resource-tree", "The tree of its objects", trees.tree, TreeQuery),
        get("tree-follow", stream, "The same as it changes", trees.follow, TreeQuery, streams=True),
        get(
            "managed", APP + "/managed-resources", "Live and desired state of its objects", trees.managed, ManagedQuery
        ),
        get("manifests", APP + "/manifests", "What is declared", trees.manifests, ManifestQuery),
    ]
