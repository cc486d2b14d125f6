"""Custom resources are defined, validated, defaulted, pruned and shown as kube-apiserver does it: whole answers.

The real answers are recorded in `cases/crds-recorded.json`; `UPDATE_GOLDEN=1` with the `real` test writes them anew.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.crdsteps import AttentiveServer, answers_of, expand, load_scenarios
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane
from trueup.embedded.api.rules.definitionwarnings import NOT_EVALUATED

CASES = Path(__file__).parent / "cases"
SCENARIOS = load_scenarios(*sorted(CASES.glob("crds-*.yaml")))
RECORDED = CASES / "crds-recorded.json"
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

        asked = [told(title, f"crds-{index:03}") for index, title in enumerate(SCENARIOS)]
        said = dict(zip(SCENARIOS, await asyncio.gather(*asked), strict=True))
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(RECORDED.read_text()) == said


async def test_rules_in_cel_are_kept_and_shown_and_said_not_to_be_evaluated(
    bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    """What the embedded server does not do yet, it says when the definition is made."""
    spec = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.a > 3", "message": "too small"}],
    }
    scenario = {"steps": [*expand({"define": {"spec": spec, "probe": {"spec": {"a": 9}}}}), *expand({"try": {"a": 1}})]}
    async with AttentiveServer(bare_embedded_cluster.kubeconfig) as server:
        (_, made), (_, shown), _, (status, _) = await answers_of(server, scenario, namespace_name)
    assert made["(warnings)"] == [f'299 - "{NOT_EVALUATED}"']
    assert shown["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] == spec
    assert status == 201
