"""The rooms below, in the shape that the loops ask for. No decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
import structlog
from msgspec import Struct

from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import LiveView
from trueup.cluster.resource import Resource
from trueup.controllers.access import Access
from trueup.controllers.managed import Kept
from trueup.controllers.metrics import Metrics
from trueup.controllers.sites.confined import ConfinedApplier
from trueup.controllers.sites.reach import EVERYTHING, Reach
from trueup.controllers.status import Patch
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed
from trueup.model.app import SyncRules
from trueup.model.errors import AuthenticationFailed
from trueup.model.manifest import Manifest, api_version_of, name_of, namespace_of, ref_of
from trueup.model.refs import GroupKind, ObjectRef, split_api_version
from trueup.model.remote import RemoteFetcher
from trueup.model.rendering import RenderSpec
from trueup.model.snapshot import Snapshot
from trueup.render.render import Rendered, Renderer
from trueup.sync.facts import LiveFacts

log = structlog.get_logger(__name__)

STATUS_MANAGER = "trueup"
TOKEN_SECONDS = 3600
"""For how long a token for a cloud holds; it is exchanged at once."""


class ClusterWatches:
    """`controllers.tracking.Watches` over live views of managed objects.

    A live view has each kind once; so the first version of a kind that is asked for is in the first view, the second in
    the second, and so on. Beyond the last view a version is not watched, and drift in it is not seen. `patience`: seconds
    that the first list of a kind may take; None: as long as it does.
    """

    def __init__(
        self,
        client: KubeClient,
        views: Sequence[LiveView[Kept]],
        *,
        patience: float | None = None,
        reach: Reach = EVERYTHING,
    ) -> None:
        self._client = client
        self._reach = reach
        self._patience = patience
        self._views = tuple(views)
        self._resources: dict[GroupKind, list[Resource]] = {}

    async def follow(self, group: str, version: str, kind: str) -> None:
        resource = await self._client.discovery.resource(group, version, kind)
        known = self._resources.setdefault(resource.group_kind, [])
        if all(other.version != version for other in known):
            if len(known) == len(self._views):
                log.warning("too many versions of a kind: drift in this one is not seen", resource=str(resource))
                raise KindNotServed(f"{resource} is not watched beside {len(known)} other versions of its kind")
            known.append(resource)
        place = next(index for index, other in enumerate(known) if other.version == version)
        places = self._reach.places(namespaced=resource.namespaced)
        if not known[place].is_watchable or places == set():
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._views[place].track(known[place], places)
        except TimeoutError:
            raise ClusterUnreachable(
                f"{known[place].name} could not be listed within {self._patience:.0f} s",
                hint="check that the cluster answers",
            ) from None

    def is_complete(self, group_kind: GroupKind, version: str = "") -> bool:
        return any(
            view.synced(resource) for view, resource in self._places(group_kind) if version in ("", resource.version)
        )

    def get(self, ref: ObjectRef, version: str = "") -> Kept | None:
        found: list[Kept] = []
        for view, resource in self._places(ref.group_kind):
            kept = view.get(ref)
            if resource.version == version and view.synced(resource):
                return kept
            if kept is not None:
                found.append(kept)
        return next((kept for kept in found if isinstance(kept, LiveFacts)), found[0] if found else None)

    def observe(self, answer: Manifest) -> None:
        _, version = split_api_version(api_version_of(answer))
        for view, resource in self._places(ref_of(answer).group_kind):
            if resource.version == version:
                view.observe(answer)

    def _places(self, group_kind: GroupKind) -> list[tuple[LiveView[Kept], Resource]]:
        return list(zip(self._views, self._resources.get(group_kind, ()), strict=False))


class ClusterEvents:
    """`controllers.events.EventSink`."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def create_event(self, event: Manifest) -> None:
        await self._client.create_event(event)

    async def patch_event(self, namespace: str, name: str, patch: Manifest) -> None:
        resource = await self._client.discovery.resource("", "v1", "Event")
        await self._client.merge_patch(resource, name, namespace, patch, manager=STATUS_MANAGER)


class ClusterPatcher:
    """`controllers.status.Patcher`: patches a dialect's resource at the version that it was read in."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def patch_resource(self, obj: Manifest, patch: Patch) -> Manifest:
        ref = ref_of(obj)
        _, version = split_api_version(str(obj.get("apiVersion", "")))
        resource = await self._client.discovery.resource(ref.group, version, ref.kind)
        return await self._client.merge_patch(
            resource,
            name_of(obj),
            namespace_of(obj),
            patch.body,
            subresource=patch.subresource,
            manager=STATUS_MANAGER,
        )


class Appliers:
    """An applier per identity and field manager: impersonates the App's ServiceAccount where it names one."""

    def __init__(self, client: KubeClient, reach: Reach = EVERYTHING) -> None:
        self._client = client
        self._reach = reach
        self._known: dict[tuple[str, str], ClusterApplier] = {}

    def access(self, rules: SyncRules) -> Access:
        """What people do with the App's objects is done by the same rights."""
        return Access(self._client_for(rules), self._reach.check)

    def _client_for(self, rules: SyncRules) -> KubeClient:
        account = rules.service_account
        return self._client.impersonate(f"system:serviceaccount:{account}") if account else self._client

    def __call__(self, rules: SyncRules) -> ClusterApplier:
        key = (rules.service_account, rules.field_manager)
        applier = self._known.get(key)
        if applier is None:
            client = self._client_for(rules)
            confined = self._reach != EVERYTHING
            manager = rules.field_manager
            applier = ConfinedApplier(client, manager, self._reach) if confined else ClusterApplier(client, manager)
            self._known[key] = applier
        return applier


class AccountTokens:
    """`sources.clouds.clouds.AccountTokens`: a ServiceAccount's token for an audience, by a TokenRequest."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def __call__(self, account: ObjectRef, audience: str) -> str:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": TOKEN_SECONDS},
        }
        path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
        try:
            answer = await self._client.raw("POST", path, body=msgspec.json.encode(body))
        except ApiError as error:
            raise AuthenticationFailed(
                f"the API server gives no token of {account}: {error.message}",
                hint="check that the ServiceAccount is there, and that the controller may create serviceaccounts/token",
            ) from error
        return msgspec.json.decode(answer.body, type=_TokenAnswer).status.token


class _TokenStatus(Struct):
    token: str


class _TokenAnswer(Struct):
    status: _TokenStatus


class CountedRenderer:
    """`controllers.shell.Renderer`: the render room's, with a count of where builds came from."""

    def __init__(self, renderer: Renderer, metrics: Metrics) -> None:
        self._renderer = renderer
        self._metrics = metrics

    async def render(
        self,
        snapshot: Snapshot,
        spec: RenderSpec,
        variables: Mapping[str, str] | None,
        *,
        remotes: RemoteFetcher | None = None,
    ) -> Rendered:
        rendered = await self._renderer.render(snapshot, spec, variables, remotes=remotes)
        self._metrics.renders.labels("cached" if rendered.from_cache else "rendered").inc()
        return rendered
