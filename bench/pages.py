"""`python -m bench.pages`: the web pages in a real Chromium, with 10,000 Apps and a tree of 2,000 objects.

Behind them is the stage of the pages' tests: the API's own frame and lists over a made-up world, in a process of its own. First paint and
interactions are those of the browser; an hour of live updates comes as fast as the page takes it in.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from playwright.async_api import Browser, CDPSession, Page

from bench.browser import Counters, a_page, browsing, counters, frames, interaction, load, painted
from tests.server.pages.stage.feeds import TreeFeed, large_tree
from tests.server.pages.stage.operations import COOKIE
from tests.server.pages.stage.running import Stage, running_stage

APPS, NODES = 10_000, 2_000
APP = "Kustomization/shop/web"
HOUR_OF_APPS = 3_600
"""Updates of Apps in an hour: one a second."""
HOUR_OF_NODES = 7_200
"""And of objects in the tree: two a second."""
PLACES = {
    "overview": ("/", ".group-box"),
    "apps, table": ("/apps", ".table .app-name"),
    "apps, tiles": ("/apps?view=tiles", ".tile .app-name"),
    "apps, map": ("/apps?view=map", ".map canvas"),
    "app, tree": (f"/apps/{APP}", ".tree .node"),
    "app, list": (f"/apps/{APP}?view=list", ".table .app-name"),
}
Doing = Callable[[], Awaitable[Any]]


class Scene:
    """One page on the stage, signed in."""

    def __init__(self, stage: Stage, browser: Browser) -> None:
        self.stage = stage
        self.browser = browser
        self.page: Page
        self.session: CDPSession

    async def open(self, name: str) -> float:
        """Seconds until something useful was painted, with nothing in the cache."""
        path, wanted = PLACES[name]
        self.page, self.session = await a_page(self.browser, [wanted])
        self.stage.cookies.sessions["bench"] = "malee"
        await self.page.context.add_cookies([{"name": COOKIE, "value": "bench", "url": self.stage.url}])
        await self.page.goto(self.stage.url + path, wait_until="commit")
        return await painted(self.page, wanted)

    async def close(self) -> None:
        await self.page.context.close()


async def first_paint(scene: Scene, times: int) -> None:
    print("| page | first useful paint, median s | worst s |\n|---|---|---|")
    for name in PLACES:
        seconds = []
        for _ in range(times):
            seconds.append(await scene.open(name))
            await scene.close()
        print(f"| {name} | {median(seconds):.2f} | {max(seconds):.2f} |", flush=True)


async def interactions(scene: Scene, times: int) -> None:
    print("\n| page | interaction | to the next paint, median ms | worst ms | of |\n|---|---|---|---|---|")
    for name, doings in DOINGS.items():
        found: dict[str, list[float]] = {}
        count: dict[str, int] = {}
        for _ in range(times):
            await scene.open(name)
            await scene.page.wait_for_timeout(1500)
            for what, doing in doings.items():
                seen = await interaction(scene.page, lambda doing=doing: doing(scene.page))
                found.setdefault(what, []).append(seen.paint)
                count[what] = count.get(what, 0) + seen.count
            await scene.close()
        for what, values in found.items():
            print(f"| {name} | {what} | {median(values):.0f} | {max(values):.0f} | {count[what]} |", flush=True)


async def _type(page: Page, selector: str, text: str) -> None:
    await page.locator(selector).click()
    await page.keyboard.type(text, delay=60)


async def _keys(page: Page, selector: str, *keys: str) -> None:
    await page.locator(selector).focus()
    for key in keys:
        await page.keyboard.press(key, delay=20)
        await page.wait_for_timeout(60)


async def _click_in_view(page: Page, selector: str, number: int) -> None:
    """Of those that can be seen; a tree has others beside its window."""
    frame = await page.locator(".tree").bounding_box()
    assert frame is not None
    seen = []
    for each in await page.locator(selector).all():
        box = await each.bounding_box()
        if box and frame["y"] + 60 < box["y"] < frame["y"] + frame["height"] - 60 and box["x"] > frame["x"]:
            seen.append(box)
    at = seen[number]
    await page.mouse.click(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)


DOINGS: dict[str, dict[str, Callable[[Page], Awaitable[Any]]]] = {
    "apps, table": {
        "a filter": lambda page: page.get_by_label("Filters").get_by_role("button", name="HelmRelease").click(),
        "the filter again": lambda page: page.get_by_label("Filters").get_by_role("button", name="HelmRelease").click(),
        "walking by keys": lambda page: _keys(
            page, ".table .scroll", *["ArrowDown"] * 30, "PageDown", "PageDown", "End"
        ),
        "typing in the search": lambda page: _type(page, "main [role=combobox]", "payments web"),
        "closing its help": lambda page: page.keyboard.press("Escape"),
        "sorting": lambda page: page.get_by_role("columnheader").get_by_role("button", name="Name").click(),
        "to tiles": lambda page: page.get_by_role("button", name="Tiles").click(),
        "the palette": lambda page: page.keyboard.press("Control+k"),
        "typing in the palette": lambda page: page.keyboard.type("gateway", delay=60),
    },
    "apps, map": {
        "walking by keys": lambda page: _keys(page, ".map [role=application]", *["ArrowRight"] * 20),
        "another grouping": lambda page: page.get_by_role("button", name="Namespace", exact=True).click(),
    },
    "app, tree": {
        "a side panel": lambda page: _click_in_view(page, ".tree .node", 2),
        "its manifest": lambda page: page.locator("aside.panel").get_by_role("tab", name="Manifest").click(),
        "closing it": lambda page: page.keyboard.press("Escape"),
        "opening a group": lambda page: _click_in_view(page, ".tree .node .fold", 1),
        "folding": lambda page: _click_in_view(page, ".tree .node .fold", 3),
        "folding all": lambda page: page.get_by_role("button", name="Fold all", exact=True).click(),
        "unfolding all": lambda page: page.get_by_role("button", name="Unfold all").click(),
        "walking by keys": lambda page: _keys(page, ".tree .ground", *["ArrowRight", "ArrowDown", "ArrowRight"] * 6),
        "typing in its search": lambda page: _type(page, ".tree .finder input", "part-77"),
        "showing all": lambda page: page.get_by_role("button", name="Show all").click(),
        "to the list": lambda page: page.get_by_role("tab", name="List").click(),
    },
}


async def movements(scene: Scene) -> None:
    print(
        "\n| page | movement | frames shown | dropped | median gap ms | p95 ms | longest ms |\n|---|---|---|---|---|---|---|"
    )
    for name, what, doing in (
        ("apps, table", "scrolling", lambda: _scroll(scene, ".table .scroll", 12_000)),
        ("apps, tiles", "scrolling", lambda: _scroll(scene, ".tiles-scroll", 12_000)),
        ("apps, map", "pointing", lambda: _point(scene, ".map canvas")),
        ("app, tree", "moving the tree", lambda: _scroll(scene, ".tree .ground", 6_000)),
        ("app, list", "scrolling", lambda: _scroll(scene, ".table .scroll", 12_000)),
    ):
        await scene.open(name)
        await scene.page.wait_for_timeout(2000)
        seen = await frames(scene.browser, doing)
        gaps = f"{seen.share(0.5):.0f} | {seen.share(0.95):.0f} | {seen.share(1):.0f}"
        print(f"| {name} | {what} | {seen.shown} | {seen.dropped} | {gaps} |", flush=True)
        await scene.close()


async def _scroll(scene: Scene, selector: str, distance: int) -> None:
    box = await scene.page.locator(selector).bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    await scene.session.send(
        "Input.synthesizeScrollGesture",
        {**at, "yDistance": -distance, "speed": 3000, "gestureSourceType": "mouse", "preventFling": True},
    )


async def _point(scene: Scene, selector: str) -> None:
    box = await scene.page.locator(selector).bounding_box()
    assert box is not None
    for i in range(200):
        await scene.page.mouse.move(box["x"] + (i * 7) % box["width"], box["y"] + 40 + i * 2)


async def hours(scene: Scene) -> None:
    print("\n| page | after updates | heap MiB | nodes shown | nodes kept | listeners |\n|---|---|---|---|---|---|")
    chance = random.Random(7)
    for name, total, update in (
        ("apps, table", HOUR_OF_APPS, lambda: _app_news(scene.stage, chance)),
        ("overview", HOUR_OF_APPS, lambda: _app_news(scene.stage, chance)),
        ("app, tree", HOUR_OF_NODES, lambda: _node_news(scene.stage, chance)),
    ):
        await scene.open(name)
        await scene.page.wait_for_timeout(2000)
        for part in range(7):
            if part:
                await _updates(total // 6, update)
            await scene.page.wait_for_timeout(3000)
            seen = await counters(scene.page, scene.session)
            print(_counted(name, part * total // 6, seen), flush=True)
        await scene.close()


def _counted(name: str, updates: int, seen: Counters) -> str:
    return f"| {name} | {updates} | {seen.heap:.1f} | {seen.shown} | {seen.nodes} | {seen.listeners} |"


async def _updates(count: int, update: Callable[[], None]) -> None:
    for _ in range(count):
        update()
        await asyncio.sleep(0.008)


def _app_news(stage: Stage, chance: random.Random) -> None:
    """Every other one of those that stand at the top, where the page shows them."""
    row = chance.choice(stage.rows[:40] if chance.random() < 0.5 else stage.rows)
    turn = str(chance.random())
    stage.change(row.kind, row.namespace, row.name, lambda obj: obj["metadata"]["labels"].update(turn=turn))


def _node_news(stage: Stage, chance: random.Random) -> None:
    """Mostly a pod that gets well or unwell; now and then one that goes, with another in its place."""
    feed = stage.feeds[APP]
    pods = [each for each in feed.nodes.values() if each["kind"] == "Pod"]
    one = chance.choice(pods)
    if chance.random() < 0.2:
        name = f"{one['name'].rpartition('-')[0]}-{chance.getrandbits(20):05x}"
        feed.change([{**one, "name": name, "id": f"Pod/{one['namespace']}/{name}"}], [one["id"]])
    else:
        feed.change([{**one, "health": chance.choice(["Healthy", "Degraded", "Progressing"])}])


async def measure(parts: set[str], times: int) -> None:
    began = time.monotonic()
    print(f"load average {load()}\n")
    async with running_stage(APPS) as stage, browsing() as browser:
        stage.feeds[APP] = TreeFeed(large_tree("shop", NODES))
        scene = Scene(stage, browser)
        if "paint" in parts:
            await first_paint(scene, times)
        if "interactions" in parts:
            await interactions(scene, times)
        if "movements" in parts:
            await movements(scene)
        if "hours" in parts:
            await hours(scene)
    print(f"\nload average {load()}; {time.monotonic() - began:.0f} s")


PARTS = ("paint", "interactions", "movements", "hours")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--times", type=int, default=3, help="how often each page is opened")
    options = parser.parse_args()
    asyncio.run(measure(set(options.only), options.times))


if __name__ == "__main__":
    main()
