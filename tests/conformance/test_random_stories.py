"""Random sequences of writes do with the embedded server what they do with the real one: every answer, whole.

`TRUEUP_RANDOM_STORIES` sets how many are tried (30); with more than that they are new ones at every run.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.conformance.playing import differences, play, prepare
from tests.conformance.random_stories import stories
from tests.conformance.story import Step, Story
from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import running_cluster
from tests.peers.controlplane import ControlPlane

EXAMPLES = 30
COUNT = int(os.environ.get("TRUEUP_RANDOM_STORIES", EXAMPLES))

pytestmark = pytest.mark.real


class Pair:
    """Both servers, and a loop to speak to them on: hypothesis calls its test many times, none of them async."""

    def __init__(self, runner: asyncio.Runner, embedded: Server, real: Server) -> None:
        self._runner = runner
        self._servers = (embedded, real)
        self._names = (f"random-{number}" for number in itertools.count())

    def differences(self, kind: str, steps: tuple[Step, ...]) -> list[str]:
        story = Story("random", "random", kind, steps, next(self._names))

        async def both() -> list[str]:
            ours, theirs = await asyncio.gather(*(play(server, story) for server in self._servers))
            return differences(ours, theirs, steps)

        return self._runner.run(both())


@pytest.fixture(scope="module")
def pair(bare_control_plane: ControlPlane) -> Iterator[Pair]:
    with running_cluster("--no-workloads") as cluster, asyncio.Runner() as runner:
        servers = [Server(cluster.kubeconfig), Server(bare_control_plane.kubeconfig)]
        for server in servers:
            runner.run(server.__aenter__())
            runner.run(prepare(server))
        try:
            yield Pair(runner, *servers)
        finally:
            for server in servers:
                runner.run(server.__aexit__())


@settings(
    max_examples=COUNT,
    derandomize=COUNT == EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(story=stories())
def test_random_writes_are_answered_as_the_real_server_answers_them(
    pair: Pair, story: tuple[str, tuple[Step, ...]]
) -> None:
    kind, steps = story
    found = pair.differences(kind, steps)
    assert not found, "\n".join([kind, *map(str, steps), *found])
