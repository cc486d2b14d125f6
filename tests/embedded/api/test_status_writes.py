"""Who may write what beside the main resource, and which schemas are taken: answers compared with the real server's.

The real answers are recorded in `cases/status-recorded.json`.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import Recording, placed
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = {scenario["title"]: scenario for scenario in load(CASES / "status.yaml")}


async def answers_of(server: Server, scenario: dict[str, Any], namespace: str) -> Any:
    return placed(await run_scenario(server, scenario, namespace), namespace)


RECORDING = Recording(CASES / "status-recorded.json", SCENARIOS, answers_of)


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDING.compare(bare_embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    await RECORDING.prove(bare_control_plane.kubeconfig)


async def test_an_apply_without_effect_makes_no_new_version(
    bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    """Whatever defaults the server filled in meanwhile, and whatever the clock says."""
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}], "resources": {}}]
                },
            },
        },
    }
    path = f"/apis/apps/v1/namespaces/{namespace_name}/deployments/web?fieldManager=us"
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
        _, first = await server.send("PATCH", path, wanted, content_type="application/apply-patch+yaml")
        await asyncio.sleep(1.1)  # managed fields count in seconds: a new time is what must not be written
        status, again = await server.send("PATCH", path, wanted, content_type="application/apply-patch+yaml")
    assert status == 200
    assert again == first
