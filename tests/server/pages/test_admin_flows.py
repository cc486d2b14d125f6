"""What people administer: sources, projects, repositories, clusters, accounts, settings, the audit log; each form with what it writes."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.server.pages.conftest import Open
from tests.server.pages.stage.cluster import KEPT_SECRET
from tests.server.pages.stage.running import Stage
from trueup.server.identity.store import SECRETS, Form

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]
FORM_RESTS = 500
"""Milliseconds after which a form asks what it would write."""
LINKS = {
    "application.links": "- url: https://logs.example.com/?app={{.app.metadata.name}}\n  title: Logs\n",
    "resource.links": "- {url: 'https://metrics/{{.resource.metadata.name}}', title: 'Metrics of {{.resource.kind}}'}",
    "project.links": "- {url: 'https://audit.example.com/{{.project.metadata.name}}', title: Audit}",
}


async def test_a_repository_is_registered_by_keyboard_with_its_yaml_beside_it(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places")
    await page.get_by_role("button", name="Register a repository").focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Address", exact=True)).to_be_focused()
    await page.keyboard.type("https://git.example.com/shop/more.git")
    await dialog.get_by_label("User name").focus()
    await page.keyboard.type("ci")
    await page.keyboard.press("Tab")
    await page.keyboard.type("correct-horse")
    await page.clock.run_for(FORM_RESTS)
    written = dialog.get_by_role("region", name="What it writes").last
    await expect(written).to_contain_text("url: https://git.example.com/shop/more.git")
    assert "correct-horse" not in await written.inner_text()
    assert await own_stage.cluster.get("Secret", "repo-shop", "") is not None
    await dialog.get_by_role("button", name="Save").press("Enter")
    await expect(page.locator(".toast")).to_contain_text("Saved")
    await expect(page.locator("article", has_text="shop/more.git")).to_contain_text("password")


async def test_a_credential_that_is_left_alone_stays_and_is_never_shown(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places")
    await page.get_by_role("button", name="Open repo-shop").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Proxy", exact=True)).to_have_value("http://proxy.example.com:3128")
    await dialog.get_by_label("Without the proxy").fill("git.example.com")
    await page.clock.run_for(FORM_RESTS)
    await expect(dialog.get_by_role("region", name="What it writes").last).to_contain_text("noProxy: git.example.com")
    assert KEPT_SECRET not in await page.content()
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.locator(".toast")).to_contain_text("Saved")
    kept = await own_stage.cluster.get("Secret", "repo-shop", "")
    assert kept is not None
    assert {"password", "username", "noProxy"} <= kept["data"].keys()


async def test_a_place_is_forgotten_only_when_asked_twice(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places?cluster=cluster-production-us")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Forget it").click()
    await expect(dialog).to_contain_text("Its Secret is deleted")
    await dialog.get_by_role("button", name="Forget it, really").click()
    await expect(page.locator("article", has_text="production-us.example.com")).to_have_count(0)


async def test_what_git_declares_is_not_changed_here(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places?cluster=cluster-staging")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Forget it")).to_have_count(0)
    await expect(dialog.get_by_label("Name", exact=True)).to_have_value("staging")


async def test_whoever_may_only_look_is_told_which_right_is_missing(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/places", who="guest", width=390, height=844, theme="dark")
    await expect(page.locator("article").first).to_be_visible()
    await expect(page.get_by_role("button", name="Register a repository")).to_have_count(0)
    await page.get_by_role("button", name="Open repo-shop").click()
    await expect(page.get_by_role("dialog")).to_contain_text(
        "p, ROLE, repositories, update, https://git.example.com/shop/deploy.git, allow"
    )
    await page.goto(stage.url + "/settings")
    await expect(page.locator("main")).to_contain_text("p, ROLE, settings, update, argocd-cm, allow")


async def test_whoever_keeps_one_project_registers_what_is_its_own(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places", who="keeper")
    await page.get_by_role("button", name="Register a repository").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Address", exact=True).fill("https://git.example.com/shop/more.git")
    await page.clock.run_for(FORM_RESTS)
    await expect(dialog).to_contain_text("p, ROLE, repositories, create, https://git.example.com")
    await expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    await dialog.get_by_text("What one seldom needs").click()
    await dialog.get_by_label("Project").fill("shop")
    await page.clock.run_for(FORM_RESTS)
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.locator("article", has_text="shop/more.git")).to_be_visible()


async def test_what_is_typed_stands_there_whatever_is_drawn_before_the_field_is_left(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, "/places?project=shop")
    dialog = page.get_by_role("dialog")
    where = dialog.get_by_label("To where")
    await where.press_sequentially("\nproduction-eu#shop-*")
    await dialog.evaluate(
        """(dialog) => {
            const description = dialog.querySelector("input");
            description.value = "drawn anew";
            description.dispatchEvent(new Event("input", {bubbles: true}));
        }"""
    )
    text = dialog.get_by_label("What it writes")
    await expect(text).to_have_value(re.compile("drawn anew"))
    await expect(where).to_have_value(re.compile("production-eu#shop-\\*"))
    await where.blur()
    await expect(text).to_have_value(re.compile("drawn anew(.|\n)*name: production-eu"))


async def test_what_changes_in_two_fields_at_one_moment_is_kept_in_both(own_stage: Stage, opened: Open) -> None:
    """Leaving a field tells its value with the same key press that begins the next one."""
    page = await opened(own_stage, "/places?project=shop")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("To where")).to_be_visible()
    await dialog.evaluate(
        """(dialog) => {
            const where = dialog.querySelectorAll("textarea")[1], description = dialog.querySelector("input");
            where.value = "*#shop\\nproduction-eu#shop-*";
            where.dispatchEvent(new Event("change", {bubbles: true}));
            description.value = "the shop and its previews";
            description.dispatchEvent(new Event("input", {bubbles: true}));
        }"""
    )
    text = dialog.get_by_label("What it writes")
    await expect(text).to_have_value(re.compile("description: the shop and its previews(.|\n)*name: production-eu"))


async def test_a_project_is_edited_as_a_form_or_as_yaml(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places?project=shop")
    dialog = page.get_by_role("dialog")
    text = dialog.get_by_label("What it writes")
    await dialog.get_by_label("To where").fill("*#shop\nproduction-eu#shop-*")
    await dialog.get_by_label("Description").fill("the shop and its previews")
    await expect(text).to_have_value(re.compile("description: the shop and its previews(.|\n)*name: production-eu"))
    await expect(text).to_have_value(re.compile("proj:shop:deployer"))
    written = await text.input_value()
    await text.fill(written.replace("spec:", "spec: ["))
    await expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
    await text.fill(written.replace("sourceRepos:", "sourceRepos:\n    - https://git.example.com/base"))
    await expect(dialog.get_by_label("From which repositories")).to_have_value(re.compile("base"))
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.locator("article", has_text="the shop and its previews")).to_contain_text("production-eu/shop-*")
    kept = own_stage.world.projects["shop"]["spec"]
    assert kept["destinations"][0] == {"name": "*", "namespace": "shop"}
    assert len(kept["roles"]) == 1


async def test_a_project_is_made_and_deleted(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/places")
    await page.get_by_role("button", name="New project").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("games")
    await dialog.get_by_label("From which repositories").fill("*")
    await dialog.get_by_label("To where").fill("*#games")
    await dialog.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Open games").click()
    await dialog.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete it, really").click()
    await expect(page.get_by_role("button", name="Open games")).to_have_count(0)


async def test_a_setting_is_tried_before_it_is_saved(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/settings")
    await expect(page.locator("main")).to_contain_text("how long a login lasts at most")
    assert KEPT_SECRET not in await page.content()
    await page.get_by_role("button", name=re.compile("users.session.duration")).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Value").fill("8h")
    await page.clock.run_for(FORM_RESTS)
    await expect(dialog.get_by_role("region", name="What it writes").last).to_contain_text("users.session.duration: 8h")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name=re.compile("users.session.duration"))).to_contain_text("8h")
    await page.get_by_label("argocd-cm").get_by_role("button", name="Add a setting").click()
    await dialog.get_by_label("Key").fill("timeout.reconciliation")
    await dialog.get_by_label("Value").fill("180s")
    await page.clock.run_for(FORM_RESTS)
    await expect(dialog).to_contain_text("Trueup does not read it; it stands there for Argo CD")


async def test_links_into_other_systems_are_tried_as_one_types_and_shown_where_they_belong(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, "/settings")
    dialog = page.get_by_role("dialog")
    for key, text in LINKS.items():
        await page.get_by_label("argocd-cm").get_by_role("button", name="Add a setting").click()
        await dialog.get_by_label("Key").fill(key)
        await dialog.get_by_label("Value").fill(text.replace("}}", "}", 1))
        await page.clock.run_for(FORM_RESTS)
        await expect(dialog.get_by_role("alert")).to_contain_text("link 1")
        await expect(dialog.get_by_role("button", name="Save")).to_be_disabled()
        await dialog.get_by_label("Value").fill(text)
        await page.clock.run_for(FORM_RESTS)
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).to_have_count(0)
    row = next(one for one in own_stage.rows if one.kind == "Application")
    await page.goto(f"{own_stage.url}/apps/Application/{row.namespace}/{row.name}")
    link = page.get_by_role("link", name="Logs")
    await expect(link).to_have_attribute("href", f"https://logs.example.com/?app={row.name}")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await page.get_by_role("treeitem", name=re.compile("Deployment")).first.click()
    await expect(page.locator("aside.panel").get_by_role("link", name="Metrics of Deployment")).to_be_visible()
    await page.goto(own_stage.url + "/places?project=shop")
    await expect(dialog.get_by_role("link", name="Audit")).to_have_attribute("href", "https://audit.example.com/shop")


async def test_a_setting_is_opened_as_it_is_now_and_taken_away_at_the_second_press(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, "/settings")
    setting = page.get_by_role("button", name=re.compile("users.session.duration"))
    await expect(setting).to_contain_text("12h")
    live = await own_stage.cluster.get("ConfigMap", "argocd-cm", "")
    assert live is not None
    data = {**live["data"], "users.session.duration": "3h"}
    await own_stage.cluster.replace({**live, "data": data}, manager="somebody")
    await setting.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Value")).to_have_value("3h")
    await dialog.get_by_role("button", name="Take it away").click()
    live = await own_stage.cluster.get("ConfigMap", "argocd-cm", "")
    assert live is not None
    assert live["data"] == data
    await dialog.get_by_role("button", name="Take it away, really").click()
    await expect(setting).to_have_count(0)


async def test_a_token_is_shown_once_and_taken_back(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/accounts")
    await page.get_by_role("row", name=re.compile("alice")).click()
    panel = page.locator("aside.panel")
    await panel.get_by_label("Called").fill("pipeline")
    await panel.get_by_label("For", exact=True).select_option(label="7 days")
    await panel.get_by_role("button", name="Give out a token").click()
    token = panel.locator("code.token")
    await expect(token).to_have_text(re.compile(r"^ey[\w-]+\.[\w-]+\.[\w-]+$"))
    await expect(panel.locator(".list-line", has_text="pipeline")).to_contain_text("ends")
    await panel.get_by_role("button", name="Take back").click()
    await expect(panel.locator(".list-line")).to_have_count(1)
    await panel.get_by_role("button", name="Take it back, really").click()
    await expect(panel.locator(".list-line")).to_have_count(0)
    await expect(panel).to_contain_text("accounts.alice: apiKey, login")


async def test_the_audit_log_is_searched_and_an_entry_opened_by_its_address(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/audit")
    rows = page.get_by_role("row")
    await expect(rows.filter(has_text="somchai")).to_have_count(2)
    await page.get_by_label("Outcome").select_option("refused")
    await expect(rows.filter(has_text="guest")).to_have_count(1)
    await expect(page).to_have_url(re.compile("result=refused"))
    await page.get_by_label("Outcome").select_option("")
    await page.get_by_label("Words anywhere").fill("sale")
    await page.keyboard.press("Enter")
    await expect(rows.filter(has_text="apps.suspend")).to_have_count(1)
    await rows.filter(has_text="apps.suspend").click()
    await expect(page.locator("aside.panel")).to_contain_text("suspended: the sale begins")
    await page.reload()
    await expect(page.locator("aside.panel")).to_contain_text("suspended: the sale begins")


async def test_the_audit_log_is_exported_as_it_is_searched_and_says_what_is_missing(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/audit?q=sale")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Export").click()
    download = await downloading.value
    assert download.suggested_filename == "audit.jsonl"
    lines = (await asyncio.to_thread(Path(str(await download.path())).read_text)).splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["apps.suspend"]

    async def with_a_gap(route: Route) -> None:
        answer = await (await route.fetch()).json()
        await route.fulfill(json=answer | {"notes": ["entries of http://far:8080 are not here: it does not answer"]})

    await page.route("**/api/trueup/v1/audit?**", with_a_gap)
    await page.reload()
    await expect(page.locator(".notice")).to_contain_text("Not all of it can be read now entries of http://far:8080")


async def test_the_audit_log_is_not_for_everybody(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/audit", who="guest", lang="th")
    await expect(page.get_by_role("alert")).to_be_visible()


async def test_a_source_is_found_looked_at_and_fetched(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/sources")
    await page.get_by_label("Search sources").fill("payments")
    row = page.get_by_role("row", name=re.compile("payments"))
    await expect(page.get_by_role("row", name=re.compile("mobile"))).to_have_count(0)
    await row.click()
    panel = page.locator("aside.panel")
    await expect(panel).to_contain_text("kind: GitRepository")
    await panel.get_by_role("button", name="Fetch now").click()
    await expect(page.locator(".toast")).to_contain_text("payments")
    await panel.get_by_role("button", name="Suspend").click()
    await expect(page.locator(".toast").last).to_contain_text("left alone")
    assert own_stage.heard == ["sources.refresh payments", "sources.suspend payments"]


async def test_about_says_who_one_is_and_whether_the_server_sees_everything(stage: Stage, opened: Open) -> None:
    page = await opened(stage, "/about")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Trueup")
    await expect(page.locator("main")).to_contain_text("It sees everything that it should")
    await expect(page.locator("main")).to_contain_text("malee")


async def test_a_user_is_made_by_keyboard_with_the_settings_that_it_writes_beside_it(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, "/accounts")
    await page.get_by_role("button", name="New user").press("Enter")
    dialog = page.get_by_role("dialog")
    name = dialog.get_by_label("Name", exact=True)
    await expect(name).to_be_focused()
    make = dialog.get_by_role("button", name="Make the user")
    for typed, told in (
        ("alice", "a user of this name already"),
        ("a.b", "it would be no user"),
        ("b" * 33, "At most 32"),
    ):
        await name.fill(typed)
        await expect(dialog).to_contain_text(told)
        await expect(make).to_be_disabled()
    await name.fill("ci-bot")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(dialog).to_contain_text("Choose at least one")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.clock.run_for(FORM_RESTS)
    written = dialog.get_by_role("region", name="What it writes").last
    await expect(written).to_contain_text("accounts.ci-bot: apiKey")
    await expect(written).to_contain_text("accounts.alice: apiKey, login")
    await expect(dialog).to_contain_text("it has the role role:readonly")
    await expect(dialog).to_contain_text("g, ci-bot, role:readonly")
    assert (await own_stage.cluster.get("ConfigMap", "argocd-cm", "") or {})["data"].get("accounts.ci-bot") is None
    await make.press("Enter")
    panel = page.get_by_role("complementary", name="ci-bot")
    await expect(panel).to_contain_text("have API tokens")
    await expect(panel.get_by_role("button", name="Give out a token")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("ci-bot"))).to_be_visible()


async def test_a_user_is_disabled_changed_and_removed_with_all_that_was_its_own(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, "/accounts?account=alice")
    panel, dialog = page.get_by_role("complementary", name="alice"), page.get_by_role("dialog")
    await panel.get_by_role("button", name="Disable").click()
    await page.clock.run_for(FORM_RESTS)
    written = dialog.get_by_role("region", name="What it writes").last
    await expect(written).to_contain_text("accounts.alice.enabled: 'false'")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row", name=re.compile("alice"))).to_contain_text("Suspended")

    await panel.get_by_role("button", name="Change").click()
    await dialog.get_by_label(re.compile("^Enabled")).check()
    await dialog.get_by_label(re.compile("^Have API tokens")).uncheck()
    await page.clock.run_for(FORM_RESTS)
    await dialog.get_by_role("button", name="Save").click()
    await expect(panel).to_contain_text("it lacks the capability apiKey")
    settings = await own_stage.cluster.get("ConfigMap", "argocd-cm", "") or {}
    assert {key: value for key, value in settings["data"].items() if "alice" in key} == {"accounts.alice": "login"}

    await panel.get_by_role("button", name="Remove…").click()
    await expect(dialog).to_contain_text("its password")
    go = dialog.get_by_role("button", name="Remove the user")
    await page.clock.run_for(FORM_RESTS)
    await expect(go).to_be_disabled()
    await dialog.get_by_label("Type alice to go on").fill("alice")
    await go.click()
    await expect(page.get_by_role("row", name=re.compile("alice"))).to_have_count(0)
    await expect(panel).to_have_count(0)
    assert not [key for key in own_stage.store.read(Form.SECRET, SECRETS) if "alice" in key]


async def test_who_may_not_change_the_settings_is_told_so_and_admin_is_only_disabled(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, "/accounts?account=admin&do=remove")
    await expect(page.get_by_role("complementary", name="admin")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Remove…")).to_have_count(0)
    await page.get_by_role("button", name="Disable").click()
    await page.clock.run_for(FORM_RESTS)
    await expect(page.get_by_role("dialog")).to_contain_text("admin.enabled: 'false'")
    page = await opened(own_stage, "/accounts?do=new", who="guest", lang="th", width=390)
    await expect(page.get_by_role("dialog")).to_contain_text("p, ROLE, settings, update, argocd-cm, allow")
    await expect(page.get_by_role("button", name="ผู้ใช้ใหม่")).to_have_count(0)
    await expect(page.get_by_role("button", name="สร้างผู้ใช้")).to_be_disabled()


LISTS = {"/apps": (3, 6, 7), "/sources": (2, 4, 5), "/audit": (3, 5, 6), "/accounts": (2, 4, 4)}
"""How many columns there are where there is room for few, for some, for all."""
CUT = """() => [...document.querySelectorAll(".table .head, .table .line")].filter((row) => row.scrollWidth > row.clientWidth
  || row.scrollHeight > row.clientHeight + 4).length"""


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_shows_as_much_as_it_has_room_for_while_the_window_changes(
    stage: Stage, opened: Open, path: str
) -> None:
    page = await opened(stage, path)
    shown = page.locator(".table .line").first.locator("[role=gridcell]:visible")
    await expect(page.locator(".table .line").first).to_be_visible()
    few, some, every = LISTS[path]
    for width, count in ((1440, every), (900, some), (390, few), (900, some), (720, few), (1440, every)):
        await page.set_viewport_size({"width": width, "height": 900})
        await expect(shown).to_have_count(count)
        assert await page.evaluate(CUT) == 0
