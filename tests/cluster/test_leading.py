"""Leadership against API servers that nobody scripted: one process holds the Lease, and one that lost it writes nothing."""

# ruff: noqa: ASYNC110  (conditions of a server have no event of their own)
from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import pytest

from tests.cluster.backends import config_map
from tests.cluster.leader import QUICK
from trueup.cluster.client import KubeClient
from trueup.cluster.election import LeaseTiming
from trueup.cluster.lease import ClusterLeases, Lease
from trueup.model.apierror import LeaseLost
from trueup.model.manifest import resource_version_of


async def test_a_lease_is_held_by_one_and_handed_over(client: KubeClient, namespace: str) -> None:
    timing = LeaseTiming(duration=10, renew_every=0.2, retry_every=0.1, look_every=0.1, margin=1)
    first, second = (
        Lease(ClusterLeases(client), "leader", namespace, identity, timing=timing) for identity in ("a", "b")
    )
    leases = await client.discovery.resolve("lease")
    order: list[str] = []

    async def in_line() -> None:
        async with second.hold():
            order.append("b holds")

    async with asyncio.TaskGroup() as group, first.hold() as term:
        waiting = group.create_task(in_line())
        writer = client.guarded(term)
        await writer.apply(config_map(namespace, "x"), manager="us")
        renewed: set[str] = set()
        while len(renewed) < 3:
            lease = await client.get(leases, "leader", namespace)
            assert lease is not None
            assert lease["spec"]["holderIdentity"] == "a"
            renewed.add(lease["spec"]["renewTime"])
            await asyncio.sleep(0.05)
        assert not waiting.done()
        order.append("a leaves")
    assert order == ["a leaves", "b holds"]
    with pytest.raises(LeaseLost):
        await writer.apply(config_map(namespace, "x", a="1"), manager="us")
    lease = await client.get(leases, "leader", namespace)
    assert lease is not None
    assert lease["spec"]["leaseTransitions"] >= 1


async def test_a_process_that_was_stopped_and_continued_writes_nothing_over_its_successor(
    client: KubeClient, backend: Any, namespace: str
) -> None:
    maps = await client.discovery.resolve("cm")
    command = [sys.executable, "-m", "tests.cluster.leader", str(backend.kubeconfig), namespace]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(30):
            while await client.get(maps, "written", namespace) is None:
                await asyncio.sleep(0.02)
            child.send_signal(signal.SIGSTOP)
            async with Lease(ClusterLeases(client), "leader", namespace, "successor", timing=QUICK).hold() as term:
                mine = config_map(namespace, "written", by="successor")
                written = await client.guarded(term).apply(mine, manager="successor")
                child.send_signal(signal.SIGCONT)
                output, _ = await child.communicate()
                left = await client.get(maps, "written", namespace)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert b"lost: this process no longer holds the Lease" in output
    assert left is not None
    assert left["metadata"]["resourceVersion"] == resource_version_of(written)
    assert left["data"]["by"] == "successor"
