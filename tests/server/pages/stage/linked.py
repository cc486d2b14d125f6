"""Links into other systems, by the server's own operations: the stage's settings, its Apps, its objects."""

from __future__ import annotations

from typing import Any, cast

from tests.server.pages.stage.cluster import Cluster
from tests.server.pages.stage.plans import Patched
from trueup.apps.objects.asks import Seen
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Operation
from trueup.server.keeping.projects import Projects
from trueup.server.linking.filling import Links
from trueup.server.linking.linking import DeepLinks
from trueup.server.linking.operations import LinkOperations, operations
from trueup.server.live.objects import ObjectQuery, Objects
from trueup.server.live.place import Clients
from trueup.server.world.operations import Apps
from trueup.server.world.trees import Trees
from trueup.server.world.world import World


class _Objects:
    def __init__(self, patched: Patched) -> None:
        self._patched = patched

    async def seen(self, call: Call, ref: ObjectRef) -> Seen:
        del call
        query = ObjectQuery(kind=ref.kind, name=ref.name, group=ref.group, namespace=ref.namespace)
        return Seen(ref=ref, manifest=self._patched.live(query))


def link_operations(world: World, apps: Apps, cluster: Cluster, patched: Patched, links: Links) -> list[Operation]:
    clients: Any = cast("Clients", cluster)
    deep = DeepLinks(
        world, clients, cast("Objects", _Objects(patched)), links, lambda: ("https://trueup.example.com",), Trees()
    )
    return operations(LinkOperations(world, apps, deep), apps, Projects(world, clients))
