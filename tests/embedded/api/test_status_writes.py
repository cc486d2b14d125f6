"""Who may write what beside the main resource, and which schemas are taken: answers compared with the real server's.

The real answers are recorded in `cases/status-recorded.json`; `UPDATE_GOLDEN=1` with the `real` test writes them anew.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = {scenario["title"]: scenario for scenario in load(CASES / "status.yaml")}
RECORDED = CASES / "status-recorded.json"


async def answers_of(server: Server, title: str, namespace: str) -> Any:
    answers = await run_scenario(server, SCENARIOS[title], namespace)
    return json.loads(json.dumps(answers).replace(namespace, "NS"))


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        answers = await answers_of(server, title, namespace_name)
    expected = json.loads(RECORDED.read_text())[title]
    for step, answer, wanted in zip(SCENARIOS[title]["steps"], answers, expected, strict=True):
        assert answer == wanted, step


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = {title: await answers_of(server, title, f"status-{index:03}") for index, title in enumerate(SCENARIOS)}
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(RECORDED.read_text()) == said


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
