"""The status subresource of every built-in kind that has one: what it reads, what a write of it may change.

The objects are those of `cases/defaults.yaml`; the real server's answers are in `cases/statuses-recorded.json`, written anew by
`UPDATE_GOLDEN=1` with the `real` test.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.api.comparing import Server, path_of, plurals_of, scrubbed
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.embedded.recording import proven
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
RECORDED = CASES / "statuses-recorded.json"
NAMESPACE = "statuses"
MERGE = "application/merge-patch+json"
KNOWN_DIFFERENCES = {
    "Node statuses-node": "a new node is not tainted: no node here waits for its kubelet",
}
PATCH = {"metadata": {"labels": {"touched": "yes"}, "finalizers": ["example.com/x"]}, "spec": None}


async def answers_of(server: Server) -> dict[str, Any]:
    """Per object: the answers to a read, a patch and a replacement of its status, and the object afterwards."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for account in ("default", "runner"):
        await server.send("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": account}})
    plurals = await plurals_of(server)
    said: dict[str, Any] = {}
    for each in yaml.safe_load_all((CASES / "defaults.yaml").read_text().replace("NAMESPACE", NAMESPACE)):
        collection = path_of(each, plurals, NAMESPACE)
        status, made = await server.send("POST", collection, each)
        path = f"{collection}/{each['metadata']['name']}"
        if status != 201 or (await server.send("GET", f"{path}/status"))[0] != 200:
            continue
        answers = [
            await server.send("GET", f"{path}/status"),
            await server.send("PATCH", f"{path}/status", PATCH, content_type=MERGE),
            await server.send("PUT", f"{path}/status", made | {"metadata": made["metadata"] | {"labels": {"b": "c"}}}),
            await server.send("PATCH", f"{path}/status?dryRun=All", {"status": None}, content_type=MERGE),
            await server.send("GET", path),
        ]
        said[f"{each['kind']} {each['metadata']['name']}"] = [[code, scrubbed(answer)] for code, answer in answers]
    return said


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Of its own, for its fixed names; without controllers, which would write statuses too."""
    with running_cluster("--no-workloads") as found:
        yield found


async def test_statuses_are_read_and_written_as_on_the_real_server(cluster: EmbeddedCluster) -> None:
    recorded = json.loads(RECORDED.read_text())
    async with Server(cluster.kubeconfig) as server:
        said = await answers_of(server)
    assert said.keys() == recorded.keys()
    wrong = {title: answers for title, answers in said.items() if answers != recorded[title]}
    assert wrong.keys() <= KNOWN_DIFFERENCES.keys()


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = await answers_of(server)
    proven(RECORDED, said)
