"""Applies, updates and patches are answered as kube-apiserver answers them: whole objects, whole refusals, warnings.

The real server's answers are recorded, so that the fast tests need no real server; a `real` test proves the record.
`UPDATE_GOLDEN=1` with that test writes it anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.known import KNOWN
from tests.conformance.playing import differences, play, prepare
from tests.conformance.records import recorded, write
from tests.conformance.story import Story, stories
from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.peers.controlplane import ControlPlane


@pytest.fixture(scope="module")
def cases_cluster() -> Iterator[EmbeddedCluster]:
    """The API alone with the custom kinds of the stories in it."""
    with running_cluster("--no-workloads") as cluster:
        yield cluster


@pytest.fixture
async def embedded(cases_cluster: EmbeddedCluster) -> Any:
    async with Server(cases_cluster.kubeconfig) as server:
        await prepare(server)
        yield server


def _named(story: Story) -> str:
    return f"{story.file}: {story.title}"


@pytest.mark.parametrize("story", stories(), ids=_named)
async def test_a_story_is_answered_as_the_real_server_answered_it(story: Story, embedded: Server) -> None:
    found = differences(await play(embedded, story), recorded(story.file)[story.title], story.steps)
    if _named(story) in KNOWN:
        assert found, f"no longer different, take it out of KNOWN: {KNOWN[_named(story)]}"
    else:
        assert not found, "\n".join(found)


def test_every_known_difference_belongs_to_a_story() -> None:
    assert KNOWN.keys() <= {_named(story) for story in stories()}


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    said: dict[str, dict[str, Any]] = {}
    async with Server(bare_control_plane.kubeconfig) as server:
        await prepare(server)
        for story in stories():
            said.setdefault(story.file, {})[story.title] = await play(server, story)
    if os.environ.get("UPDATE_GOLDEN"):
        for file, answers in said.items():
            write(file, answers)
    for file, answers in said.items():
        assert answers == recorded(file), file
