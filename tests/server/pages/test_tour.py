"""The first steps, before a real `trueup up`: what the page says is typed into a shell, and the page sees what came of it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.cli.laptop import Laptop
from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage
from tests.server.pages.test_looks import found_by_axe

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages"), pytest.mark.timeout(240)]
WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Malee"), ("EMAIL", "malee@example.com"))
}
SOON = 30_000


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    found = Laptop(tmp_path)
    yield found
    found.trueup("down")


class Newcomer:
    """Somebody at the page, with a terminal beside it."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.sheet = page.get_by_role("complementary", name="First steps")
        self._folder = folder

    async def sign_in(self, url: str, password: str) -> None:
        await self.page.goto(url)
        await self.page.get_by_label("User name").fill("admin")
        await self.page.get_by_label("Password").fill(password)
        await self.page.keyboard.press("Enter")

    async def type_what_it_says(self) -> None:
        commands = await self.sheet.locator("pre").inner_text()
        done = await asyncio.to_thread(self._run, commands)
        assert done.returncode == 0, f"{commands}\n{done.stderr}"
        if (self._folder / "sample").is_dir():
            self._folder = self._folder / "sample"

    def _run(self, commands: str) -> subprocess.CompletedProcess[str]:
        words = ["bash", "-ec", commands]
        return subprocess.run(words, cwd=self._folder, env=os.environ | WHO, capture_output=True, text=True)

    async def told(self, *words: str) -> None:
        for each in words:
            await expect(self.sheet).to_contain_text(re.compile(each), timeout=SOON)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900})
    yield await context.new_page()
    await context.close()


@pytest.mark.slow
async def test_a_newcomer_is_led_through_a_change_a_break_and_a_revert(laptop: Laptop, page: Page) -> None:
    shown = laptop.up()
    url = re.search(r"http://localhost:\d+", shown)
    assert url is not None
    someone = Newcomer(page, laptop.folder)
    await someone.sign_in(url[0], (laptop.home / "initial-admin-password").read_text().strip())
    await someone.sheet.get_by_role("button", name="Show me").click()
    await someone.told("has 2 pods. Ask for 4", "Waiting for your push")
    await someone.type_what_it_says()
    await someone.told("Commit [0-9a-f]{7} has arrived", "Deployment/web: spec.replicas 2 → 4", "4 of 4 pods ready")
    await someone.told("Declarative.*Versioned and immutable.*Pulled automatically", "1 of 3 done")

    await page.reload()
    await someone.told("1 of 3 done", "Waiting for somebody to change")
    await someone.sheet.get_by_role("button", name="Set 9 pods now").click()
    await someone.told("Deployment/web: spec.replicas is 9, Git declares 4", "Brought back", "Continuously reconciled")

    await someone.sheet.get_by_role("button", name="Next: Take it back").click()
    await someone.type_what_it_says()
    await someone.told("Deployment/web: spec.replicas 4 → 2", "2 of 2 pods ready", "the four principles of GitOps")

    # Done in another browser's eyes too: it begins where it stands, and remembers nothing of this one.
    await page.evaluate("localStorage.removeItem('trueup.tour')")
    await page.reload()
    await someone.told("Three steps show what that means", "0 of 3 done")
    await someone.sheet.get_by_role("button", name="Not now").click()
    await expect(someone.sheet).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(someone.sheet).to_be_hidden()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("go on with the first")
    await page.keyboard.press("Enter")
    await someone.told("0 of 3 done", "Ask for 4")
    await page.keyboard.press("?")
    await page.get_by_role("button", name="Begin the first steps anew").click()
    await someone.told("0 of 3 done", "Ask for 4")
    await someone.sheet.get_by_role("button", name="Fold").click()
    await page.get_by_role("button", name="First steps: open").click()
    await page.get_by_role("button", name="Language").click()
    await page.get_by_role("menuitemradio", name="ไทย").click()
    thai = page.get_by_role("complementary", name="ก้าวแรก")
    await expect(thai).to_contain_text("กำลังรอการ push ของคุณ")
    assert await found_by_axe(page) == []

    # What only a real cluster tells: a Service has its pods by its slices.
    await page.goto(url[0] + "/apps/Kustomization/flux-system/web-dev?view=network")
    way = page.get_by_role("tree").get_by_role("treeitem")
    await expect(way.filter(has_text="Service")).to_have_count(1)
    await expect(way.filter(has_text="Pod")).to_have_count(2)
    await page.goto(url[0] + "/apps/Kustomization/flux-system/web-dev?view=about")
    await page.get_by_role("link", name="GitRepository/flux-system/sample").click()
    await expect(page.locator("aside.panel")).to_contain_text("kind: GitRepository")


async def test_nowhere_but_in_trueup_up_are_there_first_steps(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("need a look")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Command palette")
    await expect(page.get_by_role("dialog")).not_to_contain_text("first steps")
    assert any(url.endswith("/v1/local") for url in asked)
    assert not any("pages/tour.js" in url for url in asked)
