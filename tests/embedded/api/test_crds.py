"""Custom resources are defined, validated, defaulted, pruned and shown as kube-apiserver does it: whole answers.

The real answers are recorded in `cases/crds-recorded.json`.
"""

from pathlib import Path

import pytest

from tests.embedded.api.crdsteps import AttentiveServer, answers_of, load_scenarios
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import Recording
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
SCENARIOS = load_scenarios(*sorted(CASES.glob("crds-*.yaml")))
RECORDING = Recording(CASES / "crds-recorded.json", SCENARIOS, answers_of, ask=AttentiveServer, at_a_time=2)


@pytest.mark.parametrize("title", SCENARIOS)
async def test_answers_are_the_real_servers(
    title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDING.compare(bare_embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    await RECORDING.prove(bare_control_plane.kubeconfig)
