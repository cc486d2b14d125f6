"""What goes by itself after a time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.workloads.test_jobs import job
from tests.embedded.workloads.world import World
from trueup.embedded.workloads.kinds import EVENTS, JOBS, PODS
from trueup.model.manifest import Manifest

pytestmark = pytest.mark.looptime


def event(name: str, **fields: Any) -> Manifest:
    regarding = {"kind": "Pod", "name": "p", "namespace": "default"}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": regarding, **fields}


async def test_events_go_an_hour_after_they_were_last_said(world: World) -> None:
    await world.apply(event("old", reason="Once"))
    await world.apply(event("alive", reason="Again"))
    await world.pass_time(1800)
    await world.client.patch(EVENTS, "default", "alive", {"lastTimestamp": world.now(), "count": 2})
    await world.pass_time(1900)
    assert world.names(EVENTS, "default") == ["alive"]
    await world.pass_time(1900)
    assert world.names(EVENTS, "default") == []


async def test_finished_jobs_go_after_their_time_with_their_pods(world: World) -> None:
    await world.apply(job("short", ttlSecondsAfterFinished=60))
    await world.apply(job("stays"))
    await world.pass_time(30)
    assert world.names(JOBS) == ["short", "stays"]
    await world.pass_time(60)
    assert world.names(JOBS) == ["stays"]
    assert len(world.all(PODS)) == 1


async def test_a_time_that_passed_while_nothing_ran_counts(bare: World) -> None:
    await bare.apply(event("old"))
    await bare.pass_time_alone(4000)
    async with bare.controllers():
        await bare.settled()
        assert bare.names(EVENTS, "default") == []
