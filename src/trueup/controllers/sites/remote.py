"""Opens the site of another cluster: a client, the same parts as at home, and what tells one cluster from another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import structlog
from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.cluster.foreign import identity_of
from trueup.cluster.guard import WriteGuard
from trueup.cluster.retry import RetryPolicy
from trueup.cluster.transport import OnRequest
from trueup.controllers.shell import AppShell
from trueup.controllers.sites.hosting import Opened
from trueup.controllers.sites.opening import (
    Means,
    make_parts,
    watch_autoscalers,
    watch_definitions,
    watch_releases,
)
from trueup.controllers.sites.site import UNNAMED, ClusterReplaced, Site
from trueup.controllers.sites.ways import Way
from trueup.model.apierror import ApiError
from trueup.model.manifest import uid_of

log = structlog.get_logger(__name__)

KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
PROBE_SECONDS = 10.0
LIST_SECONDS = 30.0
"""For how long a sync waits until a kind is listed there, before it says that the cluster does not answer."""
RETRY = RetryPolicy(attempts=3)
"""Fewer tries than at home: whoever waits for a cluster that is away holds a worker."""


class RemoteSites:
    """`controllers.sites.hosting.Open`."""

    def __init__(
        self,
        home: AppShell,
        means: Means,
        *,
        guard: WriteGuard | None,
        on_request: OnRequest,
        in_flight: int,
    ) -> None:
        self._home = home
        self._means = means
        self._guard = guard
        self._on_request = on_request
        self._in_flight = in_flight

    async def __call__(self, way: Way, stack: AsyncExitStack, doubt: Callable[[], None]) -> Opened:
        def noted(verb: str, resource: str, code: int, seconds: float) -> None:
            self._on_request(verb, resource, code, seconds)
            if code in (0, 401):
                doubt()

        client = await stack.enter_async_context(
            KubeClient(way.config, max_in_flight=self._in_flight, retry=RETRY, guard=self._guard, on_request=noted)
        )

        await client.raw("GET", "/version", seconds=PROBE_SECONDS)
        cluster_id = await cluster_id_of(client, way.config)

        async def probe() -> None:
            check_same(way.name, cluster_id, (await client.raw("GET", KUBE_SYSTEM, seconds=PROBE_SECONDS)).body)

        parts = await make_parts(client, stack, self._means, patience=LIST_SECONDS, reach=way.reach)
        try:
            await watch_definitions(client, stack, parts.definitions)
        except ApiError as error:
            log.warning("CRDs are not watched there", site=way.name, error=error.message)
        await watch_releases(client, stack, parts.releases.index, way.reach)
        await watch_autoscalers(parts.tracking)
        return Opened(
            site=Site(
                name=way.name,
                cluster_id=cluster_id,
                shell=parts.within(self._home),
                branch=parts.branch,
            ),
            probe=probe,
            tasks=(parts.managed.run, parts.branch.follow, parts.branch.foresee),
        )


def check_same(name: str, cluster_id: str, namespace: bytes) -> None:
    """Raises ClusterReplaced when what it now answers for `kube-system` has another uid than the site was opened with."""
    try:
        uid = msgspec.json.decode(namespace, type=_Namespace).metadata.uid
    except msgspec.DecodeError:
        return  # something answers, and what it does not know it says to whoever asks for it
    if uid and uid != cluster_id and not cluster_id.startswith(UNNAMED):
        raise ClusterReplaced(f"another cluster answers as {name}", hint="wait a moment: it is looked at anew")


class _Metadata(Struct, frozen=True):
    uid: str = ""


class _Namespace(Struct, frozen=True):
    metadata: _Metadata = _Metadata()


async def cluster_id_of(client: KubeClient, config: ClusterConfig) -> str:
    """The uid of `kube-system`; where that may not be read, what is known of the server instead."""
    resource = await client.discovery.resource("", "v1", "Namespace")
    try:
        found = await client.get(resource, "kube-system")
    except ApiError as error:
        if not error.is_forbidden:
            raise
        found = None
    return uid_of(found) if found else f"{UNNAMED}{identity_of(config.server, config.tls.ca)[:32]}"
