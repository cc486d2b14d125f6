"""Kubernetes' Events about everything in an App's tree, as long as the clusters keep them; nothing of them is recorded."""

from __future__ import annotations

from trueup.apps.objects.asks import EventRows
from trueup.apps.objects.events import chosen
from trueup.model.errors import Transient
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.api.refusals import Refused
from trueup.server.live.place import Reaches, declared
from trueup.server.world.operations import APP, Apps
from trueup.server.world.treeoperations import visible_nodes
from trueup.server.world.trees import Trees


class TreeEvents:
    def __init__(self, apps: Apps, trees: Trees, reaches: Reaches) -> None:
        self._apps = apps
        self._trees = trees
        self._reaches = reaches

    async def get(self, call: Call) -> Answer:
        """Of objects in a cluster that is not reached it is said why; the App's own are told all the same."""
        known = self._apps.known(call)
        tree = self._trees.tree(known.ref)
        if tree is not None:
            nodes = await visible_nodes(call, self._trees, known.ref, tree.nodes)
            refs = {known.ref, *(node.ref for node in nodes)}
        else:
            found = declared(known)
            sees = await call.sight(found)
            refs = {known.ref, *filter(sees, found)}
        if not known.elsewhere:
            return Answer(body=await self._reaches.of(call.caller, known).all_events(refs))
        own = await self._reaches.of(call.caller, known, known.ref).all_events({known.ref})
        try:
            there = await self._reaches.of(call.caller, known).all_events(refs - {known.ref})
        except (Refused, Transient) as error:
            there = EventRows(items=(), notes=(error.message,))
        return Answer(body=chosen((*own.items, *there.items), refs, (*own.notes, *there.notes)))


def operations(events: TreeEvents, apps: Apps) -> list[Operation]:
    return [
        Operation(
            id="objects.all-events",
            method="GET",
            path=APP + "/tree/kubernetes-events",
            summary="Kubernetes' Events about everything in an App's tree, that the cluster still has",
            access=Needs("applications", "get", apps.target),
            answer=EventRows,
            handler=events.get,
        )
    ]
