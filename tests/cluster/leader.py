"""A process that holds a Lease and writes as fast as it can, until it may not: `python -m tests.cluster.leader KUBECONFIG NAMESPACE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.election import LeaseTiming
from trueup.cluster.lease import ClusterLeases, Lease
from trueup.model.apierror import LeaseLost

QUICK = LeaseTiming(duration=3, renew_every=0.5, retry_every=0.1, look_every=0.1, margin=1)


async def lead(kubeconfig: Path, namespace: str) -> None:
    async with KubeClient(load_config(kubeconfig)) as client:
        try:
            async with Lease(ClusterLeases(client), "leader", namespace, "child", timing=QUICK).hold() as term:
                writer = client.guarded(term)
                number = 0
                while True:
                    number += 1
                    written = {
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "metadata": {"name": "written", "namespace": namespace},
                        "data": {"by": "child", "number": str(number)},
                    }
                    await writer.apply(written, manager="child")
        except LeaseLost as lost:
            print(f"lost: {lost.message}", flush=True)


if __name__ == "__main__":
    asyncio.run(lead(Path(sys.argv[1]), sys.argv[2]))
