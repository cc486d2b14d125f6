"""What people do with the pages, in a real browser: by mouse, by keyboard, live, offline, signed out, without the right."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.operations import PASSWORD
from tests.server.pages.stage.running import Stage
from tests.server.pages.stage.world import NOW

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
WEB = "/apps/Kustomization/shop/web"


def make_ready(obj: dict[str, Any]) -> None:
    for row in obj["status"]["conditions"]:
        row.update(status="False" if row["type"] == "Reconciling" else "True", message="applied revision main@3f2a91c")


async def test_signing_in_says_what_is_wrong_and_leads_where_one_wanted_to_go(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps?q=status:Failed", who="")
    await page.get_by_label("User name").fill("malee")
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not right")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    assert page.url.endswith("/apps?q=status:Failed")


async def test_single_sign_on_is_offered_and_comes_back_to_the_same_page(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps?view=map", who="")
    link = page.get_by_role("link", name="Sign in with Example SSO")
    assert (await link.get_attribute("href") or "").endswith("provider=dex&return_url=%2Fapps%3Fview%3Dmap")


async def test_a_session_that_ended_is_told_and_the_page_comes_back(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps")
    await expect(page.get_by_role("link", name=re.compile("^api"))).not_to_have_count(0)
    await page.get_by_role("button", name="Tiles").click()
    own_stage.end_sessions()
    await page.get_by_label("Filters").get_by_role("button", name="Failed").first.click()
    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_label("User name").fill("malee")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    assert "view=tiles" in page.url


async def test_of_ten_thousand_apps_only_what_is_in_view_is_asked_for(large_stage: Stage, opened: Open) -> None:
    page = await opened(large_stage, "/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/apps?" in request.url else None)
    await page.goto(large_stage.url + "/apps")
    await expect(page.get_by_text("10,000 Apps")).to_be_visible()
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    assert len(asked) == 1
    await page.locator(".table .scroll").evaluate("box => box.scrollTop = 5000 * 48")
    await expect(page.locator('[aria-rowindex="5006"] .app-name')).to_be_visible()
    assert len(asked) <= 4
    assert await page.locator(".table .line").count() < 60


async def test_the_map_shows_all_ten_thousand(large_stage: Stage, opened: Open) -> None:
    page = await opened(large_stage, "/apps?view=map")
    await expect(page.locator(".legend")).to_contain_text("Ready")
    ready = page.locator(".legend .row", has_text="Ready")
    await expect(ready).to_contain_text(re.compile(r"9,\d{3}"))
    await page.locator(".map [role=application]").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/apps/\w+/\w+/"))


async def test_a_search_is_typed_completed_and_shared_by_its_address(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps")
    await expect(page.get_by_text("400 Apps")).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_text("a minus leaves out")).to_be_in_viewport(ratio=1)  # below fields that scroll
    await page.keyboard.type("sta")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.type("Fail")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("q=status:Failed$"))
    await expect(page.locator(".table .line")).to_have_count(7)
    other = await opened(stage, page.url.removeprefix(stage.url))
    await expect(other.locator(".table .line")).to_have_count(7)


async def test_a_mistake_in_a_search_is_explained(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps")
    await page.get_by_role("combobox").fill("statsu:Failed")
    await expect(page.get_by_text("There is no field “statsu”. Did you mean status?")).to_be_visible()


async def test_filters_count_and_combine(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps")
    filters = page.get_by_label("Filters")
    await filters.get_by_role("button", name=re.compile("Failed")).click()
    await expect(page.get_by_text("7 Apps")).to_be_visible()
    await expect(page).to_have_url(re.compile("q=status:Failed"))
    await filters.get_by_role("button", name=re.compile("HelmRelease")).click()
    await expect(page.get_by_text("2 Apps")).to_be_visible()
    await page.get_by_role("button", name="Clear", exact=True).click()
    await expect(page.get_by_text("400 Apps")).to_be_visible()


async def test_favourites_stay_in_this_browser_and_are_a_filter(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps?q=name:web%20namespace:shop")
    await page.get_by_role("button", name="Favourite: web").click()
    await page.goto(stage.url + "/apps?q=is:favourite")
    await expect(page.locator(".table .line")).to_have_count(1)
    await expect(page.locator(".table .line")).to_contain_text("web")


async def test_changes_come_by_themselves(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps?q=namespace:shop%20name:web")
    row = page.locator(".table .line").first
    await expect(row).to_contain_text("Progressing")
    own_stage.change("Kustomization", "shop", "web", make_ready)
    await expect(row).to_contain_text("Ready")


async def test_a_lost_connection_is_told_and_resumed_without_a_reload(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/apps?q=namespace:shop%20name:web")
    await expect(page.locator(".live")).to_contain_text("Live")
    await page.evaluate("document.body.dataset.mark = 'same page'")
    await own_stage.stop()
    await expect(page.get_by_text("The connection to the server was lost")).to_be_visible()
    await expect(page.locator(".table .line").first).to_contain_text("web"), "what was seen stays"
    own_stage.change("Kustomization", "shop", "web", make_ready)
    await own_stage.listen()
    await page.clock.run_for(40_000)
    await expect(page.get_by_text("The connection to the server was lost")).to_be_hidden()
    await expect(page.locator(".table .line").first).to_contain_text("Ready")
    assert await page.evaluate("document.body.dataset.mark") == "same page"


async def test_what_one_may_not_see_does_not_exist(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps", who="guest")
    await expect(page.locator(".page-head")).to_contain_text(re.compile(r"\d\d Apps"))
    spaces = await page.locator(".table .line small").all_text_contents()
    assert spaces
    assert all(text.startswith("shop") for text in spaces)
    await page.goto(stage.url + "/apps/Kustomization/payments/api")
    await expect(page.get_by_text("There is nothing here (any more)")).to_be_visible()


async def test_an_app_says_in_words_what_is_going_on_and_leads_to_the_cause(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB)
    story = page.get_by_label("What is going on")
    await expect(story).to_contain_text("main@3f2a91c")
    await expect(story).to_contain_text("cannot pull image registry.example.com/shop/web:1.9.0")
    await story.get_by_role("button", name=re.compile("Pod web-")).click()
    panel = page.locator("aside.panel")
    await expect(panel.get_by_role("heading")).to_contain_text("web-7d9f8c6b5-p8w3z")
    await panel.get_by_role("tab", name="Events").click()
    await expect(panel).to_contain_text("Failed to pull image")
    await expect(page).to_have_url(re.compile("node=Pod.*tab=events"))
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()


async def test_the_tree_is_walked_by_keyboard_alone(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB)
    tree = page.get_by_role("tree")
    await tree.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("aside.panel").get_by_role("heading")).to_have_text("web")
    await expect(page).to_have_url(re.compile("node=Deployment"))


async def test_a_commit_that_changed_nothing_of_an_app_is_not_told_as_its_sync(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB)
    await expect(page.locator(".story")).to_contain_text("Synced to main@3f2a91c 4 minutes ago")
    ready = [one for one in stage.rows if one.kind == "Kustomization" and one.status == "Ready"]
    row = next(one for one in ready if one.since is not None and one.since < NOW - timedelta(hours=1))
    await page.goto(f"{stage.url}/apps/Kustomization/{row.namespace}/{row.name}")
    await expect(page.locator(".story")).to_contain_text("Up to date with main@3f2a91c; it last changed here")


async def test_the_network_leads_from_outside_to_the_pods(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB)
    await page.get_by_role("tab", name="Network").click()
    tree = page.get_by_role("tree", name="Network")
    await expect(tree).to_contain_text("From outside")
    await expect(tree).to_contain_text("shop.example.com")
    await tree.get_by_role("treeitem", name=re.compile("web-7d9f8c6b5-p8w3z")).click()
    await expect(page.locator("aside.panel")).to_contain_text("cannot pull image")


async def test_pods_are_shown_by_the_node_that_they_run_on(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{WEB}?view=pods")
    node = page.get_by_role("region", name="node-3")
    await expect(node.get_by_role("button")).to_have_count(3)
    await node.get_by_role("button", name=re.compile("web-7d9f8c6b5-p8w3z.*Degraded")).press("Enter")
    await expect(page.locator("aside.panel")).to_contain_text("node-3")


async def test_a_secret_stays_masked_in_the_difference(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{WEB}?node=Deployment.apps/shop/web&tab=diff")
    diff = page.locator(".diff").last
    await expect(diff).to_contain_text("replicas: 3")
    assert "++++" not in await diff.inner_text()
    await expect(diff.locator(".masked").first).to_be_visible()


async def test_logs_are_followed_filtered_and_marked(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{WEB}?node=Deployment.apps/shop/web&tab=logs")
    log = page.get_by_role("log")
    await expect(log).to_contain_text("GET /products")
    assert await log.locator(".l").count() < 120
    await page.get_by_label("Filter lines").fill("404")
    await expect(page.get_by_text("45 lines")).to_be_visible()
    await expect(log.locator("mark").first).to_have_text("404")


async def test_a_tree_of_two_thousand_nodes_keeps_few_of_them_in_the_document(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/design?nodes=2000", who="")
    tree = page.get_by_role("tree", name="Tree")
    await expect(tree.locator(".node").first).to_be_visible()
    assert await tree.locator(".node").count() < 80
    await tree.focus()
    await page.keyboard.press("0")
    await expect(tree.locator("canvas").first).to_be_visible()
    assert await tree.locator(".node").count() == 0
    await page.get_by_label("Find in the tree").fill("payments-3")
    await page.keyboard.press("Enter")
    await expect(tree.locator(".node.current")).to_contain_text("payments-3")


async def test_the_palette_goes_anywhere_by_typing(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("need a look")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("gatew shop")
    await expect(page.get_by_role("option").first).to_contain_text("gateway")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/apps/.*gateway"))


async def test_a_question_mark_shows_the_shortcuts_and_escape_gives_the_focus_back(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps")
    await page.get_by_role("link", name="Overview").first.focus()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Command palette")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page.get_by_role("link", name="Overview").first).to_be_focused()


async def test_two_keys_lead_to_a_page(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page).to_have_url(re.compile("/apps$"))


async def test_language_and_theme_are_chosen_by_the_browser_and_kept_when_changed(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/", lang="th", theme="dark")
    root = page.locator("html")
    await expect(root).to_have_attribute("lang", "th")
    await expect(root).to_have_attribute("data-theme", "dark")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("แอปต้องตรวจดู")
    await page.get_by_role("button", name="ภาษา").click()
    await page.get_by_role("menuitemradio", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("need a look")
    await page.get_by_role("button", name="Theme").click()
    await page.get_by_role("menuitemradio", name="Light").click()
    await page.reload()
    await expect(root).to_have_attribute("lang", "en")
    await expect(root).to_have_attribute("data-theme", "light")


async def test_an_address_without_a_page_says_so(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/nothing/here")
    await expect(page.get_by_role("heading", name="No such page")).to_be_visible()


async def test_everything_is_seen_by_team_and_a_team_leads_to_its_apps(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/")
    await page.get_by_role("button", name="Teams").click()
    box = page.locator(".group-box", has_text="payments").first
    await expect(box).to_be_visible()
    await box.click()
    await expect(page).to_have_url(re.compile(r"/apps\?q=team%3Apayments|/apps\?q=team:payments"))
    await expect(page.locator(".table .app-name").first).to_be_visible()
    await page.goto(stage.url + "/apps?view=map&by=team")
    await expect(page.get_by_role("button", name="Team", exact=True)).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".map canvas")).to_be_visible()


async def test_logs_that_were_refused_are_asked_for_again(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/apps")
    refused: list[str] = []

    async def logs(route: Route) -> None:
        if refused:
            await route.continue_()
        else:
            refused.append(route.request.url)
            await route.fulfill(status=404, json={"title": "no", "status": 404, "detail": "no pod runs yet"})

    await page.route("**/logs*", logs)
    await page.goto(stage.url + "/apps/Kustomization/shop/web?node=Deployment.apps/shop/web&tab=logs")
    panel = page.locator("aside.panel")
    await expect(panel).to_contain_text("no pod runs yet")
    await panel.get_by_role("button", name="Try again").click()
    await expect(panel.locator(".log .l").first).to_be_visible()
