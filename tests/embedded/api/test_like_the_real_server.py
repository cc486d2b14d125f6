"""The embedded API server answers as kube-apiserver does: whole answers, in every scenario and for every kind.

The real server's answers are recorded beside the cases, so that the fast tests need no real server; a `real` test proves the
record. `UPDATE_GOLDEN=1` with that test writes it anew.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.api.comparing import Server, path_of, plurals_of, scrubbed
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import placed, proven
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = {scenario["title"]: scenario for scenario in load(CASES / "requests.yaml")}
OBJECTS = {
    f"{each['kind']} {each['metadata']['name']}": each
    for each in yaml.safe_load_all((CASES / "defaults.yaml").read_text())
}
KNOWN_DIFFERENCES = {
    "Node NAMESPACE-node": "a new node is not tainted: no node here waits for its kubelet",
}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
RECORDED = CASES / "recorded.json"
_DAYS = re.compile(r"^\d+[dy](\d+d)?$")
"""How long ago a case's own time was, which depends on when it is asked."""


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


async def answers_of(server: Server, title: str, namespace: str) -> Any:
    return placed(await run_scenario(server, SCENARIOS[title], namespace), namespace)


async def created(server: Server, namespace: str) -> dict[str, Any]:
    """Every object of the cases, as the server stored it, and its row in a table."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for account in ("default", "runner"):
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        await server.send("POST", path, {"metadata": {"name": account}})
    plurals = await plurals_of(server)
    made = {}
    for title, manifest in OBJECTS.items():
        body = json.loads(json.dumps(manifest).replace("NAMESPACE", namespace))
        status, answer = await server.send("POST", path_of(manifest, plurals, namespace), body)
        shown = (
            await server.send(
                "GET", f"{path_of(manifest, plurals, namespace)}/{body['metadata']['name']}", Accept=TABLE
            )
        )[1]
        cells = [_DAYS.sub("<age>", cell) if isinstance(cell, str) else cell for cell in shown["rows"][0]["cells"]]
        made[title] = placed([status, scrubbed(answer), scrubbed(cells)], namespace)
    return made


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str, recorded: dict[str, Any]
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        answers = await answers_of(server, title, namespace_name)
    for step, answer, expected in zip(SCENARIOS[title]["steps"], answers, recorded["scenarios"][title], strict=True):
        assert answer == expected, step


async def test_objects_are_stored_as_the_real_server_stores_them(
    bare_embedded_cluster: EmbeddedCluster, namespace_name: str, recorded: dict[str, Any]
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        made = await created(server, namespace_name)
    for title, answer in made.items():
        if title in KNOWN_DIFFERENCES:
            continue
        assert answer == recorded["objects"][title], title


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = {
            "objects": await created(server, "objects-of-the-cases"),
            "scenarios": {
                title: await answers_of(server, title, f"scenario-{index:03}") for index, title in enumerate(SCENARIOS)
            },
        }
    proven(RECORDED, said)
