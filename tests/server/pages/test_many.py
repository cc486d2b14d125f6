"""Many Apps at once: each says what will happen before anything does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.server.pages.acting import dialog
from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage
from tests.server.pages.test_looks import found_by_axe

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]


async def test_many_are_deleted_after_each_said_what_goes_and_what_stays(own_stage: Stage, opened: Open) -> None:
    def kept(obj: dict[str, Any]) -> None:
        obj["spec"]["prune"] = False
        obj["status"]["inventory"] = {"entries": [{"id": f"shop_kept-{i}__ConfigMap", "v": "v1"} for i in range(3)]}

    own_stage.change("Kustomization", "shop", "worker", kept)
    page = await opened(own_stage, "/apps?q=namespace:shop+kind:Kustomization&sort=name")
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    await page.get_by_label("Choose web", exact=True).check()
    await page.get_by_label("Choose worker", exact=True).check()
    await page.get_by_role("region", name="Chosen Apps").get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete…").click()
    sheet = dialog(page)
    await expect(sheet).to_contain_text("9 objects are deleted · 3 objects stay")
    await expect(sheet).to_contain_text("data that Git does not bring back: Namespace/shop")
    await expect(sheet.get_by_role("listitem").filter(has_text="worker")).to_contain_text(
        "its 3 objects stay. spec.prune is off"
    )
    web = sheet.get_by_role("listitem").filter(has_text="web")
    await expect(web).to_contain_text("goes with its 9 objects")
    await sheet.get_by_text("what they own first").click()
    await expect(web).to_contain_text("goes after its 9 objects")
    assert await found_by_axe(page) == []
    await sheet.get_by_label("They stay").check()
    await expect(web).to_contain_text("its 9 objects stay")
    await expect(sheet).to_contain_text("0 objects are deleted · 12 objects stay")
    await expect(sheet).not_to_contain_text("does not bring back: Namespace")
    await sheet.get_by_label("Type 2 to go on").fill("2")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "DELETE" else None)
    await sheet.get_by_role("button", name="Delete 2 Apps").click()
    await expect(sheet).to_contain_text("2 of 2 done, 0 failed")
    assert sorted(own_stage.heard) == ["apps.delete web", "apps.delete worker"]
    assert all("keepObjects=true" in url and "uid=" in url for url in asked)


async def test_many_apps_are_chosen_by_keyboard_and_each_says_what_will_happen(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps?q=namespace:shop&sort=name")
    rows = page.locator(".table .scroll")
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    await rows.focus()
    for key in ("ArrowDown", "x", "ArrowDown", "ArrowDown", "Shift+X"):
        await page.keyboard.press(key)
    bar = page.get_by_role("region", name="Chosen Apps")
    await expect(bar).to_contain_text("3 Apps chosen")
    await page.keyboard.press("Control+a")
    await expect(bar).to_contain_text("10 Apps chosen")
    own_stage.change("Kustomization", "shop", "web", lambda obj: obj["spec"].update(suspend=True))
    await bar.get_by_role("button", name="Choose none").click()
    await expect(bar).to_be_hidden()
    await expect(page.locator(".table .line", has_text="Suspended")).to_have_count(1)
    await rows.focus()
    await page.keyboard.press("Control+a")
    await bar.get_by_role("button", name="Sync…").click()
    sheet = dialog(page)
    await expect(sheet).to_contain_text("1 App is left out")
    await expect(
        sheet.get_by_role("listitem").filter(has_text="Kustomization · shop").filter(has_text="web")
    ).to_contain_text("is suspended: resume it first")
    await expect(sheet.get_by_role("listitem").filter(has_text="Application · shop").first).to_contain_text(
        "3 objects change, 1 object is deleted, restarts the pods"
    )
    assert await found_by_axe(page) == []
    await expect(sheet.get_by_role("button", name="Sync 9 Apps")).to_be_disabled()
    await sheet.get_by_role("checkbox", name="Yes, delete these").check()
    await sheet.get_by_role("button", name="Sync 9 Apps").click()
    await expect(sheet).to_contain_text("9 of 9 done, 0 failed")
    assert len(own_stage.heard) == len(set(own_stage.heard)) == 9
    await sheet.get_by_role("button", name="Close").last.click()
    await expect(bar).to_be_hidden()


async def test_many_are_synced_only_as_foreseen_and_a_retry_is_of_what_failed(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps?q=namespace:shop+kind:Kustomization&sort=name")
    rows = page.locator(".table .scroll")
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    await rows.focus()
    await page.keyboard.press("Control+a")
    held: list[Route] = []
    problem = {"title": "no", "status": 404, "detail": "kustomization.yaml:4: no such file"}

    async def plan(route: Route) -> None:
        if "/web/" in route.request.url:
            await route.fulfill(status=404, json=problem)
        elif not held:
            held.append(route)
        else:
            await route.continue_()

    await page.route("**/plan?*", plan)
    await page.get_by_role("region", name="Chosen Apps").get_by_role("button", name="Sync…").click()
    sheet = dialog(page)
    await expect(sheet.get_by_role("listitem").filter(has_text="no such file")).to_contain_text("is not known")
    go = sheet.get_by_role("button", name=re.compile("^Sync [0-9]+ Apps?$"))
    await expect(sheet.get_by_text("asking what would change")).to_have_count(1)
    await expect(go).to_be_disabled()
    await held[0].continue_()
    await sheet.get_by_role("checkbox", name="Yes, delete these").check()
    refused: list[str] = []

    async def sync(route: Route) -> None:
        if refused:
            await route.continue_()
        else:
            refused.append(route.request.url)
            await route.fulfill(status=404, json={"title": "no", "status": 404, "detail": "not now"})

    await page.route("**/sync", sync)
    await go.click()
    await expect(sheet).to_contain_text("1 failed")
    await sheet.get_by_role("button", name="Try 1 again").click()
    await expect(sheet).to_contain_text("0 failed")
    assert len(own_stage.heard) == len(set(own_stage.heard))
    assert "apps.sync web" not in own_stage.heard


async def test_what_one_may_not_do_with_some_is_left_out_and_explained(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps", who="guest", width=390, height=844)
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    await page.locator(".act-pick input").first.click()
    bar = page.get_by_role("region", name="Chosen Apps")
    await bar.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete…").click()
    await expect(dialog(page)).to_contain_text("p, ROLE, applications, delete, ns:shop/")
    await expect(dialog(page).get_by_role("button", name="Delete 0 Apps")).to_be_disabled()
