"""Live trees as the server knows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from trueup.apps.livetree import Delta, Gone, Hello, LiveNode, Reached, Ready, Tree, decode_frame, encode_frame
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.health import Health, Kstatus
from trueup.model.refs import ObjectRef
from trueup.model.sight import Sight
from trueup.server.internal import Internal, add_internal
from trueup.server.world.treereading import TreeReader, TreesNotHeard, lines_of
from trueup.server.world.trees import Trees
from trueup.server.world.world import World

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
SHOP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "app")
OTHER = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "other")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
SET = ObjectRef("apps", "ReplicaSet", "shop", "web-1")
POD = ObjectRef("", "Pod", "shop", "web-1-a")
LONE = ObjectRef("", "Pod", "shop", "lone")
TOKEN = "t" * 43


def node(ref: ObjectRef, uid: str, *owners: str, **parts: Any) -> LiveNode:
    return LiveNode(ref=ref, version="v1", uid=uid, managed=not owners, sight=Sight(owners=owners), **parts)


NODES = (node(WEB, "web"), node(LONE, "lone"), node(SET, "set", "web"), node(POD, "pod", "set"))


def trees_and_reader() -> tuple[Trees, TreeReader]:
    async def token() -> str:
        return TOKEN

    trees = Trees()
    return trees, TreeReader("http://127.0.0.1:1", token, trees, lambda: NOW, name="shard-0")


def told() -> tuple[Trees, TreeReader]:
    trees, reader = trees_and_reader()
    for frame in (Hello(position="e-0", resumed=False), Tree(app=SHOP, nodes=NODES), Ready(position="e-0")):
        reader.take(frame)
    return trees, reader


def test_frames_survive_the_way_over_the_wire() -> None:
    crashing = node(POD, "pod", "set", kstatus=Kstatus.IN_PROGRESS, health=Health.DEGRADED, message="back-off")
    whole = msgspec.structs.replace(
        crashing,
        sight=Sight(created=NOW, owners=("set",), images=("web:1",), ready=0, wanted=1, restarts=3, targets=(WEB,)),
    )
    for frame in (
        Tree(app=SHOP, nodes=(whole,)),
        Delta(app=SHOP, removed=(SET,)),
        Gone(app=SHOP),
        Reached(position="e-1"),
    ):
        line = encode_frame(frame)
        assert line.count(b"\n") == 1
        assert decode_frame(line) == frame


def test_a_tree_is_known_and_current_once_it_was_told() -> None:
    trees, _ = told()
    tree = trees.tree(SHOP)
    assert tree is not None
    assert (set(tree.nodes), tree.is_stale) == (set(NODES), False)
    assert trees.tree(OTHER) is None
    assert trees.problems() == []


def test_before_a_controller_is_heard_that_is_said() -> None:
    trees, _ = trees_and_reader()
    assert trees.problems() == ["shard-0: it has not been reached yet"]


def test_the_pods_below_an_object_are_found_and_no_others() -> None:
    trees, _ = told()
    assert trees.pods(SHOP) == (LONE, POD)
    assert trees.pods(SHOP, WEB) == (POD,)
    assert trees.pods(SHOP, POD) == (POD,)
    assert trees.pods(SHOP, ObjectRef("", "Pod", "shop", "stranger")) == ()
    assert trees.pods(OTHER) == ()


def test_a_change_is_news_of_what_changed_since_the_reader_looked() -> None:
    trees, reader = told()
    since = trees.news(SHOP, "").event_id
    reader.take(Delta(app=SHOP, changed=(node(POD, "pod", "set", message="back-off"),), removed=(LONE,)))
    news = trees.news(SHOP, since)
    assert (set(news.changed), set(news.removed), news.reset) == ({POD}, {LONE}, False)
    assert not trees.news(SHOP, news.event_id).changed
    assert trees.pods(SHOP, WEB) == (POD,)


def test_what_is_told_again_as_it_was_is_no_news() -> None:
    trees, reader = told()
    since = trees.news(SHOP, "").event_id
    reader.take(Tree(app=SHOP, nodes=NODES))
    assert trees.news(SHOP, since).event_id == since


@pytest.mark.parametrize("since", ["", "x", "0000-1", "-1", "nonsense-9999999999999999999999"])
def test_an_event_id_that_is_not_of_this_tree_means_to_read_it_anew(since: str) -> None:
    trees, _ = told()
    assert trees.news(SHOP, since).reset


def test_who_was_away_for_too_long_reads_it_anew() -> None:
    trees, reader = told()
    since = trees.news(SHOP, "").event_id
    for number in range(2_001):
        reader.take(Delta(app=SHOP, changed=(node(POD, "pod", "set", resource_version=str(number)),)))
    assert trees.news(SHOP, since).reset


def test_a_lost_controller_leaves_its_trees_and_says_since_when_they_are_old() -> None:
    trees, reader = told()
    trees.lost(reader._branch, "connection refused")
    tree = trees.tree(SHOP)
    assert tree is not None
    assert (tree.problem, tree.stale_since, set(tree.nodes)) == ("connection refused", NOW, set(NODES))
    reader.take(Hello(position="e-0", resumed=True))
    tree = trees.tree(SHOP)
    assert tree is not None
    assert not tree.is_stale


def test_after_a_new_snapshot_what_it_does_not_hold_is_gone() -> None:
    trees, reader = told()
    reader.take(Delta(app=OTHER, changed=(node(LONE, "lone"),)))
    reader.take(Hello(position="f-0", resumed=False))
    reader.take(Tree(app=SHOP, nodes=NODES[:1]))
    assert trees.tree(OTHER) is not None, "what is known stays until everything was told"
    reader.take(Tree(app=SHOP, nodes=NODES[2:3], more=True))
    reader.take(Ready(position="f-0"))
    assert trees.tree(OTHER) is None
    tree = trees.tree(SHOP)
    assert tree is not None
    assert {one.ref for one in tree.nodes} == {WEB, SET}


def test_an_app_that_moved_to_another_shard_is_not_dropped_by_the_first() -> None:
    trees, first = told()
    second = trees.branch("shard-1")
    trees.begin(second, SHOP, NODES)
    trees.heard(second, NOW)
    first.take(Gone(app=SHOP))
    tree = trees.tree(SHOP)
    assert tree is not None
    first.take(Hello(position="f-0", resumed=False))
    first.take(Ready(position="f-0"))
    assert trees.tree(SHOP) is not None


def test_a_child_that_came_before_its_owner_is_news_again_when_that_comes() -> None:
    trees, reader = trees_and_reader()
    reader.take(Tree(app=SHOP, nodes=(NODES[3],)))
    since = trees.news(SHOP, "").event_id
    assert msgspec.json.decode(trees.encoded(SHOP, POD))["parent"] is None
    reader.take(Delta(app=SHOP, changed=(NODES[2],)))
    assert set(trees.news(SHOP, since).changed) == {POD, SET}
    assert msgspec.json.decode(trees.encoded(SHOP, POD))["parent"] == "ReplicaSet.apps/shop/web-1"


def test_a_list_shows_the_images_that_the_live_tree_tells_of() -> None:
    trees, reader = trees_and_reader()
    world = World([FluxDialect()], lambda: NOW)
    world.follow(trees)
    app = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "app", "namespace": "shop"},
        "spec": {"path": "./", "interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "r"}},
    }
    world.seen(SHOP, app)
    since = world.apps.event_id

    def runs(*images: str) -> LiveNode:
        return msgspec.structs.replace(NODES[0], sight=Sight(images=images))

    reader.take(Tree(app=SHOP, nodes=(runs("web:1", "side:1"), *NODES[1:])))
    known = world.apps.get(SHOP)
    assert known is not None
    assert known.row.images == ("side:1", "web:1")
    assert set(world.apps.news(since).refs) == {SHOP}
    since = world.apps.event_id
    reader.take(Delta(app=SHOP, changed=(node(POD, "pod", "set", message="back-off"),)))
    assert world.apps.event_id == since, "other news of the tree are none of the list"
    world.seen(SHOP, app)
    known = world.apps.get(SHOP)
    assert known is not None
    assert known.row.images == ("side:1", "web:1"), "a new status does not take them away"
    reader.take(Delta(app=SHOP, changed=(runs("web:2"),)))
    known = world.apps.get(SHOP)
    assert known is not None
    assert known.row.images == ("web:2",)
    reader.take(Delta(app=SHOP, removed=(WEB,)))
    known = world.apps.get(SHOP)
    assert known is not None
    assert known.row.images == ()


def test_a_node_is_encoded_once_until_it_changes() -> None:
    trees, reader = told()
    first = trees.encoded(SHOP, POD)
    assert trees.encoded(SHOP, POD) is first
    row = msgspec.json.decode(first)
    assert (row["id"], row["parent"]) == ("Pod/shop/web-1-a", "ReplicaSet.apps/shop/web-1")
    reader.take(Delta(app=SHOP, changed=(node(POD, "pod", "set", kstatus=Kstatus.FAILED, message="oh"),)))
    assert b"oh" in trees.encoded(SHOP, POD)


async def test_a_follower_is_woken_by_a_change_by_a_loss_and_by_the_end() -> None:
    trees, reader = told()
    since = trees.news(SHOP, "").event_id
    for happens in (
        lambda: reader.take(Delta(app=SHOP, removed=(POD,))),
        lambda: trees.lost(reader._branch, "gone away"),
        lambda: trees.drop(reader._branch, SHOP),
    ):
        waiting = asyncio.create_task(trees.wait(SHOP, since))
        await asyncio.sleep(0)
        happens()
        await asyncio.wait_for(waiting, 1)
        since = trees.news(SHOP, since).event_id or since
    assert trees.tree(SHOP) is None


async def test_who_waits_for_a_tree_that_nobody_has_told_of_is_woken_when_it_comes() -> None:
    trees, reader = trees_and_reader()
    waiting = asyncio.create_task(trees.wait(SHOP, "", "no controller tells of it"))
    await asyncio.sleep(0)
    assert not waiting.done()
    reader.take(Tree(app=SHOP, nodes=NODES))
    await asyncio.wait_for(waiting, 1)
    assert trees._coming == {}


async def test_lines_are_put_together_from_whatever_pieces_come() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for piece in (b"on", b"e\ntw", b"o\nthree\nfo", b"ur\n"):
            yield piece

    assert [line async for line in lines_of(pieces())] == [b"one", b"two", b"three", b"four"]


async def test_a_line_without_an_end_is_a_fault_and_not_a_full_memory() -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(TreesNotHeard, match="longer than 5000"):
        [line async for line in lines_of(endless(), 5000)]


async def until(trees: Trees, condition: Callable[[], bool]) -> None:
    stirred = asyncio.Event()
    trees.listen(lambda _app, _there: stirred.set())
    trees.listen_to_problems(lambda _: stirred.set())
    while not condition():
        await stirred.wait()
        stirred.clear()


async def test_a_reader_follows_over_http_and_goes_on_where_it_was_cut() -> None:
    asked: list[str] = []
    batches = [
        [Hello(position="e-0", resumed=False), Tree(app=SHOP, nodes=NODES), Ready(position="e-0")],
        [Hello(position="e-1", resumed=True), Delta(app=SHOP, removed=(LONE,)), Reached(position="e-1")],
    ]
    hold = asyncio.Event()

    def stream(since: str) -> AsyncGenerator[bytes]:
        asked.append(since)

        async def lines() -> AsyncGenerator[bytes]:
            for frame in batches[len(asked) - 1]:
                yield encode_frame(frame)
            if len(asked) == len(batches):
                await hold.wait()

        return lines()

    async def token() -> str:
        return TOKEN

    app = web.Application()
    add_internal(app, Internal(token, stream))
    server = TestServer(app)
    await server.start_server()
    trees = Trees()
    reader = TreeReader(str(server.make_url("")), token, trees, lambda: NOW)
    running = asyncio.create_task(reader.run())
    async with asyncio.timeout(10):
        await until(trees, lambda: trees.pods(SHOP) == (POD,) and not trees.problems())
    assert asked == ["", "e-0"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    hold.set()
    await server.close()


async def test_a_controller_that_refuses_is_told_as_it_said_it() -> None:
    async def wrong() -> str:
        return "w" * 43

    async def right() -> str:
        return TOKEN

    app = web.Application()
    add_internal(app, Internal(right, lambda _: None))
    server = TestServer(app)
    await server.start_server()
    trees = Trees()
    running = asyncio.create_task(TreeReader(str(server.make_url("")), wrong, trees, lambda: NOW).run())
    async with asyncio.timeout(10):
        await until(trees, lambda: "401" in str(trees.problems()))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await server.close()
