"""The live view against a server with a history: nothing is missed, nothing is told twice, whatever breaks in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.history import History
from tests.cluster.scripted import Script, client_for, hang_up, until
from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import Informer, LiveView
from trueup.cluster.reflector import ReflectorTiming
from trueup.cluster.resource import Resource
from trueup.cluster.retry import RetryPolicy
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

CONFIG_MAPS = Resource(
    group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True, verbs=("list", "watch")
)
SOON = RetryPolicy(first=0.01, maximum=0.02)
QUICK = ReflectorTiming(unreachable=SOON, refused=SOON, parked=RetryPolicy(first=60, maximum=60))


def ref(name: str, namespace: str = "a") -> ObjectRef:
    return ObjectRef("", "ConfigMap", namespace, name)


def value_of(manifest: Manifest) -> str | None:
    """What these tests keep; nothing of objects whose value is `ignored`."""
    value = str(manifest["data"]["value"])
    return None if value == "ignored" else value


class Told:
    """What a subscriber heard."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str | None, str | None]] = []
        self.raws: list[Manifest | None] = []
        self.gone: list[tuple[str, set[str]]] = []

    def change(self, ref: ObjectRef, before: str | None, after: str | None, raw: Manifest | None) -> None:
        self.changes.append((ref.name, before, after))
        self.raws.append(raw)

    def left(self, resource: Resource, refs: frozenset[ObjectRef]) -> None:
        self.gone.append((resource.name, {ref.name for ref in refs}))


@pytest.fixture
def history(script: Script) -> History:
    return History(script)


@pytest.fixture
async def client(script: Script) -> AsyncIterator[KubeClient]:
    async with client_for(script, retry=RetryPolicy(attempts=1)) as made:
        yield made


@pytest.fixture
async def view(client: KubeClient) -> AsyncIterator[LiveView[str]]:
    async with LiveView(client, value_of, timing=QUICK) as made:
        yield made


@pytest.fixture
def told(view: LiveView[str]) -> Told:
    made = Told()
    view.subscribe(made.change, made.left)
    return made


async def some_time(client: KubeClient) -> None:
    """Long enough for what should not happen: many round trips to the same server."""
    for _ in range(20):
        with pytest.raises(ApiError):
            await client.raw("GET", "/nothing")


