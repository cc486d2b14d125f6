"""Bindings, evictions, tokens, logs, scales and more: answers compared whole with the real server's.

The scenarios are `cases/subresources.yaml`; the real answers are recorded beside them. `UPDATE_GOLDEN=1` with the `real`
test writes them anew.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import Recording, placed
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = {scenario["title"]: scenario for scenario in load(CASES / "subresources.yaml")}
_ISSUER = re.compile(r"https://kubernetes\.default\.svc(\.cluster\.local)?")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def _without_diffs(value: Any) -> Any:
    """Without what the real server shows of Go structs that differ: the embedded one has none to show."""
    if isinstance(value, dict):
        return {key: _without_diffs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_diffs(item) for item in value]
    return value.partition("\n@@")[0].replace("\n", "") if isinstance(value, str) and "\n" in value else value


async def answers_of(server: Server, scenario: dict[str, Any], namespace: str) -> Any:
    text = json.dumps(placed(await run_scenario(server, scenario, namespace), namespace))
    return _without_diffs(json.loads(_TOKEN.sub("<token>", _ISSUER.sub("<issuer>", text))))


RECORDING = Recording(CASES / "subresources-recorded.json", SCENARIOS, answers_of)


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDING.compare(bare_embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    await RECORDING.prove(bare_control_plane.kubeconfig)
