"""What is administered, by the server's own operations on a cluster and a store in memory: places, projects, settings, accounts."""

from __future__ import annotations

from typing import Any, cast

from tests.server.pages.stage.cluster import NAMESPACE, Cluster
from trueup.server.about import About, about_operations
from trueup.server.api.operation import Operation
from trueup.server.argo import badge
from trueup.server.argo import settings as argosettings
from trueup.server.identity.whole import IdentityService
from trueup.server.keeping import may, placekeeping, places, projects, settings
from trueup.server.linking.filling import Linking
from trueup.server.live.place import Clients
from trueup.server.world.world import World

SOURCE = "/api/trueup/v1/sources/{kind}/{namespace}/{name}"


def administered(world: World, cluster: Cluster, identity: IdentityService, links: Linking) -> list[Operation]:
    clients = cast("Clients", cluster)
    kept = [
        placekeeping.Keeping(placekeeping.REPOSITORIES, world, clients),
        placekeeping.Keeping(placekeeping.CLUSTERS, world, clients),
    ]
    about = About(list, lambda: (len(world.apps), len(world.sources), 1))
    ours = [one for one in identity.operations() if one.part == "accounts"]
    return [
        *places.operations(places.Places(world, clients)),
        *placekeeping.operations(*cast("Any", kept)),
        *projects.operations(projects.Projects(world, clients)),
        *settings.operations(settings.SettingsKeeping(clients, NAMESPACE, lambda text: text, links)),
        *about_operations(about),
        *badge.operations(badge.Badge(world, lambda: identity.settings().data)),
        *argosettings.operations(argosettings.ArgoSettings(world, identity.settings)),
        *may.operations(may.May(world)),
        *ours,
    ]
