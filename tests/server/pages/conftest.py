"""A real Chromium, the system's own, before the stage. One browser for all tests; each has a context of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.server.pages.stage.operations import COOKIE
from tests.server.pages.stage.running import Stage, running_stage
from tests.server.pages.stage.world import NOW

Open = Callable[..., Awaitable[Page]]
EXPECTED = (
    "400",
    "401",
    "403",
    "404",
    "409",
    "412",
    "ERR_CONNECTION_REFUSED",
    "ERR_INCOMPLETE_CHUNKED",
    "ERR_CONNECTION_RESET",
)
"""Of the browser's own words about answers that a test asked for; every other error on the console fails it."""


def chromium() -> str:
    found = os.environ.get("TRUEUP_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "no Chromium: tools/test-deps.sh installs it, or name one in TRUEUP_CHROMIUM"
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--font-render-hinting=none",
                "--force-color-profile=srgb",
                "--hide-scrollbars",
            ],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def large_stage() -> AsyncIterator[Stage]:
    async with running_stage(10_000) as stage:
        yield stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """For tests that only look."""
    async with running_stage(400) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def own_stage() -> AsyncIterator[Stage]:
    """For a test that changes something."""
    async with running_stage(60) as stage:
        yield stage


async def a_page(
    browser: Browser,
    stage: Stage,
    *,
    who: str = "malee",
    width: int = 1440,
    height: int = 900,
    theme: str = "light",
    lang: str = "en",
    clock: datetime = NOW,
) -> Page:
    """A page of a browser of its own, signed in, nowhere yet."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale={"en": "en-GB", "th": "th-TH"}[lang],
        timezone_id="Asia/Bangkok",
        reduced_motion="reduce",
    )
    context.set_default_timeout(15_000)
    if who:
        stage.cookies.sessions[f"given-{who}"] = who
        await context.add_cookies([{"name": COOKIE, "value": f"given-{who}", "url": stage.url}])
    page = await context.new_page()
    await page.clock.install(time=clock.astimezone(UTC))
    return page


@pytest_asyncio.fixture(loop_scope="session")
async def opened(browser: Browser) -> AsyncIterator[Open]:
    """Opens a page of a stage, signed in; whatever the console complains of fails the test."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(word in message.text for word in EXPECTED):
            problems.append(message.text)

    async def open_page(
        stage: Stage,
        path: str,
        *,
        who: str = "malee",
        width: int = 1440,
        height: int = 900,
        theme: str = "light",
        lang: str = "en",
        clock: datetime = NOW,
    ) -> Page:
        page = await a_page(browser, stage, who=who, width=width, height=height, theme=theme, lang=lang, clock=clock)
        contexts.append(page.context)
        page.on("console", heard)
        page.on("pageerror", lambda error: problems.append(f"{error}\n{error.stack}"))
        await page.goto(stage.url + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert problems == []
