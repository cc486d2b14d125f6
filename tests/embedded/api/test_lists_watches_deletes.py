"""Lists, watches and deletes are answered as kube-apiserver answers them: whole answers and whole streams of events.

The real answers are recorded beside the cases (`*-recorded.json`); `UPDATE_GOLDEN=1` with the `real` tests writes them anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.api.scenarios import load, run_scenario
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane

CASES = Path(__file__).parent / "cases"
FILES = ("list-pages", "list-selectors", "list-forms", "watch-streams", "watch-custom", "delete-objects")
COLLECTED = "delete-collected"
"""Scenarios with the controllers at work."""


def scenarios(*files: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(file, each["title"]): each for file in files for each in load(CASES / f"{file}.yaml")}


BARE, WITH_CONTROLLERS = scenarios(*FILES), scenarios(COLLECTED)


def recorded(file: str, title: str) -> Any:
    return json.loads((CASES / f"{file}-recorded.json").read_text())[title]


async def answers_of(server: Server, scenario: dict[str, Any], namespace: str) -> Any:
    answers = await run_scenario(server, scenario, namespace)
    return json.loads(json.dumps(answers).replace(namespace, "NS"))


async def compare(cluster: EmbeddedCluster, file: str, scenario: dict[str, Any], namespace: str) -> None:
    async with Server(cluster.kubeconfig) as server:
        answers = await answers_of(server, scenario, namespace)
    for step, answer, expected in zip(scenario["steps"], answers, recorded(file, scenario["title"]), strict=True):
        assert answer == expected, step


@pytest.mark.parametrize(("file", "title"), BARE)
async def test_answers_are_the_real_servers(
    file: str, title: str, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await compare(bare_embedded_cluster, file, BARE[file, title], namespace_name)


@pytest.mark.parametrize(("file", "title"), WITH_CONTROLLERS)
async def test_what_is_collected_is_what_the_real_controllers_collect(
    file: str, title: str, embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    await compare(embedded_cluster, file, WITH_CONTROLLERS[file, title], namespace_name)


@pytest.mark.real
@pytest.mark.parametrize("file", FILES)
async def test_the_record_is_what_the_real_server_says(file: str, bare_control_plane: ControlPlane) -> None:
    await prove(bare_control_plane, file)


@pytest.mark.real
async def test_the_record_is_what_the_real_controllers_do(control_plane: ControlPlane) -> None:
    await prove(control_plane, COLLECTED)


async def prove(control_plane: ControlPlane, file: str) -> None:
    async with Server(control_plane.kubeconfig) as server:
        said = {
            title: await answers_of(server, scenario, f"{file}-{index:03}")
            for index, ((_, title), scenario) in enumerate(scenarios(file).items())
        }
    path = CASES / f"{file}-recorded.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    assert json.loads(path.read_text()) == said