async def test_tracking_returns_when_everything_is_known_and_then_follows(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    assert view.synced(CONFIG_MAPS)
    assert view.get(ref("x")) == "1"
    await history.put("a", "x", "2")
    await history.put("b", "y", "1")
    await history.remove("a", "x")
    await until(lambda: len(told.changes) == 4)
    assert told.changes == [("x", None, "1"), ("x", "1", "2"), ("y", None, "1"), ("x", "2", None)]
    assert told.raws[3] is not None
    assert dict(view.items(CONFIG_MAPS)) == {ref("y", "b"): "1"}


async def test_tracking_twice_lists_once(view: LiveView[str], history: History) -> None:
    await asyncio.gather(view.track(CONFIG_MAPS), view.track(CONFIG_MAPS))
    await view.track(CONFIG_MAPS)
    assert history.lists == 1


async def test_large_lists_are_read_in_pages(view: LiveView[str], history: History) -> None:
    history.page_size = 7
    for number in range(30):
        await history.put("a", f"x{number}", "1")
    await view.track(CONFIG_MAPS)
    assert len(view) == 30
    assert history.lists == 5


@pytest.mark.parametrize("clean", [True, False])
async def test_a_watch_that_ends_goes_on_where_it_was_without_a_list(
    view: LiveView[str], told: Told, history: History, clean: bool
) -> None:
    await view.track(CONFIG_MAPS)
    made = await history.put("a", "x", "1")
    await until(lambda: len(told.changes) == 1)
    await history.cut(clean=clean)
    await history.put("a", "x", "2")
    await until(lambda: len(told.changes) == 2)
    assert told.changes[1] == ("x", "1", "2")
    assert history.lists == 1
    assert history.watches[1]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_bookmark_moves_the_place_from_which_a_watch_goes_on(view: LiveView[str], history: History) -> None:
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    history.version = 500
    await history.bookmark()
    await until(lambda: view._tracked[CONFIG_MAPS.group_kind].shelf._told[""] == 500)
    history.compact()
    await history.cut(clean=True)
    await until(lambda: len(history.watches) == 2)
    assert history.watches[1]["resourceVersion"] == "500"
    assert history.lists == 1


async def test_after_410_a_list_tells_exactly_what_changed_meanwhile(
    view: LiveView[str], told: Told, history: History, script: Script
) -> None:
    for name in ("same", "changed", "deleted"):
        await history.put("a", name, "1")
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    told.changes.clear()
    told.raws.clear()
    script.on("GET /api/v1/configmaps", hang_up)  # nobody can reach the server
    await history.cut()
    await until(lambda: history.open_watches == 0)
    await history.put("a", "changed", "2")
    await history.remove("a", "deleted")
    await history.put("a", "added", "1")
    history.compact()
    script.on("GET /api/v1/configmaps", history.answer)
    await until(lambda: len(told.changes) == 3)
    assert sorted(told.changes) == [("added", None, "1"), ("changed", "1", "2"), ("deleted", "1", None)]
    assert told.raws[told.changes.index(("deleted", "1", None))] is None
    assert history.lists == 2


async def test_an_object_deleted_and_made_again_unseen_is_told_as_a_change(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    history.compact()
    await history.cut()
    await history.remove("a", "x")
    await history.put("a", "x", "2")
    history.compact()
    await until(lambda: view.get(ref("x")) == "2")
    assert told.changes[-1][2] == "2"


async def test_what_reduces_to_nothing_is_neither_kept_nor_told(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "ignored")
    await history.put("a", "y", "1")
    await view.track(CONFIG_MAPS)
    await history.put("a", "y", "ignored")
    await history.remove("a", "x")
    await history.put("a", "z", "1")
    await until(lambda: view.get(ref("z")) == "1")
    assert told.changes == [("y", None, "1"), ("y", "1", None), ("z", None, "1")]
    assert len(view) == 1


# our own writes


async def test_the_event_of_our_own_write_is_not_told_and_later_ones_are(
    view: LiveView[str], told: Told, history: History
) -> None:
    await view.track(CONFIG_MAPS)
    await history.put("a", "x", "1")
    await until(lambda: len(told.changes) == 1)
    answer = await history.put("a", "x", "2")
    view.observe(answer)
    assert view.get(ref("x")) == "2"
    await history.put("a", "x", "3")
    await until(lambda: view.get(ref("x")) == "3")
    assert told.changes == [("x", None, "1"), ("x", "2", "3")]


async def test_events_before_our_own_write_are_old_news(view: LiveView[str], told: Told, history: History) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    await history.put("a", "x", "someone's, before ours")
    answer = await history.put("a", "x", "ours")
    view.note(ref("x"), answer["metadata"]["resourceVersion"])
    await until(lambda: view.get(ref("x")) == "ours")
    assert told.changes == [("x", None, "1")]


async def test_an_object_that_we_made_while_a_list_was_under_way_is_not_taken_for_deleted(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    shelf_version = history.version
    answer = await history.put("a", "new", "1")
    view.observe(answer)
    # A list from before our write, as a slow answer brings it:
    place = view._tracked[CONFIG_MAPS.group_kind].places[""]
    place.begin_list(rewound=False)
    place.end_list(str(shelf_version))
    assert view.get(ref("new")) == "1"
    assert view.get(ref("x")) is None


async def test_a_write_outside_of_what_is_tracked_is_not_kept(view: LiveView[str], history: History) -> None:
    await view.track(CONFIG_MAPS, {"a"})
    answer = await history.put("b", "x", "1")
    view.observe(answer)
    assert view.get(ref("x", "b")) is None


# what is served, and to whom


async def test_a_kind_that_is_not_served_is_said_at_once_and_taken_up_when_it_comes(
    view: LiveView[str], told: Told, history: History
) -> None:
    history.served = False
    with pytest.raises(KindNotServed):
        await view.track(CONFIG_MAPS)
    assert not view.synced(CONFIG_MAPS)
    assert told.gone == []
    history.served = True
    await history.put("a", "x", "1")
    view.revive(CONFIG_MAPS.group_kind)
    await until(lambda: view.synced(CONFIG_MAPS))
    assert view.get(ref("x")) == "1"


async def test_asking_again_for_a_kind_that_has_come_meanwhile_works_at_once(
    view: LiveView[str], history: History
) -> None:
    history.served = False
    with pytest.raises(KindNotServed):
        await view.track(CONFIG_MAPS)
    history.served = True
    await view.track(CONFIG_MAPS)
    assert view.synced(CONFIG_MAPS)


async def test_a_kind_that_vanishes_is_gone_not_deleted(view: LiveView[str], told: Told, history: History) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    await history.unserve()
    await until(lambda: bool(told.gone))
    assert told.gone == [("configmaps", {"x"})]
    assert told.changes == [("x", None, "1")]
    assert view.get(ref("x")) is None
    assert not view.synced(CONFIG_MAPS)


async def test_discovery_that_finds_the_kind_again_wakes_its_watch(
    view: LiveView[str], client: KubeClient, history: History
) -> None:
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    await history.unserve()
    await until(lambda: not view.synced(CONFIG_MAPS))
    history.served = True
    await client.discovery.refresh()
    await until(lambda: view.synced(CONFIG_MAPS))


async def test_a_crd_that_changed_wakes_parked_watches_and_they_do_not_wake_each_other(
    view: LiveView[str], client: KubeClient, history: History, script: Script
) -> None:
    history.served = False
    other = Resource(group="", version="v1", plural="others", kind="Other", namespaced=True)
    for resource in (CONFIG_MAPS, other):
        with pytest.raises(KindNotServed):
            await view.track(resource)
    await some_time(client)
    assert len(script.asked_for("GET /api/v1/others")) == 1
    history.served = True
    client.discovery.invalidate()
    await until(lambda: view.synced(CONFIG_MAPS))
    await some_time(client)
    assert len(script.asked_for("GET /api/v1/others")) == 2


async def test_a_list_that_is_forbidden_is_told_to_whoever_waits_and_tried_again(
    view: LiveView[str], history: History
) -> None:
    history.forbidden = True
    with pytest.raises(ApiError, match="cannot list") as caught:
        await view.track(CONFIG_MAPS)
    assert caught.value.is_forbidden
    history.forbidden = False
    await until(lambda: view.synced(CONFIG_MAPS))


async def test_a_server_that_is_away_is_waited_for(view: LiveView[str], history: History, script: Script) -> None:
    script.on("GET /api/v1/configmaps", hang_up, hang_up, hang_up, history.answer)
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    assert view.get(ref("x")) == "1"


async def test_a_server_restored_from_a_backup_is_looked_at_anew(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "1")
    await history.put("a", "later", "1")
    history.version = 1000
    await history.put("a", "x", "2")
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    told.changes.clear()
    history.version = 20
    history.objects = {}
    history.events = []
    await history.put("a", "x", "old")
    history.oldest = 2000  # any place that the watch knows is refused
    await history.cut()
    await until(lambda: view.get(ref("x")) == "old")
    history.oldest = 0
    assert sorted(told.changes) == [("later", "1", None), ("x", "2", "old")]


# places


async def test_only_the_namespaces_asked_for_are_followed_and_more_may_join(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "1")
    await history.put("b", "y", "1")
    await view.track(CONFIG_MAPS, {"a"})
    assert len(view) == 1
    await view.track(CONFIG_MAPS, {"a", "b"})
    assert len(view) == 2
    assert history.lists == 2


async def test_following_everything_takes_over_from_namespaces_without_telling_twice(
    view: LiveView[str], told: Told, history: History
) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS, {"a"})
    await history.put("b", "y", "1")
    await view.track(CONFIG_MAPS)
    await history.put("a", "x", "2")
    await until(lambda: view.get(ref("x")) == "2")
    await until(lambda: history.open_watches <= 2)
    assert told.changes == [("x", None, "1"), ("y", None, "1"), ("x", "1", "2")]
    await view.track(CONFIG_MAPS, {"a"})
    assert history.lists == 2


async def test_two_different_selectors_widen_to_everything(view: LiveView[str], history: History) -> None:
    await history.put("a", "x", "1", {"app": "one"})
    await history.put("a", "y", "1", {"app": "two"})
    await history.put("a", "z", "1", {})
    await view.track(CONFIG_MAPS, label_selector="app=one")
    assert set(dict(view.items(CONFIG_MAPS))) == {ref("x")}
    await view.track(CONFIG_MAPS, label_selector="app=two")
    assert set(dict(view.items(CONFIG_MAPS))) == {ref("x"), ref("y"), ref("z")}


async def test_untracking_ends_the_watch_and_tells_nobody(view: LiveView[str], told: Told, history: History) -> None:
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    await until(lambda: history.open_watches == 1)
    view.untrack(CONFIG_MAPS)
    assert len(view) == 0
    assert told.changes == [("x", None, "1")]
    assert not view.synced(CONFIG_MAPS)


async def test_a_subscriber_that_fails_harms_neither_the_view_nor_the_others(
    view: LiveView[str], history: History
) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    told = Told()
    view.subscribe(fails)
    view.subscribe(told.change)
    await history.put("a", "x", "1")
    await view.track(CONFIG_MAPS)
    assert told.changes == [("x", None, "1")]


async def test_leaving_the_block_ends_all_watches(client: KubeClient, history: History) -> None:
    async with Informer(client, timing=QUICK) as informer:
        await history.put("a", "x", "1")
        await informer.track(CONFIG_MAPS)
        whole = informer.get(ref("x"))
        assert whole is not None
        assert whole["data"] == {"value": "1"}
        await until(lambda: history.open_watches == 1)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("watch ")]
