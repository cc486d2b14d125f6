"""What somebody asks of an App by its resource is recorded: suspending it, letting it go on, pinning it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.controllers.room import Commit, Room
from tests.controllers.test_looks import kustomization, ready_row
from tests.sync.world import config_map
from trueup.apps.suspension import SUSPEND_UNTIL
from trueup.dialects.reading import format_time
from trueup.records.record import RecordKind

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def told(room: Room, kind: RecordKind) -> list[str]:
    return [record.message for record in room.records if record.kind is kind]


async def test_suspending_and_resuming_are_recorded_once_each() -> None:
    room = Room()
    app = room.put(kustomization())
    await room.settle()
    room.edit(app, {"spec": {"suspend": True}})
    await room.settle()
    room.edit(app, {"spec": {"path": "./other"}})
    await room.settle()
    assert told(room, RecordKind.SUSPEND) == ["suspended: no sync and no healing"]
    room.edit(app, {"spec": {"suspend": False}})
    await room.settle()
    assert told(room, RecordKind.SUSPEND)[1:] == ["resumed"]


async def test_a_suspension_that_ends_by_itself_is_followed_by_the_sync_that_it_held_back() -> None:
    """Our own write is no news when its event comes, so nobody but the look that wrote it can wake the next."""
    room = Room()
    app = room.put(kustomization())
    await room.settle()
    room.renders["./app"] = [config_map(colour="blue")]
    ending = {SUSPEND_UNTIL: format_time(room.clock() + timedelta(seconds=60))}
    room.edit(app, {"metadata": {"annotations": ending}, "spec": {"suspend": True}})
    await room.settle()
    await room.push(app, Commit("a"))
    await room.settle(seconds=30)
    assert room.resource(app)["spec"]["suspend"] is True
    assert room.rendered == []
    await room.settle(seconds=40)
    assert room.resource(app)["spec"]["suspend"] is False
    assert ready_row(room, app)["status"] == "True"
    assert told(room, RecordKind.SUSPEND) == ["suspended: no sync and no healing", "resumed"]


async def test_an_app_that_is_suspended_at_the_first_sight_is_no_news() -> None:
    room = Room()
    room.put(kustomization(suspend=True))
    await room.settle()
    assert room.records == []


async def test_a_pin_is_recorded_with_who_set_it_and_why() -> None:
    room = Room()
    app = room.put(kustomization())
    await room.settle()
    room.renders["./app"] = [config_map(colour="blue")]
    await room.push(app, Commit("a"))
    await room.settle()
    pin = {
        "trueup.dev/pin": "main@sha1:" + "b" * 40,
        "trueup.dev/pin-by": "somchai",
        "trueup.dev/pin-reason": "checkout is broken",
    }
    room.edit(app, {"metadata": {"annotations": pin}})
    await room.settle()
    (record,) = [record for record in room.records if record.kind is RecordKind.ROLLBACK]
    assert record.initiated_by == "somchai"
    assert record.message == "pinned to main@bbbbbbb by somchai: checkout is broken"
    room.edit(app, {"metadata": {"annotations": dict.fromkeys(pin)}})
    await room.settle()
    assert told(room, RecordKind.ROLLBACK)[1:] == ["its pin was taken off: it follows Git again"]
