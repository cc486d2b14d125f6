"""`python -m tests.embedded.clients [--record] [NAME...]`: records what the real control plane says, or shows where the
embedded one says something else than is recorded. A name is a topic's or a Python story's; all when none is given."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.embedded.clients import pythonic
from tests.embedded.clients.backing import backing
from tests.embedded.clients.compare import differences, told_otherwise
from tests.embedded.clients.play import play_on
from tests.embedded.clients.topic import Answer, Topic, load_topics, record
from tests.embedded.fixtures import running_cluster
from tests.peers.fixtures import running_control_plane

Answers = dict[str, list[Answer]]


def _play(kubeconfig: Path, node: str, topics: list[Topic], stories: list[str]) -> tuple[Answers, Answers]:
    told = pythonic.play(kubeconfig, stories) if stories else {}
    return asyncio.run(play_on(kubeconfig, node, topics)), told


def main(arguments: list[str]) -> None:
    """Prints what differs."""
    wanted = [each for each in arguments if not each.startswith("-")]
    topics = [topic for topic in load_topics() if not wanted or topic.name in wanted]
    stories = [name for name in pythonic.STORIES if not wanted or name in wanted]
    if "--record" in arguments:
        with backing() as behind, running_control_plane(nodes=1, kubelet=behind.kubelet) as control_plane:
            asyncio.run(control_plane.nodes_ready())
            said, told = _play(control_plane.kubeconfig, "node-0", topics, stories)
        for name, answers in (said | told).items():
            record(name, answers)
    with backing() as behind, running_cluster(*behind.stand_ins) as cluster:
        said, told = _play(cluster.kubeconfig, "trueup-node-1", topics, stories)
    for topic in topics:
        for difference in differences(topic, said[topic.name]):
            print(difference)
    for name, answers in told.items():
        for difference in told_otherwise(name, answers):
            print(difference)


if __name__ == "__main__":
    main(sys.argv[1:])
