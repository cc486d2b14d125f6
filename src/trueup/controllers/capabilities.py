"""What the cluster can do, as charts ask it: its version and the kinds that it serves.

Read from discovery, which is cached; asking anew costs requests only after a CRD changed.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.model.rendering import Capabilities


class _Version(Struct, rename="camel"):
    git_version: str = ""


class ClusterCapabilities:
    """Called, it answers what was last seen; `look` sees anew."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._seen = Capabilities()

    def __call__(self) -> Capabilities:
        return self._seen

    async def look(self, *, fresh: bool = True) -> Capabilities:
        """`fresh`: with kinds that appeared since discovery was last read."""
        discovery = self._client.discovery
        catalog = await (discovery.refresh() if fresh else discovery.catalog())
        version = self._seen.kube_version or await self._version()
        served = {name for each in catalog.resources for name in (each.api_version, f"{each.api_version}/{each.kind}")}
        self._seen = Capabilities(version, frozenset(served))
        return self._seen

    async def _version(self) -> str:
        answer = await self._client.raw("GET", "/version")
        return msgspec.json.decode(answer.body, type=_Version).git_version
