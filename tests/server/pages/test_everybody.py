"""Each page for everybody: by keyboard alone, without the right to see it, without motion, with Thai dates and numbers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage
from tests.server.pages.test_looks import PAGES, WHEN_READY

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]

HELD = """() => {
  const held = document.activeElement;
  if (!held || held === document.body) return null;
  const style = getComputedStyle(held);
  const box = held.getBoundingClientRect();
  const again = held.dataset.reached === "yes";
  held.dataset.reached = "yes";
  return {
    again,
    modal: held.closest("[aria-modal=true]") !== null, // which keeps one in until Escape
    name: `${held.tagName.toLowerCase()} ${held.getAttribute("aria-label") ?? held.textContent?.trim().slice(0, 40) ?? ""}`,
    ring: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"
      || held.type === "datetime-local", // whose parts the browser marks by itself
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
  };
}"""
UNREACHED = """() => {
  const room = document.querySelector("[aria-modal=true]") ?? document;
  return [...room.querySelectorAll("a[href], button, input, select, textarea, [tabindex='0']")]
    .filter((one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility() && one.offsetParent !== null)
    .filter((one) => !one.dataset.reached && !one.closest("[aria-hidden=true]"))
    .filter((one) => !(one.type === "radio" && one.name))
    .map((one) => one.outerHTML.slice(0, 120));
}"""
MOST = 200


async def _ready(page: Page, name: str) -> None:
    await expect(page.locator(WHEN_READY[name]).first).to_be_visible()


async def _walked(page: Page) -> list[dict[str, Any]]:
    """Tab by Tab until the page was left, and from its beginning to where one began."""
    held: list[dict[str, Any]] = []
    left = 0
    for _ in range(MOST):
        await page.keyboard.press("Tab")
        now = await page.evaluate(HELD)
        for _ in range(20):  # it may come into view with the next frame
            if now is None or now["seen"]:
                break
            await page.wait_for_timeout(50)
            now = {**await page.evaluate(HELD), "again": now["again"]}
        if now is None:
            left += 1
        elif (left or now["modal"]) and now["again"]:
            return held
        elif not now["again"]:
            held.append(now)
    raise AssertionError(f"no way out after {MOST} steps: {[each['name'] for each in held[-5:]]}")


@pytest.mark.parametrize("name", [name for name in PAGES if name != "design"])
async def test_everything_on_a_page_is_reached_by_keyboard_and_one_sees_where_one_is(
    name: str, stage: Stage, opened: Open
) -> None:
    page = await opened(stage, PAGES[name], who="" if name == "sign-in" else "malee")
    await _ready(page, name)
    await page.evaluate("document.activeElement?.blur()")
    walked = await _walked(page)
    assert walked
    assert [each["name"] for each in walked if not each["ring"]] == []
    assert [each["name"] for each in walked if not each["seen"]] == []
    assert await page.evaluate(UNREACHED) == []


async def test_tiles_are_walked_by_arrow_keys(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps?view=tiles")
    await _ready(page, "apps-tiles")
    tiles = page.locator("a.tile")
    await page.get_by_role("region", name="Apps").focus()
    await page.keyboard.press("ArrowRight")
    await expect(tiles.nth(0)).to_be_focused()
    for _ in range(2):  # the star of the first, then the second
        await page.keyboard.press("ArrowRight")
    await expect(tiles.nth(1)).to_be_focused()
    await page.keyboard.press("ArrowDown")
    address = await page.evaluate("document.activeElement.getAttribute('href')")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(stage.url + address)


async def test_a_side_panel_is_read_and_left_by_keyboard_alone(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps")
    await _ready(page, "apps")
    await page.keyboard.press("/")
    await page.keyboard.type("namespace:shop name:web ")
    await page.keyboard.press("Enter")
    await expect(page.locator(".table .line").first).to_contain_text("web")
    grid = page.locator(".table .scroll")
    await grid.focus()
    await page.keyboard.press("ArrowDown")
    star = page.get_by_role("button", name="Favourite: web").first
    for _ in range(3):  # whatever stands before it in the row
        await page.keyboard.press("ArrowRight")
        if await star.evaluate("one => one === document.activeElement"):
            break
    await expect(star).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(star).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("Escape")
    await expect(grid).to_be_focused()
    await page.keyboard.press("Enter")
    tree = page.get_by_role("tree")
    await expect(tree.locator(".node").first).to_be_visible()
    await tree.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
    panel = page.locator("aside.panel")
    await expect(panel).to_be_focused()
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('aside.panel') !== null")
    await panel.get_by_role("tab", name="Summary").focus()
    await page.keyboard.press("ArrowRight")
    await expect(panel.get_by_role("tab", name="Manifest")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(tree).to_be_focused()


@pytest.mark.parametrize(
    "name", ["overview", "apps", "apps-map", "app", "sources", "timeline", "diff", "places", "audit"]
)
async def test_whoever_may_see_little_is_told_so_and_never_left_before_an_empty_page(
    name: str, stage: Stage, opened: Open
) -> None:
    page = await opened(stage, PAGES[name], who="nobody")
    await expect(page.locator("main .skeleton")).to_have_count(0)
    main = page.locator("main")
    await expect(main.get_by_role("heading").first).to_be_visible()
    assert len((await main.inner_text()).strip()) > 20
    assert "cannot pull image" not in await main.inner_text()


async def test_nothing_moves_where_motion_is_not_wanted(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps/Kustomization/shop/web")
    await _ready(page, "app")
    moving = """() => document.getAnimations().filter((one) => {
      const timing = one.effect.getComputedTiming();
      return timing.iterations === Infinity || timing.duration > 1;
    }).length"""
    await page.keyboard.press("Control+k")
    assert await page.evaluate(moving) == 0
    await page.emulate_media(reduced_motion="no-preference")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    assert await page.evaluate(moving) > 0, "there is motion that could be unwanted"


async def test_thai_dates_are_of_the_thai_calendar_and_numbers_are_grouped(large_stage: Stage, opened: Open) -> None:
    page = await opened(large_stage, "/apps", lang="th")
    await _ready(page, "apps")
    await expect(page.locator(".page-head")).to_contain_text("10,000")
    when = page.locator(".table time").first
    await expect(when).to_have_attribute("title", re.compile(r"\b25\d\d\b"))
    await expect(when).to_contain_text(re.compile("[\u0e00-\u0e7f]"))
    assert re.match(r"20\d\d-", await when.get_attribute("datetime") or ""), "machines read the common calendar"
