"""The line to the server: lost and found again without a reload and with nothing missed, given back by pages that nobody sees, and
sessions that end in the middle."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.feeds import TreeFeed, large_tree
from tests.server.pages.stage.operations import PASSWORD
from tests.server.pages.stage.running import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
APP = "Kustomization/shop/web"
LOST = "The connection to the server was lost"
ONLINE = "dispatchEvent(new Event('online'))"
"""What a browser says when the network is back; streams are then tried at once."""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def _fail(obj: dict[str, Any]) -> None:
    for row in obj["status"]["conditions"]:
        row.update(status="False", reason="BuildFailed", message="kustomize build: no such file")


async def _mark(page: Page) -> None:
    await page.evaluate("document.body.dataset.mark = 'same page'")


async def _is_the_same(page: Page) -> None:
    assert await page.evaluate("document.body.dataset.mark") == "same page"


async def test_what_happened_to_a_tree_while_the_line_was_cut_is_told_when_it_is_back(
    own_stage: Stage, opened: Open
) -> None:
    feed = own_stage.feeds[APP] = TreeFeed(large_tree("shop", 40))
    pods = [each for each in feed.nodes.values() if each["kind"] == "Pod"]
    page = await opened(own_stage, f"/apps/{APP}?view=list")
    rows = page.locator(".table .line")
    await expect(rows.filter(has_text=pods[0]["name"])).to_contain_text("Healthy")
    await _mark(page)
    await own_stage.stop()
    await expect(page.get_by_text(LOST)).to_be_visible()
    await expect(rows.filter(has_text=pods[0]["name"])).to_contain_text("Healthy"), "what was seen stays"
    feed.change([{**pods[0], "health": "Degraded"}])
    feed.change([{**pods[1], "name": "a-new-one", "id": "Pod/shop/a-new-one"}], [pods[1]["id"]])
    await page.get_by_role("button", name="Try now").click()
    await expect(page.get_by_text(LOST)).to_be_visible()
    await own_stage.listen()
    await page.evaluate(ONLINE)
    await expect(rows.filter(has_text=pods[0]["name"])).to_contain_text("Degraded")
    await expect(rows.filter(has_text="a-new-one")).to_have_count(1)
    await expect(rows.filter(has_text=pods[1]["name"])).to_have_count(0)
    await expect(page.get_by_text(LOST)).to_be_hidden()
    await _is_the_same(page)


async def test_each_view_of_many_apps_misses_nothing_of_what_happened_meanwhile(own_stage: Stage, opened: Open) -> None:
    seen = []
    for path, told in (
        ("/", lambda page: page.get_by_role("link", name=re.compile("^Failed web shop"))),
        ("/apps?view=map", lambda page: page.locator(".legend .row", has_text="Failed")),
        ("/apps?q=status:Failed", lambda page: page.locator(".table .line", has_text="shop")),
    ):
        page = await opened(own_stage, path)
        await expect(page.locator(".live")).to_contain_text("Live")
        await expect(page.locator("main .skeleton")).to_have_count(0)
        await _mark(page)
        seen.append((page, told(page), await told(page).all_inner_texts()))
    await own_stage.stop()
    for page, _, _ in seen:
        await expect(page.get_by_text(LOST)).to_be_visible()
    own_stage.change("Kustomization", "shop", "web", _fail)
    await own_stage.listen()
    for page, told, before in seen:
        await page.evaluate(ONLINE)
        await expect(page.get_by_text(LOST)).to_be_hidden()
        await page.clock.run_for(3000)
        await expect(told.first).to_be_visible()
        assert await told.all_inner_texts() != before
        await _is_the_same(page)


async def test_a_page_that_nobody_sees_gives_its_connections_back_and_goes_on_where_it_was(
    own_stage: Stage, opened: Open
) -> None:
    feed = own_stage.feeds[APP] = TreeFeed(large_tree("shop", 20))
    page = await opened(own_stage, f"/apps/{APP}")
    await expect(page.locator(".tree .node").first).to_be_visible()
    ended: list[str] = []
    begun: list[dict[str, str]] = []
    page.on("requestfailed", lambda request: ended.append(request.url))
    page.on("request", lambda request: begun.append(request.headers) if "events" in request.url else None)
    await page.evaluate(HIDE, True)
    await page.clock.run_for(21_000)
    await expect(page.get_by_text(LOST)).to_be_hidden()
    assert [url for url in ended if "events" in url], "the streams have ended"
    assert begun == []
    pod = next(each for each in feed.nodes.values() if each["kind"] == "Pod")
    feed.change([{**pod, "health": "Degraded", "message": "it fell over meanwhile"}])
    await page.evaluate(HIDE, False)
    await expect(page.get_by_text("it fell over meanwhile")).to_be_visible()
    assert all("last-event-id" in headers for headers in begun)


async def test_a_session_that_ends_while_one_only_looks_is_told_by_itself_and_leads_back(
    own_stage: Stage, opened: Open
) -> None:
    where = f"/apps/{APP}?view=list&node=Deployment.apps/shop/web&tab=events"
    page = await opened(own_stage, where)
    await expect(page.locator("aside.panel")).to_be_visible()
    own_stage.end_sessions()
    await own_stage.stop()
    await own_stage.listen()
    await page.clock.run_for(2000)
    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_label("User name").fill("malee")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("aside.panel").get_by_role("tab", name="Events")).to_have_attribute(
        "aria-selected", "true"
    )
    assert page.url == own_stage.url + where
    await expect(page.locator(".live")).to_contain_text("Live")
