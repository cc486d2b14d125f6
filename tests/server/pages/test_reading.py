"""What helps to read: views that one keeps, logs of several pods, differences in two forms, a tree that folds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
WEB = "/apps/Kustomization/shop/web"


async def test_a_view_is_kept_by_its_address_found_again_and_forgotten(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps?q=status:Failed&view=tiles")
    menu = page.get_by_role("button", name="Saved views")
    await menu.click()
    await page.get_by_role("menuitem", name="Save this view").click()
    await page.goto(stage.url + "/apps")
    await menu.click()
    await page.get_by_role("menuitem", name="status:Failed").click()
    await expect(page).to_have_url(re.compile(r"q=status(:|%3A)Failed"))
    await expect(page).to_have_url(re.compile(r"view=tiles"))
    await page.get_by_role("button", name="status:Failed").first.click()
    await page.get_by_role("menuitem", name=re.compile("Forget")).click()
    await page.goto(stage.url + "/apps")
    await menu.click()
    await expect(page.get_by_role("menuitem", name="status:Failed")).to_have_count(0)


async def test_logs_of_several_pods_are_told_apart_timed_wrapped_saved_and_those_of_before_are_there(
    stage: Stage, opened: Open, tmp_path: Path
) -> None:
    page = await opened(stage, f"{WEB}?node=Deployment.apps/shop/web&tab=logs")
    log = page.get_by_role("log")
    await expect(log.locator(".l").first).to_be_visible()
    who = await log.locator(".who").first.text_content()
    await expect(log.locator(".who").filter(has_not_text=str(who)).first).to_be_visible()
    await page.get_by_role("button", name="Show times").click()
    await expect(log.locator(".when").first).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    await page.get_by_role("button", name="Wrap lines").click()
    await expect(log).to_have_class(re.compile(r"\bwraps\b"))
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="Download").click()
    path = tmp_path / "log"
    await (await saving.value).save_as(path)
    saved = path.read_text().splitlines()
    assert len(saved) == await log.locator(".l").count()
    assert all(re.match(r"web-\S+ ", line) for line in saved), "each line says whose it is"
    await page.get_by_role("button", name="Previous").click()
    await expect(log).to_contain_text("the run before")


async def test_a_difference_is_read_side_by_side_or_inline_and_what_is_equal_unfolds(
    stage: Stage, opened: Open
) -> None:
    page = await opened(stage, f"{WEB}?node=Deployment.apps/shop/web&tab=diff")
    diff = page.locator(".diff").last
    await expect(page.locator(".diff.split").first).to_be_visible()
    await page.get_by_role("button", name="Inline").click()
    await expect(page.locator(".diff.split")).to_have_count(0)
    folds = diff.locator(".fold")
    before = await folds.count()
    assert before > 0
    await folds.first.click()
    await expect(folds).to_have_count(before - 1)


async def test_a_tree_folds_as_a_whole(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB, width=900, height=500)
    tree = page.get_by_role("tree")
    await expect(tree.locator(".node").nth(3)).to_be_visible()
    await page.get_by_role("button", name="Fold all", exact=True).click()
    await expect(tree.get_by_role("treeitem", expanded=False).first).to_be_visible()
    folded = await tree.locator(".node").count()
    await page.get_by_role("button", name="Unfold all").click()
    await expect(tree.locator(".node").nth(folded)).to_be_visible()
