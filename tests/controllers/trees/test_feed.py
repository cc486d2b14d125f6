"""The stream of live trees: snapshots, changes by number, readers at their own speed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from tests.controllers.trees.kit import OTHER, POD, SET, SETTINGS, SHOP, WEB, World
from trueup.apps.livetree import Delta, Frame, Gone, Hello, LiveNode, Reached, Ready, Tree, decode_frame
from trueup.controllers.trees.feed import HEARTBEAT, TreeFeed
from trueup.controllers.trees.keeper import Change
from trueup.model.refs import ObjectRef


def feed_of(world: World, epoch: str = "e1", **bounds: int) -> TreeFeed:
    return TreeFeed(epoch, world.keeper.apps, world.keeper.nodes, **bounds)


def grown() -> World:
    world = World()
    world.put(WEB, "web")
    world.manage(SHOP, WEB)
    world.manage(OTHER, SETTINGS)
    world.hang(SET, "set", "web")
    world.keeper.take_news()
    return world


async def read(lines: AsyncGenerator[bytes], until: type[Frame]) -> list[Frame]:
    frames: list[Frame] = []
    async for chunk in lines:
        assert chunk.endswith(b"\n")
        frames += [decode_frame(line) for line in chunk.splitlines()]
        if isinstance(frames[-1], until):
            return frames
    return frames


def put(world: World, feed: TreeFeed, version: str) -> None:
    world.hang(SET, "set", "web", version=version)
    feed.put(world.keeper.take_news())


async def test_a_new_reader_is_told_every_tree_and_where_that_ends() -> None:
    world = grown()
    async with contextlib.aclosing(feed_of(world).lines()) as lines:
        hello, first, second, ready = await read(lines, Ready)
    assert hello == Hello(position="e1-0", resumed=False)
    assert isinstance(first, Tree)
    assert (first.app, first.nodes) == (SHOP, world.keeper.nodes(SHOP))
    assert isinstance(second, Tree)
    assert second.app == OTHER
    assert ready == Ready(position="e1-0")


async def test_changes_follow_and_name_the_position_that_they_reach() -> None:
    world = grown()
    feed = feed_of(world)
    async with contextlib.aclosing(feed.lines()) as lines:
        await read(lines, Ready)
        put(world, feed, "2")
        world.keeper.app_gone(OTHER)
        feed.put(world.keeper.take_news())
        delta, gone, reached = await read(lines, Reached)
    assert isinstance(delta, Delta)
    assert [(node.ref, node.resource_version) for node in delta.changed] == [(SET, "2")]
    assert (gone, reached) == (Gone(app=OTHER), Reached(position="e1-2"))


async def test_a_reader_goes_on_where_it_was_and_misses_nothing() -> None:
    world = grown()
    feed = feed_of(world)
    put(world, feed, "2")
    put(world, feed, "3")
    async with contextlib.aclosing(feed.lines("e1-1")) as lines:
        hello, delta, reached = await read(lines, Reached)
    assert isinstance(hello, Hello)
    assert hello.resumed
    assert isinstance(delta, Delta)
    assert delta.changed[0].resource_version == "3"
    assert reached == Reached(position="e1-2")


@pytest.mark.parametrize("since", ["e0-1", "e1-99", "e1--1", "e1-x", "nonsense", "e1-" + "9" * 40, "e1-١"])
async def test_a_position_that_is_not_ours_gets_everything(since: str) -> None:
    async with contextlib.aclosing(feed_of(grown()).lines(since)) as lines:
        frames = await read(lines, Ready)
    assert isinstance(frames[0], Hello)
    assert not frames[0].resumed


async def test_who_fell_behind_what_is_remembered_is_told_everything_anew() -> None:
    world = grown()
    feed = feed_of(world, most=3)
    async with contextlib.aclosing(feed.lines()) as lines:
        await read(lines, Ready)
        for number in range(2, 10):
            put(world, feed, str(number))
        frames = await read(lines, Ready)
    assert frames[0] == Hello(position="e1-8", resumed=False)
    trees = [frame for frame in frames if isinstance(frame, Tree) and frame.app == SHOP]
    assert {node.ref: node.resource_version for node in trees[0].nodes}[SET] == "9"


async def test_what_is_remembered_is_bounded_by_bytes_too() -> None:
    world = grown()
    feed = feed_of(world, most_bytes=2_000)
    for number in range(2, 100):
        put(world, feed, str(number))
    assert sum(map(len, feed._lines)) <= 2_000


async def test_each_change_is_encoded_once_for_all_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = grown()
    feed = feed_of(world)
    made = []
    from trueup.controllers.trees import feed as module

    encode = module.encode_frame
    monkeypatch.setattr(module, "encode_frame", lambda frame: made.append(frame) or encode(frame))
    readers = [feed.lines("e1-0") for _ in range(20)]
    for lines in readers:
        await anext(lines)
    put(world, feed, "2")
    for lines in readers:
        await anext(lines)
        await lines.aclose()
    assert sum(isinstance(frame, Delta) for frame in made) == 1


@pytest.mark.looptime
async def test_a_quiet_stream_shows_that_it_lives() -> None:
    feed = feed_of(grown())
    loop = asyncio.get_running_loop()
    async with contextlib.aclosing(feed.lines("e1-0")) as lines:
        await anext(lines)
        began = loop.time()
        assert decode_frame(await anext(lines)) == Reached(position="e1-0")
        assert loop.time() - began == HEARTBEAT


async def test_readers_of_a_closed_feed_are_sent_away() -> None:
    feed = feed_of(grown())
    async with contextlib.aclosing(feed.lines("e1-0")) as lines:
        await anext(lines)
        waiting = asyncio.create_task(anext(lines, None))
        await asyncio.sleep(0)
        feed.close()
        assert await waiting is None


async def test_a_large_tree_comes_in_pieces_and_so_does_a_large_change() -> None:
    node = LiveNode(ref=POD, version="v1")
    many = tuple(LiveNode(ref=ObjectRef("", "Pod", "shop", f"p{number}"), version="v1") for number in range(1201))
    feed = TreeFeed("e1", lambda: [SHOP], lambda _: many)
    async with contextlib.aclosing(feed.lines()) as lines:
        frames = await read(lines, Ready)
        trees = [frame for frame in frames if isinstance(frame, Tree)]
        assert [(len(tree.nodes), tree.more) for tree in trees] == [(500, False), (500, True), (201, True)]
        feed.put([Change(SHOP, many, (node.ref,))])
        changes = [frame for frame in await read(lines, Reached) if isinstance(frame, Delta)]
    assert [(len(delta.changed), len(delta.removed)) for delta in changes] == [(500, 1), (500, 0), (201, 0)]
