"""Roles, bindings, reviews, impersonation and admission: answers compared with the real server's.

The scenarios are `tests/embedded/api/cases/auth-*.yaml`; the real answers are recorded in `auth-recorded.json` beside them.

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

CASES = Path(__file__).parent.parent / "api" / "cases"
SCENARIOS = {scenario["title"]: scenario for path in sorted(CASES.glob("auth-*.yaml")) for scenario in load(path)}
_DIGEST = re.compile("X509SHA256=[0-9a-f]{64}")


def comparable(value: Any) -> Any:
    """Without what two clusters cannot share: their administrators' names and keys. The rules of a review come in no order."""
    if isinstance(value, dict):
        return {
            key: sorted(map(comparable, item), key=json.dumps) if key.endswith("ourceRules") else comparable(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, str):
        return _DIGEST.sub("<digest>", re.sub("kubernetes-admin|trueup-admin", "<administrator>", value))
    return value


async def answers_of(server: Server, scenario: dict[str, Any], namespace: str) -> Any:
    return comparable(placed(await run_scenario(server, scenario, namespace), namespace))


RECORDING = Recording(CASES / "auth-recorded.json", SCENARIOS, answers_of)


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDING.compare(bare_embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    await RECORDING.prove(bare_control_plane.kubeconfig)
