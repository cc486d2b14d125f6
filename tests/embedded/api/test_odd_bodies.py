"""Bodies that few rules tell how to read are read as by the real server: whole answers, with their warnings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server, scrubbed, sent
from tests.embedded.api.oddbodies import DEFINITION, NAMESPACE, SEEDS, WIDGETS, Request, requests
from tests.embedded.api.scenarios import settled
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.embedded.recording import known, proven
from tests.peers.controlplane import ControlPlane

RECORDED = Path(__file__).parent / "cases" / "odd-bodies-recorded.json"
REQUESTS = tuple(requests())


async def prepare(server: Server) -> None:
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    await server.send("POST", accounts, {"metadata": {"name": "default"}})
    await server.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    probe = SEEDS[-1][1] | {"metadata": {"name": "probe"}}
    # Managed fields come with the kind's OpenAPI, a moment after the kind itself.
    owned = {"metadata": {"managedFields": [{"manager": "compare"}]}}
    step = {"settles": 201, "method": "POST", "path": f"{WIDGETS}?dryRun=All", "body": probe, "has": owned}
    await settled(server, step)
    for collection, body in SEEDS:
        status, answer = await server.send("POST", collection, body)
        assert status == 201, answer


async def answer_to(server: Server, request: Request) -> Any:
    assert server.session is not None
    async with server.session.request(
        request.method, request.path, data=request.body, headers=sent(request.content_type, {})
    ) as answer:
        raw, warnings = await answer.read(), sorted(answer.headers.getall("Warning", []))
    said = scrubbed(json.loads(raw) if "json" in answer.content_type else raw.decode())
    if isinstance(said, dict) and isinstance(said.get("metadata"), dict):
        said["metadata"].pop("managedFields", None)  # who owns what is compared elsewhere, at length
    return [answer.status, said, *warnings]


async def answers_of(server: Server) -> dict[str, Any]:
    await prepare(server)
    return {str(request): await answer_to(server, request) for request in REQUESTS}


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Of its own, for its fixed names."""
    with running_cluster("--no-workloads") as found:
        yield found


async def test_odd_bodies_are_read_as_by_the_real_server(cluster: EmbeddedCluster) -> None:
    recorded = known(RECORDED)
    async with Server(cluster.kubeconfig) as server:
        said = await answers_of(server)
    assert said.keys() == recorded.keys()
    wrong = {title: (answer, recorded[title]) for title, answer in said.items() if answer != recorded[title]}
    assert not wrong, "\n".join(f"{title}\n  ours {ours}\n  real {real}" for title, (ours, real) in wrong.items())
    assert "Traceback" not in cluster.log


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        proven(RECORDED, await answers_of(server))
