"""What people do with the past and with revisions that are not live yet: the lines of time, time travel, comparing, diffs."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
WEB = "/apps/Kustomization/shop/web"
PAST = f"{WEB}?view=history"


async def saved(page: Page, name: str) -> str:
    """The SVG that the button below `name` saves."""
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Save as SVG").click()
    download = await waiting.value
    assert download.suggested_filename == name
    return (await download.path()).read_text()


async def test_a_moment_of_the_past_shows_what_changed_and_the_manifests_of_then(stage: Stage, opened: Open) -> None:
    page = await opened(stage, PAST)
    await page.get_by_role("button", name=re.compile("Raise replicas of web to three")).click()
    panel = page.locator("aside.panel")
    await expect(panel).to_contain_text("spec.replicas")
    await expect(panel).to_contain_text("by Malee")
    link = panel.get_by_role("link", name="main@3f2a91c")
    assert (await link.get_attribute("href") or "").startswith(
        "https://gitlab.example.com/shop/deploy/-/commit/3f2a91c4"
    )
    file = panel.get_by_role("link", name=re.compile("deployment.yaml:8"))
    assert (await file.get_attribute("href") or "").endswith("/clusters/production-eu/web/deployment.yaml#L8")
    await panel.get_by_role("tab", name="Manifests then").click()
    await expect(panel.locator(".diff").last).to_contain_text("observedGeneration: 3")
    await expect(page).to_have_url(re.compile("moment=\\d+.*tab=manifests"))


async def test_the_line_of_an_app_holds_syncs_drift_people_and_events(stage: Stage, opened: Open) -> None:
    page = await opened(stage, PAST)
    rows = page.locator(".past .list-line")
    for text in (
        "Take web 1.8.2",
        "somebody set spec.replicas",
        "is 2 again",
        "Sync asked for",
        "HealthCheckFailed",
        "Pod/web-7d9f8c6b5-p8w3z: Failed to pull",
    ):
        await expect(rows.filter(has_text=text)).to_have_count(1)
    await expect(rows.filter(has_text="guest")).to_have_count(0)
    await page.get_by_role("group", name="What happened").get_by_role("button", name="Syncs").click()
    await expect(rows.filter(has_text="Take web 1.8.2")).to_have_count(0)
    await expect(rows.filter(has_text="Sync asked for")).to_have_count(1)
    await expect(page).to_have_url(re.compile("lanes=drift,person,event"))


async def test_the_timeline_is_walked_by_keyboard(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{PAST}&lanes=sync,drift,person")
    await page.get_by_role("group", name=re.compile("History of web")).focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("aside.panel").get_by_role("heading").first).to_have_text("Sync")
    await page.keyboard.press("Escape")
    await expect(page.locator("aside.panel")).to_be_hidden()


async def test_any_moment_shows_the_app_as_it_stood_and_what_is_not_recorded(stage: Stage, opened: Open) -> None:
    page = await opened(stage, PAST)
    line = page.locator(".timeline canvas")
    box = await line.bounding_box()
    assert box is not None
    await line.click(position={"x": box["width"] * 0.4, "y": box["height"] - 6})
    await expect(page).to_have_url(re.compile("show=then"))
    then = page.get_by_label("As it stood", exact=True)
    await expect(then).to_contain_text("10 objects")
    await expect(then).to_contain_text("Move the shop to production-eu")
    await expect(then).to_contain_text("3 objects were there, and were changed last before the records begin")
    await expect(then).to_contain_text("ReplicaSets, pods")
    await page.get_by_role("treeitem", name=re.compile("web.*Deployment")).click()
    panel = page.locator("aside.panel")
    await expect(panel).to_contain_text("registry.example.com/shop/web:1.8.1")
    await panel.get_by_role("tab", name="Against now").click()
    await expect(panel.locator(".diff").last).to_contain_text("1.8.2")
    await page.keyboard.press("Escape")
    await page.get_by_role("treeitem", name=re.compile("database.*Secret")).click()
    await expect(panel).to_contain_text("its manifest is not known")


async def test_a_moment_is_typed_and_the_way_back_is_explained(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{PAST}&show=then")
    await page.get_by_label("The moment").fill("2026-09-21T12:00:00")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("at=2026-09-21T05:00"))
    await page.get_by_text("Back to this revision").click()
    await expect(page.locator(".command")).to_have_text(
        "git revert --no-edit 8b1f0e2d3c4b..3f2a91c4d0b8\ngit push", use_inner_text=True
    )
    back = await page.get_by_role("link", name="Roll back to it").get_attribute("href") or ""
    assert "do=rollback" in back
    assert "8b1f0e2d3c4b5a69788796a5b4c3d2e1f0a9b8c7" in back
    between = await page.get_by_role("link", name="What came between").get_attribute("href") or ""
    assert between.startswith("https://gitlab.example.com/shop/deploy/-/compare/8b1f0e2d")


async def test_before_the_records_begin_it_says_so(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{PAST}&show=then&at=2026-01-01T00:00:00Z")
    await expect(page.get_by_text("The records begin at")).to_be_visible()


async def test_two_moments_are_compared_by_address_and_by_choice(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{PAST}&show=compare")
    await expect(page.get_by_label("First moment")).to_contain_text("main@8b1f0e2")
    await expect(page.locator(".past")).to_contain_text("2 objects are others")
    web = page.locator("section.sheet", has_text="Deployment/shop/web")
    await expect(web).to_contain_text("replicas: 3")
    await expect(page.locator("section.sheet", has_text="ConfigMap/shop/legacy-flags")).to_contain_text("went")
    await page.get_by_label("First moment").select_option(index=2)
    await expect(web).to_contain_text("web:1.8.1")
    await page.get_by_label("Second moment").select_option(index=2)
    await expect(page).to_have_url(re.compile("at=.*to="))
    await expect(web).to_contain_text("web:1.8.2")


async def test_tree_and_line_are_saved_as_svg_with_their_words(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB)
    await expect(page.locator(".node").first).to_be_visible()
    tree = await saved(page, "tree.svg")
    assert tree.startswith("<svg xmlns=")
    assert "Degraded" in tree
    await page.goto(stage.url + PAST)
    await expect(page.locator(".past .list-line").first).to_be_visible()
    line = await saved(page, "web-timeline.svg")
    assert "somebody set spec.replicas" in line


async def test_one_line_holds_what_happened_everywhere_and_leads_to_the_app(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/timeline")
    rows = page.locator(".list-line")
    await expect(rows.filter(has_text="payments/web")).to_have_count(2)
    await page.get_by_label("Which Apps").fill("namespace:shop")
    await page.keyboard.press("Enter")
    await expect(rows.filter(has_text="payments/web")).to_have_count(0)
    await page.get_by_role("button", name="Hour").click()
    await expect(page).to_have_url(re.compile("q=namespace:shop.*range=hour"))
    await expect(rows.filter(has_text="Suspended")).to_have_count(0)
    await rows.filter(has_text="somebody set spec.replicas").click()
    await expect(page).to_have_url(re.compile("/apps/Kustomization/shop/web.*moment="))
    await expect(page.locator("aside.panel")).to_contain_text("kubectl-scale")


async def test_the_line_shows_only_what_one_may_see(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/timeline?range=month", who="guest", width=390, height=844, theme="dark", lang="th")
    rows = page.locator(".list-line")
    await expect(rows.filter(has_text="shop/web").first).to_be_visible()
    await expect(rows.filter(has_text="payments")).to_have_count(0)


async def test_a_pull_request_is_compared_with_live_for_all_that_it_touches(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/diff")
    await page.keyboard.press("Tab")
    await page.get_by_label("Revision", exact=True).focus()
    await page.keyboard.type("feature/three")
    await page.keyboard.press("Tab")
    await page.get_by_label("Of what").select_option("source:GitRepository/flux-system/shop")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("source=GitRepository/flux-system/shop.*revision=feature/three"))
    await expect(page.get_by_text("It touches 2 Apps.")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("Try web 1.9.0 with three replicas")
    await expect(page.locator("section.sheet", has_text="Deployment/shop/web")).to_contain_text("replicas: 3")
    await expect(page.get_by_role("alert")).to_contain_text("no such file: ../../base/cache.yaml")
    await page.get_by_role("link", name="This App alone").last.click()
    await expect(page).to_have_url(re.compile("app=Kustomization/shop/web"))


async def test_a_diff_of_one_app_is_opened_by_its_address(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/diff?app=Kustomization/shop/web&revision=refs/merge-requests/7/head", who="guest")
    await expect(page.locator("section.sheet", has_text="ConfigMap/shop/legacy-flags")).to_contain_text("pruned")
    assert "++++" not in await page.locator("main").inner_text()
    request = await page.get_by_role("link", name="Pull request 7").get_attribute("href") or ""
    await expect(page.locator("main")).to_contain_text("created")
    assert request == "https://gitlab.example.com/shop/deploy/-/merge_requests/7"


async def test_a_forge_leads_here_by_repository_and_commit(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/diff?repo=https://git.example.com/shop/deploy&revision=main")
    await expect(page.locator("main")).to_contain_text("Raise replicas of web to three")
    await expect(page).to_have_url(re.compile("source=GitRepository/flux-system/shop"))
    await page.goto(stage.url + "/diff?repo=https://git.example.com/nobody/else&revision=main")
    await expect(page.get_by_role("heading", name="No source has this repository")).to_be_visible()


async def test_an_app_that_one_may_not_see_has_no_diff(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/diff?app=Kustomization/payments/web", who="guest")
    await expect(page.get_by_role("alert")).to_contain_text("There is nothing here (any more)")


async def test_a_badge_is_shown_and_pasted_into_a_readme(stage: Stage, opened: Open) -> None:
    page = await opened(stage, f"{WEB}?view=about")
    card = page.get_by_label("Badge for a README")
    image = card.get_by_role("img", name="Badge of web")
    await expect(image).to_be_visible()
    await expect(image).to_have_js_property("complete", value=True)
    assert await image.evaluate("image => image.naturalWidth") > 60
    await card.get_by_label("With the revision").check()
    address = f"{stage.url}/api/badge?kind=Kustomization&namespace=shop&name=web&revision=true"
    await expect(card.get_by_label("What to paste")).to_have_text(f"[![web]({address})]({stage.url}{WEB})")
    await card.get_by_label("To paste as").select_option("html")
    await expect(card.get_by_label("What to paste")).to_contain_text('alt="web"')


async def test_an_app_is_printed_with_all_its_objects_dark_on_white(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB, theme="dark")
    await expect(page.locator(".node").first).to_be_visible()
    await page.emulate_media(media="print", color_scheme="dark")
    sheet = page.locator(".print-sheet")
    await expect(sheet).to_contain_text("cannot pull image registry.example.com/shop/web:1.9.0")
    await expect(sheet.locator("tbody tr")).to_have_count(24)
    await expect(page.locator(".rail, .topbar, .btn, .tree").locator("visible=true")).to_have_count(0)
    # Dark on white once the colours have come: they may be on their way from the screen's.
    ink = "getComputedStyle(document.querySelector('.print-sheet td')).color.match(/\\d+/g).slice(0, 3)"
    await page.wait_for_function(f"() => Math.max(...{ink}.map(Number)) < 90")
    assert (await page.pdf())[:5] == b"%PDF-"
    await page.emulate_media(media="screen", color_scheme="dark")
    await expect(page.locator(".node").first).to_be_visible()


async def test_an_app_says_whose_commit_it_runs_and_leads_to_the_forge(stage: Stage, opened: Open) -> None:
    page = await opened(stage, WEB)
    story = page.get_by_label("What is going on")
    await expect(story).to_contain_text("Malee’s commit")
    await expect(story).to_contain_text("Raise replicas of web to three")
    link = story.get_by_role("link", name="main@3f2a91c")
    assert (await link.get_attribute("href") or "").startswith(
        "https://gitlab.example.com/shop/deploy/-/commit/3f2a91c"
    )
    assert await link.get_attribute("rel") == "noreferrer"


async def test_events_that_another_cluster_does_not_tell_are_said_to_be_missing(stage: Stage, opened: Open) -> None:
    said = "the cluster https://production.example.com:6443 does not answer: connection refused"

    async def events(route: Route) -> None:
        await route.fulfill(json={"items": [], "notes": [said]})

    page = await opened(stage, "/")
    await page.route("**/tree/kubernetes-events", events)
    await page.goto(f"{stage.url}{PAST}")
    await expect(page.locator(".past .notice").filter(has_text=said)).to_have_count(1)
    await expect(page.locator(".past .list-line").filter(has_text="Take web 1.8.2")).to_have_count(1)
