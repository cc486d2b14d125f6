"""Admission webhooks are called as the real server calls them: what they are asked, deny, change and warn of.

The real server's answers, and what it asked, are in `cases/webhooks-recorded.json`; `UPDATE_GOLDEN=1` with the `real` test
writes them anew.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server, scrubbed
from tests.embedded.api.crdsteps import AttentiveServer
from tests.embedded.api.hooks import CONFIGURATIONS, serving
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.embedded.recording import proven
from tests.peers.controlplane import ControlPlane
from trueup.embedded.api.celrules import CONDITIONS_NOT_COMPILED

CASES = Path(__file__).parent / "cases"
SCENARIOS = {scenario["title"]: scenario for scenario in load(CASES / "webhooks.yaml")}
RECORDED = CASES / "webhooks-recorded.json"


def comparable(value: Any, namespace: str, url: str) -> Any:
    """Without the names, ports, digests and generated suffixes that two runs cannot share."""
    text = json.dumps(value).replace(namespace, "NS").replace(url, "URL")
    text = re.sub("X509SHA256=[0-9a-f]{64}", "<digest>", text.replace("kubernetes-admin", "trueup-admin"))
    text = re.sub(r'(lookup none\.NS\.svc)[^"\\]*', r"\1 <resolver>", text)
    return json.loads(re.sub(r"\bb-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "b-<any>", text))


async def told(server: Server, title: str, namespace: str, folder: Path) -> Any:
    """The answers of a scenario, and what its hooks were asked."""
    scenario = SCENARIOS[title]
    async with serving(namespace, scenario["hooks"], folder) as hooks:
        await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        await hooks.known(server)
        try:
            answers = await run_scenario(server, scenario, namespace)
        finally:
            await hooks.forget(server)
        asked: list[Any] = [[name, scrubbed(request), query] for name, request, query in hooks.asked]
        # Validating hooks are asked together: in no order.
        asked.sort(key=lambda each: (each[0].startswith("validating"), each[0] if each[0][0] == "v" else ""))
        asked = [each for each in asked if each[1]["resource"]["resource"] != "serviceaccounts"]
        return comparable({"answers": answers, "asked": asked}, namespace, hooks.url)


@pytest.mark.parametrize("title", SCENARIOS)
async def test_webhooks_are_asked_and_obeyed_as_by_the_real_server(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str, tmp_path: Path
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        said = await told(server, title, namespace_name, tmp_path)
    expected = json.loads(RECORDED.read_text())[title]
    for step, answer, wanted in zip(SCENARIOS[title]["steps"], said["answers"], expected["answers"], strict=True):
        assert answer == wanted, step
    for asked, wanted in zip(said["asked"], expected["asked"], strict=False):
        assert asked == wanted
    assert len(said["asked"]) == len(expected["asked"])


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(
    bare_control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = {
            title: await told(server, title, f"hooks-{index:03}", tmp_path_factory.mktemp("hooks"))
            for index, title in enumerate(SCENARIOS)
        }
    proven(RECORDED, said)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_without_an_evaluator_a_webhook_with_conditions_is_never_called_for_more_than_it_says(
    policy: str, tmp_path: Path, namespace_name: str
) -> None:
    webhook = {
        "name": "judge.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": policy,
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
        "matchConditions": [{"name": "odd", "expression": "true"}],
    }
    body = {"metadata": {"name": namespace_name}, "webhooks": [webhook]}
    with running_cluster("--no-workloads", module="trueup.embedded") as cluster:
        async with AttentiveServer(cluster.kubeconfig) as server:
            status, made = await server.send("POST", f"{CONFIGURATIONS}/validatingwebhookconfigurations", body)
            assert status == 201
            assert CONDITIONS_NOT_COMPILED in made["(warnings)"][0]
            path = "/api/v1/namespaces/default/configmaps"
            status, answer = await server.send("POST", path, {"metadata": {"name": namespace_name}})
    if policy == "Ignore":
        assert (status, len(answer["(warnings)"])) == (201, 1)
    else:
        assert status == 500
        assert "matchConditions of webhook" in answer["message"]
