"""Single sign-on in a real browser: our page, the provider's pages, and back; with cookies as a browser really keeps them."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, async_playwright, expect

from tests.server.identity.sso.test_browser_login import signing_on
from trueup.server.pages.files import read_files

pytestmark = pytest.mark.real


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    program = os.environ.get("TRUEUP_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no Chromium: tools/test-deps.sh installs it, or name one in TRUEUP_CHROMIUM"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = await running.new_context(locale="en-GB")
        context.set_default_timeout(20_000)
        yield context
        await running.close()


async def test_a_person_signs_in_at_the_provider_and_is_told_when_they_may_not(browser: BrowserContext) -> None:
    async with signing_on(pages=read_files(), name="Acme", groups=["team-a"]) as (served, _):
        page = await browser.new_page()
        for person in ("bob", "alice"):
            await page.goto(f"{served.url}/apps?view=map")
            await page.get_by_role("link", name="Sign in with Acme").click()
            await page.get_by_placeholder("Enter any login").fill(person)
            await page.get_by_placeholder("and password").fill("any")
            await page.get_by_role("button", name="Sign-in").click()
            await page.get_by_role("button", name="Continue").click()
            if person == "bob":
                await page.wait_for_url(f"{served.url}/login?error=NotAllowedIn")
                await expect(page.get_by_text("in none of the groups")).to_be_visible()
                await browser.clear_cookies()  # the provider's own session too
        await page.wait_for_url(f"{served.url}/apps?view=map")
        (ours,) = [cookie for cookie in await browser.cookies(served.url) if cookie["name"] == "trueup"]
        assert (ours["httpOnly"], ours["sameSite"]) == (True, "Lax")
        assert await page.evaluate("document.cookie") == ""
        assert (
            await page.evaluate("fetch('/api/trueup/v1/session').then(r => r.json()).then(me => me.display)")
            == "alice@example.com"
        )
        # A page of another site posts a form with the person's cookie: the browser says so, and nothing happens.
        evil = await browser.new_page()
        await evil.goto(
            "data:text/html,<form method=post action='" + served.url + "/api/trueup/v1/x'><button>go</button></form>"
        )
        async with evil.expect_navigation():
            await evil.get_by_role("button").click()
        assert served.changed == []
