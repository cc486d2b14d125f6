"""Rows with a journal: whoever follows is told what is new since they looked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from tests.server.world.kit import known, row
from trueup.apps.status import Status
from trueup.model.refs import ObjectRef
from trueup.server.api.operation import Event
from trueup.server.world.following import FRAME_SECONDS, RIGHTS_SECONDS, follow
from trueup.server.world.overview import overview_of
from trueup.server.world.rows import Known
from trueup.server.world.table import Table

WEB, API = known(row("web")), known(row("api"))
BROKEN = known(row("web", status=Status.FAILED))


class Eyes:
    """Sees what `hidden` does not name."""

    def __init__(self) -> None:
        self.version = 1
        self.hidden: set[str] = set()
        self.wanted: Callable[[Known], bool] = lambda _: True

    async def open(self) -> None:
        return

    def may(self, policy_object: str, ref: ObjectRef) -> bool:
        return policy_object not in self.hidden

    def wants(self, known: Known) -> bool:
        return self.wanted(known)


def filled(remembered: int = 100) -> Table:
    table = Table(remembered)
    table.put(WEB)
    table.put(API)
    return table


def test_news_are_what_changed_since_each_once() -> None:
    table = filled()
    since = table.event_id
    table.put(BROKEN)
    table.put(WEB)
    table.remove(API.ref)
    assert set(table.news(since).refs) == {WEB.ref, API.ref}
    assert not table.news(table.event_id).refs


def test_a_row_that_says_the_same_is_no_news() -> None:
    table = filled()
    since = table.event_id
    table.put(known(row("web", version="2")))
    table.remove(known(row("none")).ref)
    assert table.event_id == since


@pytest.mark.parametrize("since", ["", "x", "x-1", "-", "0000-9", "9" * 50, "a-٣"])
def test_an_event_id_of_another_process_or_none_means_to_begin_again(since: str) -> None:
    assert filled().news(since).reset


def test_who_was_away_for_longer_than_is_remembered_begins_again() -> None:
    table = filled(remembered=3)
    since = table.event_id
    for number in range(4):
        table.put(known(row("web", message=str(number))))
    assert table.news(since).reset


def test_a_row_is_encoded_once_until_it_changes() -> None:
    table = filled()
    first = table.encoded(WEB.ref)
    assert table.encoded(WEB.ref) is first
    table.put(BROKEN)
    assert json.loads(table.encoded(WEB.ref))["status"] == "Failed"


async def take(stream: AsyncIterator[Event]) -> tuple[str, dict[str, list[object]]]:
    event = await asyncio.wait_for(anext(stream), 60)
    return event.event, json.loads(event.data)


@pytest.mark.looptime
async def test_a_crowd_of_changes_is_one_frame() -> None:
    table, eyes = filled(), Eyes()
    stream = follow(table, "", eyes)
    assert await take(stream) == ("ready", {})
    for number in range(50):
        table.put(known(row("web", message=str(number))))
    event, frame = await take(stream)
    assert (event, [one["message"] for one in frame["changed"]]) == ("changes", ["49"])  # type: ignore[call-overload]
    began = asyncio.get_running_loop().time()
    table.put(BROKEN)
    await take(stream)
    assert asyncio.get_running_loop().time() - began == FRAME_SECONDS


@pytest.mark.looptime
async def test_what_one_may_not_see_is_never_named() -> None:
    table, eyes = filled(), Eyes()
    eyes.hidden = {API.policy_object}
    stream = follow(table, table.event_id, eyes)
    table.put(known(row("api", status=Status.FAILED)))
    table.remove(API.ref)
    table.put(BROKEN)
    _, frame = await take(stream)
    assert "api" not in json.dumps(frame)
    assert len(frame["changed"]) == 1


@pytest.mark.looptime
async def test_what_no_longer_fits_and_what_is_gone_is_removed() -> None:
    table, eyes = filled(), Eyes()
    eyes.wanted = lambda known: known.row.status is Status.READY
    stream = follow(table, table.event_id, eyes)
    table.put(BROKEN)
    table.remove(API.ref)
    _, frame = await take(stream)
    assert (frame["changed"], sorted(frame["removed"])) == (  # type: ignore[type-var]
        [],
        ["Kustomization/shop/api", "Kustomization/shop/web"],
    )


@pytest.mark.looptime
async def test_other_rights_mean_to_read_the_list_again_though_nothing_happened() -> None:
    table, eyes = filled(), Eyes()
    stream = follow(table, table.event_id, eyes)
    waiting = asyncio.create_task(take(stream))
    await asyncio.sleep(1)
    eyes.version = 2
    began = asyncio.get_running_loop().time()
    assert await waiting == ("reset", {})
    assert asyncio.get_running_loop().time() - began <= RIGHTS_SECONDS + FRAME_SECONDS


def test_the_overview_tells_the_longest_broken_first_and_whom_things_wait_for() -> None:
    rows = [
        row("ok"),
        row("new", minutes=1, status=Status.FAILED),
        row("old", minutes=90, status=Status.DEGRADED),
        row("manual", status=Status.OUT_OF_SYNC, automated=False),
        row("auto", status=Status.OUT_OF_SYNC),
        row("paused", namespace="bank", status=Status.SUSPENDED, suspended=True),
    ]
    seen = overview_of(rows)
    assert [one.name for one in seen.broken] == ["old", "new"]
    assert {one.name for one in seen.waiting} == {"manual", "paused"}
    assert seen.changed[-1].name == "old"
    assert (seen.total, seen.statuses["OutOfSync"], seen.broken_total) == (6, 2, 2)
    assert [(group.name, group.total) for group in seen.namespaces] == [("shop", 5), ("bank", 1)], "the worst first"
