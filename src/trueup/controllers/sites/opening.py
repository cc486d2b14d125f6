"""Makes the parts of a site from a client of its cluster; the same for the controller's own cluster and for every other.

Watches are opened on the caller's stack and end with it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import structlog

from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import LiveView
from trueup.cluster.resource import Resource
from trueup.controllers.adapters import Appliers, ClusterWatches
from trueup.controllers.capabilities import ClusterCapabilities
from trueup.controllers.definitions import Definition, Definitions
from trueup.controllers.managed import Kept, Listener, ManagedObjects
from trueup.controllers.releases.index import SELECTOR, RecordRow, ReleaseIndex, reduce_record
from trueup.controllers.releases.reads import Lookups, RecordLists
from trueup.controllers.releases.shell import ReleaseShell
from trueup.controllers.shell import AppShell, Renderer
from trueup.controllers.sites.reach import EVERYTHING, Reach
from trueup.controllers.tracking import Tracking
from trueup.controllers.trees.below import Below, reduce_below
from trueup.controllers.trees.branch import Branch
from trueup.controllers.trees.kinds import Watched
from trueup.controllers.trees.trees import Trees
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.rendering import Capabilities
from trueup.render.releases import ReleaseEngine
from trueup.sync.facts import AppliedRecord
from trueup.sync.order import CRD

log = structlog.get_logger(__name__)

T = TypeVar("T")
VERSIONS_OF_A_KIND = 3
"""How many versions of one kind may be watched at once: Apps that declare a kind differently are rare."""
AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


@dataclass(frozen=True, slots=True)
class Means:
    """What all sites are made with."""

    record_of: Callable[[ObjectRef, ObjectRef], AppliedRecord | None]
    listener: Callable[[Callable[[ObjectRef], None]], Listener]
    """Given what the site's tree is to hear of health."""
    renderer: Callable[[Callable[[], Capabilities]], Renderer]
    """Renders for a cluster that can do this."""
    engine: ReleaseEngine
    trees: Trees
    release_changed: Callable[[ObjectRef, str], None]
    kind_appeared: Callable[[GroupKind], None]
    secret_key: bytes
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Parts:
    """All that is a cluster's own of an `AppShell`."""

    client: KubeClient
    renderer: Renderer
    capabilities: ClusterCapabilities
    managed: ManagedObjects
    tracking: Tracking
    control: ClusterApplier
    applier_for: Appliers
    definitions: Definitions
    releases: ReleaseShell
    branch: Branch

    def within(self, shell: AppShell) -> AppShell:
        """That world, with this cluster in it."""
        return replace(
            shell,
            renderer=self.renderer,
            capabilities=self.capabilities.look,
            managed=self.managed,
            tracking=self.tracking,
            control=self.control,
            applier_for=self.applier_for,
            access_for=self.applier_for.access,
            established=self.definitions.wait,
            releases=self.releases,
        )


async def make_parts(
    client: KubeClient,
    stack: AsyncExitStack,
    means: Means,
    *,
    patience: float | None = None,
    reach: Reach = EVERYTHING,
) -> Parts:
    """Views are open, and nothing is watched yet. `patience`: seconds that a first list of a kind may take; None: any time."""
    capabilities = ClusterCapabilities(client)
    await capabilities.look(fresh=False)
    below: LiveView[Below] = await stack.enter_async_context(
        LiveView(client, lambda obj: reduce_below(obj, means.clock()))
    )
    managed = ManagedObjects(
        means.record_of,
        means.listener(lambda ref: branch.fares_otherwise(ref)),
        means.secret_key,
        means.clock,
    )
    views: list[LiveView[Kept]] = [
        await stack.enter_async_context(LiveView(client, managed.reduce)) for _ in range(VERSIONS_OF_A_KIND)
    ]
    tracking = Tracking(ClusterWatches(client, views, patience=patience, reach=reach), managed)
    branch = means.trees.grow(tracking.facts, _BelowWatches(client, below, reach))
    stack.callback(means.trees.cut, branch)
    below.subscribe(branch.below_seen)

    def autoscaler_seen(ref: ObjectRef, _before: Kept | None, after: Kept | None, raw: Manifest | None) -> None:
        if ref.kind in AUTOSCALERS:
            managed.scaler_seen(ref, raw if after is not None else None)

    for view in views:
        view.subscribe(managed.seen)
        view.subscribe(branch.managed_seen)
        view.subscribe(autoscaler_seen)
    return Parts(
        client=client,
        renderer=means.renderer(capabilities),
        capabilities=capabilities,
        managed=managed,
        tracking=tracking,
        control=ClusterApplier(client, "trueup"),
        applier_for=Appliers(client, reach),
        definitions=Definitions(client.discovery, means.kind_appeared),
        releases=ReleaseShell(
            engine=means.engine,
            index=ReleaseIndex(means.release_changed),
            lookup_for=Lookups(client),
            listing_for=RecordLists(client),
        ),
        branch=branch,
    )


async def watch_definitions(client: KubeClient, stack: AsyncExitStack, definitions: Definitions) -> None:
    """Raises ApiError where CRDs may not be read."""
    stack.push_async_callback(definitions.close)
    view: LiveView[Definition] = await stack.enter_async_context(LiveView(client, definitions.reduce))
    view.subscribe(definitions.seen)
    await view.track(await client.discovery.resource(CRD.group, "v1", CRD.kind))


async def watch_releases(
    client: KubeClient, stack: AsyncExitStack, index: ReleaseIndex, reach: Reach = EVERYTHING
) -> None:
    """Of Helm's release records only that they are there, and in which state."""
    view: LiveView[RecordRow] = await stack.enter_async_context(LiveView(client, reduce_record))
    view.subscribe(index.seen)
    secret = await client.discovery.resource("", "v1", "Secret")
    index.complete = await track_if_allowed(view, secret, reach.places(namespaced=True), SELECTOR)


async def watch_autoscalers(tracking: Tracking) -> None:
    await tracking.follow([("autoscaling", "v2", "HorizontalPodAutoscaler")])


async def track_if_allowed(view: LiveView[T], resource: Resource, namespaces: set[str] | None, selector: str) -> bool:
    try:
        await view.track(resource, namespaces, selector)
    except ApiError as error:
        log.warning("not watched", resource=resource.name, selector=selector, error=error.message)
        return False
    return True


class _BelowWatches:
    """`controllers.trees.branch.BelowWatches`."""

    def __init__(self, client: KubeClient, view: LiveView[Below], reach: Reach) -> None:
        self._client = client
        self._view = view
        self._reach = reach

    async def follow(self, kind: Watched) -> None:
        resource = await self._client.discovery.resource(kind.group, kind.version, kind.kind)
        places = self._reach.places(namespaced=resource.namespaced)
        if places != set():
            await self._view.track(resource, places)
