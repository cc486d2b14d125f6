"""All operations of Argo CD's API on Applications and what belongs to them, put together."""

from __future__ import annotations

from trueup.server.acting.apps import Acting
from trueup.server.api.operation import Operation
from trueup.server.argo import changing, reading, syncing
from trueup.server.argo.finding import ArgoApps
from trueup.server.live.place import Clients
from trueup.server.world.world import World


def operations(world: World, clients: Clients) -> list[Operation]:
    apps = ArgoApps(world)
    acting = Acting(world, apps, clients)
    return [
        *reading.operations(reading.Reading(apps, world.apps, acting), apps),
        *changing.operations(changing.Changing(world, apps, acting), apps),
        *syncing.operations(syncing.Syncing(apps, acting), apps),
    ]
