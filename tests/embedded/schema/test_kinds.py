"""Kubernetes' own kinds are refused, and kept from changing, in the words of kube-apiserver: whole answers.

The real answers are recorded in `kinds-recorded.json`; `UPDATE_GOLDEN=1` with the `real` test writes them anew.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.crdsteps import AttentiveServer, answers_of, load_scenarios
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane

HERE = Path(__file__).parent
SCENARIOS = load_scenarios(HERE / "cases" / "kinds.yaml")
RECORDED = HERE / "kinds-recorded.json"
AT_A_TIME = 4


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str, recorded: dict[str, Any]
) -> None:
    async with AttentiveServer(bare_embedded_cluster.kubeconfig) as server:
        answers = await answers_of(server, SCENARIOS[title], namespace_name)
    for step, answer, wanted in zip(SCENARIOS[title]["steps"], answers, recorded[title], strict=True):
        assert answer == wanted, step


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    busy = asyncio.Semaphore(AT_A_TIME)
    async with AttentiveServer(bare_control_plane.kubeconfig) as server:

        async def told(title: str, namespace: str) -> Any:
            async with busy:
                return await answers_of(server, SCENARIOS[title], namespace)

        asked = [told(title, f"kinds-{index:03}") for index, title in enumerate(SCENARIOS)]
        said = dict(zip(SCENARIOS, await asyncio.gather(*asked), strict=True))
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(RECORDED.read_text()) == said
