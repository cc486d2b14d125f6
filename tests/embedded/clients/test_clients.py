"""The real kubectl, Helm and Python client on the embedded Kubernetes say what they say on a real control plane, whole.

What the real one says is kept in `recorded/`. To record it anew: `python -m tests.embedded.clients --record`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.embedded.clients import pythonic
from tests.embedded.clients.backing import backing
from tests.embedded.clients.compare import differences, told_otherwise
from tests.embedded.clients.play import play_on
from tests.embedded.clients.topic import Answer, Topic, load_topics
from tests.embedded.fixtures import running_cluster
from tests.peers.controlplane import ControlPlane
from tests.peers.fixtures import running_control_plane

TOPICS = load_topics()

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("clients"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ours() -> dict[str, list[Answer]]:
    """All topics, played on one embedded cluster."""
    with backing() as behind, running_cluster(*behind.stand_ins) as cluster:
        return asyncio.run(play_on(cluster.kubeconfig, "trueup-node-1", TOPICS))


@pytest.fixture(scope="module")
def real_one() -> Iterator[ControlPlane]:
    """A real control plane of the module's own, for it writes CRDs, roles and nodes."""
    with backing() as behind, running_control_plane(nodes=1, kubelet=behind.kubelet) as control_plane:
        yield control_plane


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_clients_are_answered_as_the_real_server_answers_them(topic: Topic, ours: dict[str, list[Answer]]) -> None:
    found = differences(topic, ours[topic.name])
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def told() -> dict[str, list[Answer]]:
    """All stories of the Python client, on one embedded cluster."""
    with running_cluster() as cluster:
        return pythonic.play(cluster.kubeconfig)


@pytest.mark.parametrize("story", pythonic.STORIES)
def test_the_python_client_is_answered_as_the_real_server_answers_it(story: str, told: dict[str, list[Answer]]) -> None:
    found = told_otherwise(story, told[story])
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_the_record_is_what_the_real_server_says(real_one: ControlPlane) -> None:
    async def play() -> dict[str, list[Answer]]:
        await real_one.nodes_ready()
        return await play_on(real_one.kubeconfig, "node-0", TOPICS)

    answers = asyncio.run(play())
    told = pythonic.play(real_one.kubeconfig)
    found = [each for topic in TOPICS for each in differences(topic, answers[topic.name], of_the_real_one=True)]
    found += [each for name, answers_told in told.items() for each in told_otherwise(name, answers_told)]
    assert not found, "record anew with `python -m tests.embedded.clients --record`:\n" + "\n".join(found)


def test_there_are_enough_command_lines() -> None:
    assert sum(len(topic.steps) for topic in TOPICS) >= 120
