"""Dialogs, sheets and parts of pages: readable for everybody, whole on a phone, and as they looked when they were last looked at.

Each once in English and light, once in Thai and dark; pages themselves are in all four looks (`test_looks`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from msgspec import Struct
from playwright.async_api import Browser, Page, Route, expect

from tests.server.pages.conftest import a_page
from tests.server.pages.pictures import FOLDER, compare
from tests.server.pages.stage.running import Stage
from tests.server.pages.stage.world import NOW, REVISION
from tests.server.pages.test_looks import WEB, found_by_axe, picture_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
RESTS = 600
"""Milliseconds after which a form asks what it would write."""
Doing = Callable[[Page], Awaitable[None]]


class View(Struct, frozen=True):
    path: str
    ready: str
    first: Doing | None = None
    """What a person does before it is there."""


def pressed(*keys: str) -> Doing:
    async def doing(page: Page) -> None:
        await expect(page.locator("main h1, main .table .line").first).to_be_visible()
        for key in keys:
            await page.keyboard.press(key)

    return doing


async def rested(page: Page) -> None:
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.clock.run_for(RESTS)


async def many_to_delete(page: Page) -> None:
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    await page.locator(".table .scroll").focus()
    await page.keyboard.press("Control+a")
    await page.locator(".act-bulk [aria-haspopup]").click()
    await page.locator(".act-bulk .menu .danger").click()


VIEWS = {
    "about": View("/about", ".facts"),
    "account-new": View("/accounts?do=new", ".dialog .account-rights .chip"),
    "account-remove": View("/accounts?account=alice&do=remove", ".dialog .sheet .line", rested),
    "app-compare": View(f"{WEB}?view=history&show=compare", ".diff .d"),
    "app-delete": View(f"{WEB}?do=delete", ".dialog .act-goes li"),
    "app-events": View(f"{WEB}?node=Pod/shop/web-7d9f8c6b5-p8w3z&tab=events", ".panel .list-line"),
    "app-moment": View(f"{WEB}?view=history&moment=3", ".panel .facts"),
    "app-release": View("/apps/HelmRelease/shop/gateway?do=sync", ".act-release dl"),
    "app-rollback": View(f"{WEB}?do=rollback", ".dialog .act-choice"),
    "app-suspend": View(f"{WEB}?do=suspend", ".dialog .field"),
    "apps-delete": View("/apps?q=kind:Kustomization+namespace:shop", ".dialog .act-apps li", many_to_delete),
    "palette": View("/", ".palette [role=option]", pressed("Control+k")),
    "project": View("/places?project=shop", ".dialog textarea"),
    "repository": View("/places?repository=repo-shop", ".dialog .sheet .line"),
    "shortcuts": View(WEB, ".dialog kbd", pressed("?")),
}
LOOKS = (("en", "light"), ("th", "dark"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seats(browser: Browser, stage: Stage) -> AsyncIterator[list[Page]]:
    """One page for each look, which goes from one view to the next, as a person does."""
    pages = []
    for lang, theme in LOOKS:
        page = await a_page(browser, stage, theme=theme, lang=lang)
        await page.goto(stage.url + "/about")
        pages.append(page)
    yield pages
    for page in pages:
        await page.context.close()


@pytest.mark.parametrize("name", VIEWS)
async def test_a_dialog_can_be_read_by_everybody_and_looks_as_when_it_was_last_looked_at(
    name: str, stage: Stage, seats: list[Page], browser: Browser, request: pytest.FixtureRequest
) -> None:
    async def view(page: Page) -> None:
        await page.goto(stage.url + VIEWS[name].path)
        if (first := VIEWS[name].first) is not None:
            await first(page)
        await expect(page.locator(VIEWS[name].ready).first).to_be_visible()

    await _looked_at(name, view, seats, browser, update=request.config.getoption("update_golden"))


SAMPLE = "/apps/Kustomization/flux-system/web-dev"
CHANGE = {"ref": {"kind": "Deployment", "namespace": "web-dev", "name": "web"}, "action": "configured"}


def row(number: int, kind: str, before: str, after: str) -> dict[str, object]:
    field = {"path": "spec.replicas", "before": before, "after": after}
    changes = [{**CHANGE, "fields": [field]}]
    told = {"revision": REVISION, "result": "succeeded", "took": 0.4, "by": "", "message": "", "counts": {}}
    return {"id": number, "at": NOW.isoformat(), "kind": kind, "changes": changes, **told}


DONE = [row(2, "sync", "2", "4"), row(3, "drift", "9", "4"), row(4, "heal", "9", "4"), row(5, "sync", "4", "2")]
STATES = {
    "tour-welcome": ("new", []),
    "tour": ("open", []),
    "tour-done": ("open", DONE),
}


@pytest.mark.parametrize("name", STATES)
async def test_the_first_steps_look_as_when_they_were_last_looked_at(
    name: str, stage: Stage, seats: list[Page], browser: Browser, request: pytest.FixtureRequest
) -> None:
    """What `trueup up` alone says is said here by the test; `test_tour` takes the steps before a real one."""
    shown, rows = STATES[name]

    async def local(route: Route) -> None:
        made = {"repository": "http://127.0.0.1:6461/sample.git", "kubeconfig": "/home/malee/.trueup/kubeconfig"}
        await route.fulfill(json={"up": True, "trueup": "trueup", "kubectl": True, **made})

    async def sample(route: Route) -> None:
        url = route.request.url
        number = url.rpartition("/history/")[2]
        if "/events" in url:
            await route.fulfill(status=404, json={"title": "no", "status": 404})
        elif number.isdigit():
            await route.fulfill(json=next(one for one in rows if one["id"] == int(number)))
        elif "/history" in url:
            await route.fulfill(json={"items": rows[::-1], "recorded": True})
        else:
            await route.fulfill(json={"row": {"created": "2026", "fullRevision": REVISION}, "resource": {}})

    async def view(page: Page) -> None:
        kept = {"shown": shown, "of": "2026", "after": 1, "revision": REVISION}
        await page.evaluate("(kept) => localStorage.setItem('trueup.tour', JSON.stringify(kept))", kept)
        await page.route("**/v1/local", local)
        await page.route(f"**{SAMPLE}**", sample)
        await page.goto(stage.url + "/")
        await expect(page.locator(".tour .body")).to_be_visible()
        await expect(page.locator(".group-box").first).to_be_visible()

    try:
        await _looked_at(name, view, seats, browser, update=request.config.getoption("update_golden"))
    finally:
        for page in seats:
            await page.unroute_all()


async def _looked_at(
    name: str, view: Callable[[Page], Awaitable[None]], seats: list[Page], browser: Browser, *, update: bool
) -> None:
    wide, narrow = [], []
    problems: list[str] = []
    for page, (lang, theme) in zip(seats, LOOKS, strict=True):
        await page.set_viewport_size({"width": 1440, "height": 900})
        await view(page)
        await expect(page.locator(".skeleton")).to_have_count(0)
        wide.append(await picture_of(page))
        if theme == "dark":
            problems += await found_by_axe(page)
        await page.set_viewport_size({"width": 390, "height": 844})
        narrow.append(await picture_of(page))
        if (over := await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")) > 0:
            problems.append(f"{lang}: sticks out by {over} px")
    assert problems == []
    await compare(browser, FOLDER / f"{name}.webp", wide, columns=2, update=update)
    await compare(browser, FOLDER / f"{name}-phone.webp", narrow, columns=2, update=update)
