"""The cases on a real kube-apiserver: what is recorded, and compared with ours elsewhere, is what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.embedded.merge.comparing import same_answer
from tests.embedded.merge.realserver import RealServer
from tests.embedded.merge.scenario import load_cases, recorded
from tests.peers.controlplane import ControlPlane

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def quiet_control_plane() -> Iterator[ControlPlane]:
    """A control plane without controllers, which would write to the objects of the cases as well."""
    control_plane = ControlPlane(controllers=False)
    asyncio.run(control_plane.start())
    yield control_plane
    asyncio.run(control_plane.stop())


def test_the_real_server_still_answers_what_is_recorded(quiet_control_plane: ControlPlane) -> None:
    """One test for all: 120 cases take ten seconds, most of which is the control plane's start."""

    async def play_all() -> list[str]:
        async with RealServer(quiet_control_plane.url, quiet_control_plane.kubeconfig) as server:
            return [
                f"{case.file}: {case.title}, step {number}:\n  now      {now}\n  recorded {before}"
                for case in load_cases()
                for number, (now, before) in enumerate(
                    zip(await server.play(case), recorded(case.file)[case.title], strict=True), 1
                )
                if not same_answer(now, before)
            ]

    different = asyncio.run(play_all())
    assert not different, "record anew with `python -m tests.embedded.merge.realserver`:\n" + "\n".join(different)
