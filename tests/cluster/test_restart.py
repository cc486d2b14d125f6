"""API servers that die and come back: requests are carried through, watches go on, history that was lost is relisted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.scripted import until
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.liveview import Informer
from trueup.cluster.retry import RetryPolicy
from trueup.model.apierror import ApiError
from trueup.model.refs import ObjectRef


class Mortal:
    """A server of the test's own that can be killed and started again on the same port with the same data."""

    def __init__(
        self, kubeconfig: Path, kill: Callable[[], Awaitable[Any]], start: Callable[[], Awaitable[Any]]
    ) -> None:
        self.kubeconfig = kubeconfig
        self.kill = kill
        self.start = start


@pytest.fixture
async def embedded_mortal(tmp_path: Path) -> AsyncIterator[Mortal]:
    cluster = EmbeddedCluster(tmp_path)
    await asyncio.to_thread(cluster.start)

    async def kill() -> None:
        await asyncio.to_thread(cluster.kill)

    async def start() -> None:
        await asyncio.to_thread(cluster.start)

    try:
        yield Mortal(cluster.kubeconfig, kill, start)
    finally:
        cluster.kill()


@pytest.fixture
async def real_mortal() -> AsyncIterator[Mortal]:
    plane = await asyncio.to_thread(ControlPlane, controllers=False)
    await plane.start()
    try:
        yield Mortal(plane.kubeconfig, plane.kill_apiserver, plane.start_apiserver)
    finally:
        await plane.stop()


@pytest.fixture(params=["embedded_mortal", pytest.param("real_mortal", marks=pytest.mark.real)])
def mortal(request: pytest.FixtureRequest) -> Any:
    # Both are asked for by name, so that only one of them is started.
    return request.getfixturevalue(request.param)


def config_map(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"a": "b"},
    }


async def test_applies_in_flight_survive_a_server_that_is_killed_and_started_again(mortal: Mortal) -> None:
    patient = RetryPolicy(attempts=60, first=0.1, maximum=0.5)
    async with KubeClient(load_config(mortal.kubeconfig), retry=patient) as client:
        maps = await client.discovery.resolve("cm")
        async with Informer(client) as view:
            await view.track(maps)
            names = [f"x{number}" for number in range(200)]
            applying = asyncio.gather(*(client.apply(config_map(name), manager="us") for name in names))
            await until(lambda: len(view) > 20)
            await mortal.kill()
            await mortal.start()
            await applying
            refs = {ObjectRef("", "ConfigMap", "default", name) for name in names}
            await until(lambda: refs <= dict(view.items(maps)).keys(), within=30)
            live = await client.list_all(maps, "default")
            assert {item["metadata"]["name"] for item in live} >= set(names)
            for item in live:
                ref = ObjectRef("", "ConfigMap", "default", item["metadata"]["name"])
                known = view.get(ref)
                assert known is not None
                assert known["metadata"]["uid"] == item["metadata"]["uid"]


async def test_a_place_in_history_from_before_the_server_began_is_gone(mortal: Mortal) -> None:
    async with KubeClient(load_config(mortal.kubeconfig)) as client:
        maps = await client.discovery.resolve("cm")
        first = await client.apply(config_map("x"), manager="us")
        for number in range(3):
            await client.apply(config_map(f"y{number}"), manager="us")
        await mortal.kill()
        await mortal.start()
        async with asyncio.timeout(20):
            # The real server answers with the events themselves until its cache has been filled.
            while True:
                try:
                    version = str(int(first["metadata"]["resourceVersion"]) - 1)
                    async for _ in client.watch(maps, resource_version=version, timeout_seconds=1):
                        break
                except ApiError as error:
                    if error.is_gone:
                        return
                    raise
                await asyncio.sleep(0.05)
