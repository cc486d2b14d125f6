"""All operations of Argo CD's API on Applications and what belongs to them, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import structs

from trueup.server.acting.apps import Acting
from trueup.server.acting.overriding import is_guarded
from trueup.server.api.operation import Operation
from trueup.server.argo import (
    badge,
    certificates,
    changing,
    objects,
    placechanges,
    placeprobes,
    places,
    projects,
    reading,
    revisions,
    syncing,
    trees,
    webhook,
)
from trueup.server.argo import settings as argosettings
from trueup.server.argo.connections import Connections
from trueup.server.argo.finding import ArgoApps
from trueup.server.comparing.operations import Asks
from trueup.server.identity.argooperations import ANY_JSON
from trueup.server.identity.settings import Settings
from trueup.server.keeping.placekeeping import CLUSTERS, REPOSITORIES, Keeping
from trueup.server.keeping.places import Places
from trueup.server.keeping.projects import Projects
from trueup.server.linking.filling import Linking, NoLinks
from trueup.server.linking.linking import DeepLinks
from trueup.server.live.far import Far
from trueup.server.live.objects import Objects
from trueup.server.live.place import Clients, Reaches
from trueup.server.world.trees import Trees
from trueup.server.world.world import World

NOWHERE = webhook.Forwarding(())
"""For whom no controller is known."""
NO_LINKS = NoLinks()


def operations(
    world: World,
    clients: Clients,
    live: Trees,
    controllers: Asks,
    forwarding: webhook.Forwarding = NOWHERE,
    settings: Callable[[], Settings] = Settings,
    far: Far | None = None,
    links: Linking = NO_LINKS,
) -> list[Operation]:
    """`settings`: as they are now."""
    apps = ArgoApps(world)
    reaches = Reaches(clients, far, apps.is_app)
    acting = Acting(world, apps, clients, guarded=lambda: is_guarded(settings().data))
    repositories, clusters = Keeping(REPOSITORIES, world, clients), Keeping(CLUSTERS, world, clients)
    kept = projects.ArgoProjects(world, Projects(world, clients), clients, repositories, clusters)
    connections = Connections(controllers)
    repository_changes = placechanges.RepositoryChanges(repositories, clients, connections, templates=False)

    def data() -> Mapping[str, str]:
        return settings().data

    seen = Objects(apps, reaches)
    deep = DeepLinks(world, clients, seen, links, lambda: settings().urls, live)
    found = [
        *reading.operations(reading.Reading(apps, world.apps, acting), apps),
        *changing.operations(changing.Changing(world, apps, acting), apps),
        *syncing.operations(syncing.Syncing(apps, acting), apps),
        *trees.operations(trees.ArgoTrees(apps, live, controllers), apps),
        *objects.operations(objects.ArgoObjects(apps, seen, reaches, live), apps),
        *revisions.operations(revisions.Belongings(world, apps, controllers, deep), apps, kept),
        *projects.operations(kept),
        *places.operations(places.ArgoPlaces(Places(world, clients), repositories, clusters, connections, clients)),
        *placechanges.operations(
            repository_changes,
            placechanges.RepositoryChanges(repositories, clients, connections, templates=True),
            placechanges.ClusterChanges(world, clusters, clients, connections),
        ),
        *placeprobes.operations(placeprobes.RepositoryProbes(repository_changes, controllers)),
        *certificates.operations(certificates.Certificates(clients, world.control_namespace)),
        *badge.operations(badge.Badge(world, data)),
        *argosettings.operations(argosettings.ArgoSettings(world, settings)),
        *webhook.operations(forwarding),
    ]
    return [structs.replace(one, body_media_types=ANY_JSON) if one.body is not None else one for one in found]
