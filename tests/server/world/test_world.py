"""Who makes an App asks about it with the next breath."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.server.argo.kit import application
from trueup.dialects.registry import all_dialects
from trueup.model.manifest import ref_of
from trueup.server.world.world import World


async def test_who_makes_an_app_waits_until_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.server.world.world.HEARING_SECONDS", 60)
    world, web = World(all_dialects(), lambda: datetime.now(UTC)), application("web")
    waiting = asyncio.create_task(world.heard_of(ref_of(web)))
    await asyncio.sleep(0)
    other = application("other")
    world.seen(ref_of(other), other)
    await asyncio.sleep(0)
    assert not waiting.done()
    world.seen(ref_of(web), web)
    await waiting
    await world.heard_of(ref_of(web))


async def test_who_makes_an_app_is_answered_though_it_is_never_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.server.world.world.HEARING_SECONDS", 0)
    await World(all_dialects(), lambda: datetime.now(UTC)).heard_of(ref_of(application("web")))
