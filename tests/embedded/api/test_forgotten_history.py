"""What is answered when a version is older than the history: the real server after compaction, the embedded one after a start.

The real answers are recorded in `cases/watch-forgotten-recorded.json`.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = {each["title"]: each for each in load(CASES / "watch-forgotten.yaml")}
RECORDED = CASES / "watch-forgotten-recorded.json"


async def answers_of(server: Server, title: str, namespace: str, forget: Callable[[], Awaitable[None]]) -> Any:
    answers = await run_scenario(server, SCENARIOS[title], namespace, forget)
    return json.loads(json.dumps(answers).replace(namespace, "NS"))


def restart(cluster: EmbeddedCluster) -> None:
    cluster.kill()
    cluster.start()


async def test_answers_are_the_real_servers(namespace_name: str) -> None:
    with running_cluster("--no-workloads") as cluster:
        for index, title in enumerate(SCENARIOS):

            async def forget() -> None:
                await asyncio.to_thread(restart, cluster)

            async with Server(cluster.kubeconfig) as server:
                answers = await answers_of(server, title, f"{namespace_name}-{index}", forget)
            expected = json.loads(RECORDED.read_text())[title]
            for step, answer, wanted in zip(SCENARIOS[title]["steps"], answers, expected, strict=True):
                assert answer == wanted, (title, step)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    said = {}
    for index, title in enumerate(SCENARIOS):
        async with Server(bare_control_plane.kubeconfig) as server:
            said[title] = await answers_of(server, title, f"forgotten-{index}", bare_control_plane.forget_history)
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(RECORDED.read_text()) == said
