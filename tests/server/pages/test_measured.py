"""What the pages cost, counted: requests, elements, listeners, what stays behind after many updates. Times are measured by bench.pages."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.feeds import TreeFeed, large_tree
from tests.server.pages.stage.running import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
APP = "Kustomization/shop/web"
ELEMENTS = "document.getElementsByTagName('*').length"


def _turn(obj: dict[str, Any], number: int) -> None:
    obj["metadata"]["labels"]["turn"] = str(number)


async def _kept(page: Page, session: CDPSession) -> tuple[int, int]:
    """Nodes and listeners that the browser keeps for the page, those that are no longer shown too."""
    for _ in range(2):
        await session.send("HeapProfiler.collectGarbage")
    found = await session.send("Memory.getDOMCounters")
    return int(found["nodes"]), int(found["jsEventListeners"])


async def test_a_page_asks_for_no_module_that_its_document_did_not_name(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/design", who="malee")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path, seen in (("/", ".group-box"), ("/apps", ".table .app-name"), (f"/apps/{APP}", ".tree .node")):
        asked.clear()
        await page.goto(stage.url + path)
        await expect(page.locator(seen).first).to_be_visible()
        named = await page.evaluate("[...document.querySelectorAll('[rel=modulepreload]')].map((one) => one.href)")
        assert {url for url in asked if re.search(r"\.m?js$", url)} - {*named} <= {
            url for url in asked if url.endswith(("/boot.js", "/main.js"))
        }


async def test_ten_thousand_apps_are_one_request_and_few_elements(large_stage: Stage, opened: Open) -> None:
    page = await opened(large_stage, "/design", who="malee")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/" in request.url else None)
    await page.goto(large_stage.url + "/apps")
    await expect(page.locator(".table .app-name").first).to_be_visible()
    await expect(page.locator(".live")).to_contain_text("Live")
    assert len(asked) <= 5, asked  # who, where, the list, its stream
    assert await page.evaluate(ELEMENTS) < 1500


async def test_many_updates_of_the_list_leave_nothing_behind_and_ask_seldom(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps")
    asked: list[str] = []
    await expect(page.locator(".table .app-name").first).to_be_visible()
    session = await page.context.new_cdp_session(page)

    async def turns(begin: int) -> None:
        for i in range(begin, begin + 50):
            row = own_stage.rows[i % len(own_stage.rows)]
            own_stage.change(row.kind, row.namespace, row.name, lambda obj, i=i: _turn(obj, i))
            await asyncio.sleep(0.01)
        await page.clock.run_for(2000)
        await asyncio.sleep(0.3)

    await turns(0)
    before = await _kept(page, session)
    page.on("request", lambda request: asked.append(request.url))
    for i in range(1, 4):
        await turns(50 * i)
    after = await _kept(page, session)
    assert after[0] <= before[0] * 1.1
    assert after[1] <= before[1] * 1.1
    assert len(asked) <= 15, "150 updates are not 150 requests"


async def test_two_thousand_objects_are_few_elements_and_their_updates_leave_nothing_behind(
    own_stage: Stage, opened: Open
) -> None:
    feed = own_stage.feeds[APP] = TreeFeed(large_tree("shop", 2000))
    page = await opened(own_stage, f"/apps/{APP}")
    await expect(page.locator(".tree .node").first).to_be_visible()
    assert await page.evaluate(ELEMENTS) < 1800
    # Of few much is in view, so updates draw something.
    few = [each["id"] for each in large_tree("shop", 80)]
    feed.change([], [each for each in feed.nodes if each not in few])
    session = await page.context.new_cdp_session(page)

    async def turns(count: int) -> None:
        pods = [each for each in feed.nodes.values() if each["kind"] == "Pod"]
        for i in range(count):
            pod = pods[(i * 7) % len(pods)]
            feed.change([{**pod, "health": "Healthy" if feed.nodes[pod["id"]]["health"] != "Healthy" else "Degraded"}])
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        await page.clock.run_for(500)

    await turns(100)
    before = await _kept(page, session)
    for _ in range(2):
        await turns(100)
    after = await _kept(page, session)
    assert after[0] <= before[0] * 1.15
    assert after[1] <= before[1] * 1.15
