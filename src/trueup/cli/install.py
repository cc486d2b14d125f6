"""`trueup install`: CRDs, rights and the controller's Deployment, into any cluster; or printed for Git."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.model.manifest import Manifest, ref_of

INSTALLER = "trueup-install"


async def apply_all(config: ClusterConfig, manifests: Iterable[Manifest]) -> list[str]:
    """Applies manifests in their order, waiting for each CRD's kind to be served; gives the refs that were applied."""
    done: list[str] = []
    async with KubeClient(config) as client:
        for manifest in manifests:
            ref = ref_of(manifest)
            await client.apply(manifest, manager=INSTALLER)
            if ref.kind == "CustomResourceDefinition":
                await _until_served(client, manifest)
            done.append(str(ref))
    return done


async def _until_served(client: KubeClient, crd: Manifest) -> None:
    spec = crd["spec"]
    pause = 0.05
    async with asyncio.timeout(60):
        while True:
            catalog = await client.discovery.refresh()
            if all(
                catalog.find(spec["group"], row["name"], spec["names"]["kind"])
                for row in spec["versions"]
                if row["served"]
            ):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
