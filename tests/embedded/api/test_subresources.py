"""Bindings, evictions, tokens, logs, scales and more: answers compared whole with the real server's.

The scenarios are `cases/subresources.yaml`; the real answers are recorded beside them. `UPDATE_GOLDEN=1` with the `real`
test writes them anew.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = {scenario["title"]: scenario for scenario in load(CASES / "subresources.yaml")}
RECORDED = CASES / "subresources-recorded.json"
_ISSUER = re.compile(r"https://kubernetes\.default\.svc(\.cluster\.local)?")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def _without_diffs(value: Any) -> Any:
    """Without what the real server shows of Go structs that differ: the embedded one has none to show."""
    if isinstance(value, dict):
        return {key: _without_diffs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_diffs(item) for item in value]
    return value.partition("\n@@")[0].replace("\n", "") if isinstance(value, str) and "\n" in value else value


async def answers_of(server: Server, title: str, namespace: str) -> Any:
    answers = await run_scenario(server, SCENARIOS[title], namespace)
    text = json.dumps(answers).replace(namespace, "NS")
    return _without_diffs(json.loads(_TOKEN.sub("<token>", _ISSUER.sub("<issuer>", text))))


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
        said = {title: await answers_of(server, title, f"sub-{index:03}") for index, title in enumerate(SCENARIOS)}
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(RECORDED.read_text()) == said
