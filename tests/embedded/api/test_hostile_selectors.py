"""Selectors that cannot be read, or barely, are answered as by the real server: whole answers.

Besides those whose answers are kept, others are tried on both servers: `TRUEUP_RANDOM_SELECTORS` sets how many (200); with
more than that they are new ones at every run.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server, scrubbed
from tests.embedded.api.hostile import OBJECTS, Query, queries
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.embedded.recording import known, placed, proven
from tests.peers.controlplane import ControlPlane

RECORDED = Path(__file__).parent / "cases" / "hostile-selectors-recorded.json"
NAMESPACE = "hostile"
KEPT = tuple(queries(seed=1, count=400))
USUAL = 200
COUNT = int(os.environ.get("TRUEUP_RANDOM_SELECTORS", USUAL))


async def prepare(server: Server) -> None:
    root = f"/api/v1/namespaces/{NAMESPACE}"
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    await server.send("POST", f"{root}/serviceaccounts", {"metadata": {"name": "default"}})
    spec = {"containers": [{"name": "c", "image": "i"}]}
    event = {"involvedObject": {"kind": "Pod", "namespace": NAMESPACE}, "reason": "Running", "type": "Normal"}
    made = [("configmaps", {"metadata": metadata}) for metadata in OBJECTS]
    made += [("pods", {"metadata": {"name": "a"}, "spec": spec}), ("secrets", {"metadata": {"name": "a"}})]
    made += [("events", {"metadata": {"name": "a"}, **event})]
    made += [("services", {"metadata": {"name": "a"}, "spec": {"clusterIP": "None"}})]
    for plural, body in made:
        status, answer = await server.send("POST", f"{root}/{plural}", body)
        assert status in (201, 409), answer


async def answer_to(server: Server, query: Query) -> Any:
    """Of objects only the names: what they are made of is compared elsewhere."""
    status, answer = await server.send("GET", f"/api/v1/namespaces/{NAMESPACE}/{query}")
    if "items" in answer:
        answer["items"] = [each["metadata"]["name"] for each in answer["items"]]
        answer["metadata"] = sorted(answer["metadata"])
    return placed([status, scrubbed(answer)], NAMESPACE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Of its own, for its fixed names."""
    with running_cluster("--no-workloads") as found:
        yield found


async def test_hostile_selectors_are_answered_as_by_the_real_server(cluster: EmbeddedCluster) -> None:
    recorded = known(RECORDED)
    async with Server(cluster.kubeconfig) as server:
        await prepare(server)
        wrong = {
            str(query): (said, recorded[str(query)])
            for query in KEPT
            if (said := await answer_to(server, query)) != recorded[str(query)]
        }
    assert not wrong


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        await prepare(server)
        proven(RECORDED, {str(query): await answer_to(server, query) for query in KEPT})


@pytest.mark.real
async def test_other_hostile_selectors_are_answered_as_by_the_real_server(
    cluster: EmbeddedCluster, bare_control_plane: ControlPlane
) -> None:
    seed = 2 if COUNT <= USUAL else random.randrange(1 << 30)
    async with Server(cluster.kubeconfig) as ours, Server(bare_control_plane.kubeconfig) as theirs:
        for server in (ours, theirs):
            await prepare(server)
        for query in queries(seed, COUNT):
            assert await answer_to(ours, query) == await answer_to(theirs, query), f"seed {seed}: {query}"
