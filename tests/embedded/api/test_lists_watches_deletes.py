"""Lists, watches and deletes are answered as kube-apiserver answers them: whole answers and whole streams of events.

So are timeouts of requests. The real answers are recorded beside the cases (`*-recorded.json`).
"""

from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import Recording, placed
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
FILES = (
    "request-timeouts",
    "list-pages",
    "list-selectors",
    "list-forms",
    "watch-streams",
    "watch-custom",
    "delete-objects",
)
COLLECTED = "delete-collected"
"""Scenarios with the controllers at work."""


async def answers_of(server: Server, scenario: dict[str, Any], namespace: str) -> Any:
    return placed(await run_scenario(server, scenario, namespace), namespace)


RECORDINGS = {
    file: Recording(
        CASES / f"{file}-recorded.json", {each["title"]: each for each in load(CASES / f"{file}.yaml")}, answers_of
    )
    for file in (*FILES, COLLECTED)
}


@pytest.mark.parametrize(("file", "title"), [(file, title) for file in FILES for title in RECORDINGS[file].scenarios])
async def test_answers_are_the_real_servers(
    file: str, title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDINGS[file].compare(bare_embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.parametrize("title", RECORDINGS[COLLECTED].scenarios)
async def test_what_is_collected_is_what_the_real_controllers_collect(
    title: str, embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await RECORDINGS[COLLECTED].compare(embedded_cluster.kubeconfig, title, namespace_name)


@pytest.mark.real
@pytest.mark.parametrize("file", FILES)
async def test_the_record_is_what_the_real_server_says(file: str, bare_control_plane: ControlPlane) -> None:
    await RECORDINGS[file].prove(bare_control_plane.kubeconfig)


@pytest.mark.real
async def test_the_record_is_what_the_real_controllers_do(control_plane: ControlPlane) -> None:
    await RECORDINGS[COLLECTED].prove(control_plane.kubeconfig)
