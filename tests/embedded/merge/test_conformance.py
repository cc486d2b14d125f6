"""The cases on a real kube-apiserver: what is recorded, and compared with ours elsewhere, is what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.merge.comparing import differences, same_answer
from tests.embedded.merge.random_cases import random_case
from tests.embedded.merge.realserver import RealServer
from tests.embedded.merge.replay import play
from tests.embedded.merge.scenario import load_cases, recorded
from tests.peers.controlplane import ControlPlane

RANDOM_CASES = 100

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


def test_random_writes_do_with_us_what_they_do_on_the_real_server(quiet_control_plane: ControlPlane) -> None:
    async def play_all() -> list[str]:
        different = []
        async with RealServer(quiet_control_plane.url, quiet_control_plane.kubeconfig) as server:
            for seed in range(RANDOM_CASES):
                case = random_case(seed)
                stored: dict[str, Any] | None = None
                for number, (step, real) in enumerate(zip(case.steps, await server.play(case), strict=True), 1):
                    if stored is None and not real.object:
                        break  # the first write was refused, so nothing is there to go on with
                    found = differences(case, play(case, step, stored, real.object or None), real)
                    if found:
                        different.append(f"seed {seed}, step {number}: {step}\n  on {stored}\n  " + "\n  ".join(found))
                    stored = real.object or stored
        return different

    different = asyncio.run(play_all())
    assert not different, "\n\n".join(different[:3])
