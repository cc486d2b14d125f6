"""How each page looks: readable for everybody by axe's rules, whole at every width, and as it looked when it was last looked at."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.server.pages.conftest import Open
from tests.server.pages.pictures import FOLDER, compare
from tests.server.pages.stage.running import Stage
from tools.pages.install import node_modules

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
WEB = "/apps/Kustomization/shop/web"
PAGES = {
    "overview": "/",
    "apps": "/apps",
    "apps-tiles": "/apps?view=tiles",
    "apps-map": "/apps?view=map",
    "app": WEB,
    "app-list": f"{WEB}?view=list",
    "app-network": f"{WEB}?view=network",
    "app-pods": f"{WEB}?view=pods",
    "app-diff": f"{WEB}?node=Deployment.apps/shop/web&tab=diff",
    "app-logs": f"{WEB}?node=Deployment.apps/shop/web&tab=logs",
    "app-history": f"{WEB}?view=history",
    "app-then": f"{WEB}?view=history&show=then&at=2026-09-21T05:00:00Z",
    "timeline": "/timeline",
    "diff": "/diff?app=Kustomization/shop/web&revision=feature/three",
    "sources": "/sources",
    "places": "/places",
    "settings": "/settings?map=argocd-rbac-cm&key=policy.csv",
    "accounts": "/accounts?account=alice",
    "audit": "/audit",
    "new-app": "/apps/new",
    "app-sync": "/apps/Application/shop/api?do=sync",
    "app-edit": f"{WEB}?do=edit",
    "sign-in": "/login",
    "design": "/design",
}
WHEN_READY = {
    "overview": ".group-box",
    "apps": ".table .app-name",
    "apps-tiles": ".tile .app-name",
    "apps-map": ".map canvas",
    "app": ".node",
    "app-list": ".table .app-name",
    "app-network": ".node",
    "app-pods": ".pod",
    "app-diff": ".diff .fold",
    "app-logs": ".log .l",
    "app-history": ".list-line",
    "app-then": ".node",
    "timeline": ".list-line",
    "diff": ".diff .d",
    "sources": ".table .line",
    "places": "main article",
    "settings": ".dialog .sheet .line",
    "accounts": ".panel .sheet .line",
    "audit": ".table .line",
    "new-app": ".act-written .line",
    "app-sync": ".act-plan .act-object",
    "app-edit": ".act-written .line",
    "sign-in": ".sign-in .card",
    "design": ".timeline canvas",
}
SCANNED = [("light", "en"), ("dark", "th")]
"""In which looks axe reads a page; the colours of all pairs are computed in test_tokens."""


AXE = (node_modules() / "axe-core" / "axe.min.js").read_text() + "\n;null"
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_can_be_read_by_everybody_at_every_width_and_looks_as_when_it_was_last_looked_at(
    name: str, stage: Stage, opened: Open, browser: Browser, request: pytest.FixtureRequest
) -> None:
    wide, narrow = [], []
    problems: list[str] = []
    for lang in ("en", "th"):
        page = await opened(stage, PAGES[name], who="" if name == "sign-in" else "malee", lang=lang)
        await _settled(page, name)
        for theme in ("light", "dark"):
            await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            await page.set_viewport_size({"width": 1440, "height": 900})
            wide.append(await picture_of(page))
            problems += (
                [f"{theme}, {lang}: {one}" for one in await found_by_axe(page)] if (theme, lang) in SCANNED else []
            )
            await page.set_viewport_size({"width": 390, "height": 844})
            narrow.append(await picture_of(page))
        for width in (390, 820, 2560):
            await page.set_viewport_size({"width": width, "height": 1000})
            if (over := await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")) > 0:
                problems.append(f"{lang}: sticks out by {over} px at a width of {width}")
        await page.context.close()
    assert problems == []
    for path, shots, columns in ((FOLDER / f"{name}.webp", wide, 2), (FOLDER / f"{name}-phone.webp", narrow, 4)):
        await compare(browser, path, shots, columns=columns, update=request.config.getoption("update_golden"))


async def _settled(page: Page, name: str) -> None:
    await expect(page.locator(WHEN_READY[name]).first).to_be_visible()
    if name != "design":  # which shows what waiting looks like
        await expect(page.locator("main .skeleton")).to_have_count(0)


async def picture_of(page: Page) -> bytes:
    await page.evaluate(DRAWN)
    return await page.screenshot(animations="disabled", caret="hide")


async def found_by_axe(page: Page) -> list[str]:
    await page.evaluate(AXE)
    found = await page.evaluate(f"axe.run(document, {{runOnly: {RULES}}})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
