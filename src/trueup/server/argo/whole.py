"""All operations of Argo CD's API on Applications and what belongs to them, put together."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from trueup.server.acting.apps import Acting
from trueup.server.api.operation import Operation
from trueup.server.argo import changing, objects, places, projects, reading, syncing, trees, webhook
from trueup.server.argo.finding import ArgoApps
from trueup.server.comparing.operations import Asks
from trueup.server.identity.argooperations import ANY_JSON
from trueup.server.keeping.places import Places
from trueup.server.keeping.projects import Projects
from trueup.server.live.objects import Objects
from trueup.server.live.place import Clients
from trueup.server.world.trees import Trees
from trueup.server.world.world import World


def operations(
    world: World, clients: Clients, live: Trees, controllers: Asks, urls: Sequence[str] = ()
) -> list[Operation]:
    apps = ArgoApps(world)
    acting = Acting(world, apps, clients)
    found = [
        *reading.operations(reading.Reading(apps, world.apps, acting), apps),
        *changing.operations(changing.Changing(world, apps, acting), apps),
        *syncing.operations(syncing.Syncing(apps, acting), apps),
        *trees.operations(trees.ArgoTrees(apps, live, controllers), apps),
        *objects.operations(objects.ArgoObjects(apps, Objects(apps, clients), clients, live), apps),
        *projects.operations(projects.ArgoProjects(world, Projects(world, clients), clients)),
        *places.operations(places.ArgoPlaces(Places(world, clients))),
        *webhook.operations(webhook.Forwarding(urls)),
    ]
    return [structs.replace(one, body_media_types=ANY_JSON) if one.body is not None else one for one in found]
