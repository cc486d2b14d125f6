"""Kubernetes' Events about everything in an App's tree, as long as the cluster keeps them; nothing of them is recorded.

One list for each namespace, whatever the number of objects, as the person. What cannot be listed is said, and hides nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from trueup.apps.events import EventRow, read_event
from trueup.cluster.client import KubeClient
from trueup.model.apierror import ApiError
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.live.place import Clients, check_here, declared
from trueup.server.world.operations import APP, Apps
from trueup.server.world.treeoperations import visible_nodes
from trueup.server.world.trees import Trees

MOST_NAMESPACES = 20
"""Those with the most objects of the App."""
PAGE = 2000
"""Events that are read of a namespace."""
MOST = 500
AT_ONCE = 4


class TreeEventList(Struct, frozen=True, kw_only=True):
    """The newest last. `notes`: what is not among them, and why."""

    items: tuple[EventRow, ...]
    notes: tuple[str, ...]


class TreeEvents:
    def __init__(self, apps: Apps, trees: Trees, clients: Clients) -> None:
        self._apps = apps
        self._trees = trees
        self._clients = clients

    async def get(self, call: Call) -> Answer:
        """Raises Elsewhere for an App whose objects live in another cluster."""
        known = self._apps.known(call)
        check_here(known)
        tree = self._trees.tree(known.ref)
        if tree is not None:
            nodes = await visible_nodes(call, self._trees, known.ref, tree.nodes)
            refs = {known.ref, *(node.ref for node in nodes)}
        else:
            found = declared(known)
            sees = await call.sight(found)
            refs = {known.ref, *filter(sees, found)}
        client, turn, notes = self._clients.of(call.caller), asyncio.Semaphore(AT_ONCE), list[str]()
        counts = Counter(ref.namespace or "default" for ref in refs)
        asked = [namespace for namespace, _ in counts.most_common(MOST_NAMESPACES)]
        if len(counts) > len(asked):
            notes.append(f"of {len(counts)} namespaces the {len(asked)} with the most objects were asked")

        async def of(namespace: str) -> list[EventRow]:
            async with turn:
                return await _listed(client, namespace, notes)

        rows = [row for some in await asyncio.gather(*map(of, asked)) for row in some]
        return Answer(body=chosen(rows, refs, tuple(notes)))


def chosen(rows: Iterable[EventRow], refs: set[ObjectRef], notes: tuple[str, ...]) -> TreeEventList:
    """Those about the objects, the newest last."""
    fitting = sorted((row for row in rows if row.ref in refs), key=lambda row: row.at)
    if len(fitting) > MOST:
        notes = (*notes, f"the newest {MOST} of {len(fitting)}")
    return TreeEventList(items=tuple(fitting[-MOST:]), notes=notes)


async def _listed(client: KubeClient, namespace: str, notes: list[str]) -> list[EventRow]:
    resource = await client.discovery.resource("", "v1", "Event")
    try:
        page = await client.list_page(resource, namespace, limit=PAGE)
    except ApiError as error:
        if not error.is_forbidden:
            raise
        notes.append(f"you may not list events in namespace {namespace}")
        return []
    if page.continue_token:
        notes.append(f"namespace {namespace} has more than {PAGE} events, of which {PAGE} were read")
    return [read_event(event) for event in page]


def operations(events: TreeEvents, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="objects.all-events",
            method="GET",
            path=APP + "/tree/kubernetes-events",
            summary="Kubernetes' Events about everything in an App's tree, that the cluster still has",
            access=Needs("applications", "get", apps.target),
            answer=TreeEventList,
            handler=events.get,
        )
    ]
