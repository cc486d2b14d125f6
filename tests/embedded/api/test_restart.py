"""A kill at any moment: what was acknowledged is there after the next start, under the same address and credentials."""

import asyncio
import json
import stat
import subprocess
import sys
import time

import aiohttp

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_a_kill_loses_nothing_that_was_acknowledged(fresh_embedded_cluster: EmbeddedCluster) -> None:
    cluster = fresh_embedded_cluster
    acknowledged: set[str] = set()
    enough = asyncio.Event()

    async def write(server: Server, worker: int) -> None:
        for number in range(10_000):
            name = f"m-{worker}-{number}"
            status, _ = await server.send("POST", MAPS, {"metadata": {"name": name}})
            assert status == 201
            acknowledged.add(name)
            if len(acknowledged) >= 200:
                enough.set()

    async with Server(cluster.kubeconfig) as server:
        workers = [asyncio.create_task(write(server, worker)) for worker in range(8)]
        async with asyncio.timeout(30):
            await enough.wait()
        await asyncio.to_thread(cluster.kill)
        failures = await asyncio.gather(*workers, return_exceptions=True)
        assert all(isinstance(failure, (aiohttp.ClientError, ConnectionError)) for failure in failures), failures
    await asyncio.to_thread(cluster.start)
    async with Server(cluster.kubeconfig) as server:
        _, listed = await server.send("GET", MAPS)
        assert acknowledged <= {each["metadata"]["name"] for each in listed["items"]}


async def test_after_a_restart_old_versions_are_gone_and_new_ones_larger(
    fresh_embedded_cluster: EmbeddedCluster,
) -> None:
    cluster = fresh_embedded_cluster
    async with Server(cluster.kubeconfig) as server:
        _, before = await server.send("POST", MAPS, {"metadata": {"name": "a"}})
        await server.send("DELETE", f"{MAPS}/a")
    await asyncio.to_thread(cluster.kill)
    await asyncio.to_thread(cluster.start)
    old = before["metadata"]["resourceVersion"]
    async with Server(cluster.kubeconfig) as server:
        assert server.session is not None
        async with server.session.get(f"{MAPS}?watch=true&resourceVersion={old}") as response:
            event = json.loads(await response.content.readline())
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        _, after = await server.send("POST", MAPS, {"metadata": {"name": "b"}})
        assert int(after["metadata"]["resourceVersion"]) > int(old) + 1


async def test_a_second_start_takes_little_more_than_loading_the_program(
    fresh_embedded_cluster: EmbeddedCluster,
) -> None:
    """As a ratio, and by the best of three: how busy the machine is, is not what is measured."""
    cluster = fresh_embedded_cluster
    starts, loads = [], []
    for _ in range(3):
        assert await asyncio.to_thread(cluster.stop) == 0
        begin = time.monotonic()
        await asyncio.to_thread(cluster.start)
        starts.append(time.monotonic() - begin)
        begin = time.monotonic()
        await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", "import trueup.embedded.server, trueup.embedded.schema"], check=True
        )
        loads.append(time.monotonic() - begin)
    assert min(starts) < 6 * min(loads), (starts, loads)


def test_the_kubeconfig_and_the_keys_are_for_their_owner_alone(fresh_embedded_cluster: EmbeddedCluster) -> None:
    cluster = fresh_embedded_cluster
    keys = [*cluster.folder.rglob("*.key"), cluster.kubeconfig]
    assert len(keys) >= 4
    for path in keys:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
