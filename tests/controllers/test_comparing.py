"""Plans of Apps at other revisions: in turns as a sync takes them, writing nothing, remembered by nobody, given up afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from tests.controllers.room import Commit, Room
from tests.controllers.test_stepping import SETTINGS, WEB, application, in_wave, job
from tests.sync.world import config_map, deployment
from trueup.apps.comparison import CompareWish
from trueup.controllers.comparing import AT_ONCE, WAITING, Busy, Comparing, NoSuchApp
from trueup.controllers.feeds import Feed
from trueup.model.errors import BuildFailed, InvalidInput
from trueup.model.refs import ObjectRef
from trueup.sources.gitsnapshot import GitSnapshot

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Proposed(Commit):
    """A revision that somebody asks about: whether it was given up."""

    given_up = 0

    def release(self) -> None:
        self.given_up += 1


class Asked(Room):
    """A room whose source has one more revision."""

    proposed: Proposed
    fetched: list[str]
    gate: asyncio.Event

    async def at_expression(self, feed: Feed, expression: str) -> GitSnapshot:
        self.fetched.append(expression)
        await self.gate.wait()
        return cast("GitSnapshot", self.proposed)

    async def at_expressions(self, feed: Feed, expressions: Sequence[str]) -> GitSnapshot:
        self.fetched.extend(expressions)
        return cast("GitSnapshot", self.proposed)

    @property
    def comparing(self) -> Comparing:
        return Comparing(self._shell)


async def room_of() -> tuple[Asked, ObjectRef]:
    room = Asked()
    room.proposed, room.fetched, room.gate = Proposed("b"), [], asyncio.Event()
    room.gate.set()
    app = room.put(application(prune=True))
    await room.settle()
    room.renders["app"] = [config_map(colour="blue")]
    await room.push(app, Commit("a"))
    await room.settle()
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "blue"}
    return room, app


async def test_a_plan_tells_the_turn_of_each_object_and_hook_and_changes_nothing() -> None:
    room, app = await room_of()
    room.renders["app"] = [in_wave(deployment(), 2), in_wave(config_map(colour="red"), -1), job("migrate", wave=3)]
    plan = await room.comparing.compare(CompareWish(app=app, revision="proposal"))
    found = {one.ref: one for one in plan.objects}
    assert (found[WEB].action, found[WEB].phase, found[WEB].wave) == ("created", "Sync", 2)
    assert (found[SETTINGS].action, found[SETTINGS].wave) == ("configured", -1)
    assert [(one.path, one.before, one.after) for one in found[SETTINGS].fields if one.path.startswith("data")] == [
        ("data.colour", '"blue"', '"red"')
    ]
    (hook,) = plan.hooks
    assert (hook.ref.name, hook.hook, hook.wave) == ("migrate", ("PreSync",), 3)
    assert room.cluster.objects[SETTINGS]["data"] == {"colour": "blue"}
    assert WEB not in room.cluster.objects
    assert room.memories[app].desired is not None
    assert set(room.memories[app].desired or ()) == {SETTINGS}


async def test_a_revision_is_given_up_once_after_its_plan_also_where_it_cannot_be_rendered() -> None:
    room, app = await room_of()
    await room.comparing.compare(CompareWish(app=app, revision="proposal"))
    assert room.proposed.given_up == 1
    room.renders["app"] = BuildFailed("web.yaml: no YAML")
    with pytest.raises(BuildFailed):
        await room.comparing.compare(CompareWish(app=app, revision="proposal"))
    assert room.proposed.given_up == 2


async def test_of_several_sources_a_revision_of_each_is_named_with_commas_and_an_empty_one_stays() -> None:
    room, app = await room_of()
    await room.comparing.compare(CompareWish(app=app, revision="1.2.0, ,main"))
    assert (room.fetched, room.proposed.given_up) == (["1.2.0", "", "main"], 1)


async def test_the_apps_own_revision_is_not_given_up_and_nothing_is_fetched_for_it() -> None:
    room, app = await room_of()
    own = Proposed("a")
    room.feed(app).snapshot = cast("GitSnapshot", own)
    plan = await room.comparing.compare(CompareWish(app=app))
    assert (plan.counts, own.given_up, room.fetched) == ({"unchanged": 1}, 0, [])


async def test_what_is_no_revision_and_an_app_that_is_not_there_are_refused_before_anything_is_fetched() -> None:
    room, app = await room_of()
    for revision in ("x" * 301, "main\n--upload-pack=sh"):
        with pytest.raises(InvalidInput):
            await room.comparing.compare(CompareWish(app=app, revision=revision))
    with pytest.raises(NoSuchApp):
        await room.comparing.compare(CompareWish(app=ObjectRef("argoproj.io", "Application", "argocd", "other")))
    assert room.fetched == []


async def test_a_few_questions_are_answered_at_once_more_wait_and_more_than_that_are_refused() -> None:
    room, app = await room_of()
    comparing = room.comparing
    room.gate.clear()
    wish = CompareWish(app=app, revision="proposal")
    tasks = [asyncio.create_task(comparing.compare(wish)) for _ in range(WAITING)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(room.fetched) == AT_ONCE
    with pytest.raises(Busy):
        await comparing.compare(wish)
    room.gate.set()
    assert len(await asyncio.gather(*tasks)) == WAITING
    assert (await comparing.compare(wish)).counts == {"unchanged": 1}


async def test_a_hook_whose_name_the_server_makes_is_shown_by_what_its_name_begins_with() -> None:
    room, app = await room_of()
    room.renders["app"] = [config_map(colour="blue"), job("", generateName="migrate-")]
    (hook,) = (await room.comparing.compare(CompareWish(app=app, revision="proposal"))).hooks
    assert hook.after is not None
    assert (hook.ref.name, hook.after["metadata"].get("name"), hook.after["metadata"]["generateName"]) == (
        "migrate-", None, "migrate-",
    )  # fmt: skip


async def test_the_plan_of_selected_objects_is_of_these_alone_and_runs_no_hook() -> None:
    room, app = await room_of()
    room.renders["app"] = [deployment(), config_map(colour="red"), job("migrate")]
    plan = await room.comparing.compare(CompareWish(app=app, revision="proposal", resources=(WEB,)))
    assert ([(one.ref, one.action) for one in plan.objects], plan.hooks) == ([(WEB, "created")], ())
    whole = await room.comparing.compare(CompareWish(app=app, revision="proposal"))
    assert ({one.ref for one in whole.objects}, len(whole.hooks)) == ({WEB, SETTINGS}, 1)
    # What left Git goes with a sync that selects it, and stays with any other.
    room.renders["app"] = [deployment()]
    plan = await room.comparing.compare(CompareWish(app=app, revision="proposal", resources=(WEB,)))
    assert [one.ref for one in plan.objects] == [WEB]
    plan = await room.comparing.compare(CompareWish(app=app, revision="proposal", resources=(SETTINGS,)))
    assert [(one.ref, one.action) for one in plan.objects] == [(SETTINGS, "pruned")]
