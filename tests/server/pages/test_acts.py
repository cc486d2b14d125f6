"""How people act on one App: sync, roll back, suspend, delete, single objects. By mouse, by keyboard, without the right, offline."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.server.api.support import until
from tests.server.pages.acting import ARGO, DEPLOYMENT, HELM, WEB, dialog, handled, make_ready, more
from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage
from tests.server.pages.stage.world import OLDER
from tests.server.pages.test_looks import found_by_axe

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]


async def test_a_sync_shows_its_plan_asks_about_deletions_and_runs_by_keyboard_alone(
    own_stage: Stage, opened: Open
) -> None:
    own_stage.change("Kustomization", "shop", "web", make_ready)
    page = await opened(own_stage, WEB)
    await expect(page.get_by_role("treeitem").first).to_be_visible()
    await page.keyboard.press("s")
    panel = dialog(page)
    await expect(panel).to_contain_text("1 object is deleted: ConfigMap/shop/legacy-flags")
    await expect(panel.get_by_role("button", name="Sync now")).to_be_disabled()
    await panel.get_by_role("button", name="Deployment/shop/web").focus()
    await page.keyboard.press("Enter")
    await expect(panel).to_contain_text("spec.replicas")
    await panel.get_by_role("checkbox", name="Yes, delete this 1 object").focus()
    await page.keyboard.press("Space")
    await expect(panel.get_by_role("button", name="Sync now")).to_be_enabled()
    for _ in range(4):
        await page.keyboard.press("Tab")
    await expect(panel.get_by_role("button", name="Sync now")).to_be_focused()
    assert own_stage.heard == [], "nothing runs before"
    await page.keyboard.press("Enter")
    await expect(panel.get_by_role("status").first).to_contain_text("Running")
    await expect(panel.get_by_role("progressbar")).to_be_visible()
    assert own_stage.heard == ["apps.sync web"]
    own_stage.change("Kustomization", "shop", "web", handled("applied revision main@3f2a91c", ready=True))
    await expect(panel.get_by_role("status").first).to_contain_text("Succeeded")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    assert "do=" not in page.url


async def test_who_agreed_to_some_deletions_has_not_agreed_to_those_of_a_newer_plan(
    own_stage: Stage, opened: Open
) -> None:
    own_stage.change("Kustomization", "shop", "web", make_ready)
    page = await opened(own_stage, f"{WEB}?do=sync")
    await dialog(page).get_by_text("Yes, delete this 1 object").click()
    await expect(dialog(page).get_by_role("button", name="Sync now")).to_be_enabled()

    async def more_is_deleted(route: Route) -> None:
        answer = await route.fetch()
        plan = await answer.json()
        pruned = plan["objects"][-1]
        plan["objects"].append({**pruned, "ref": {**pruned["ref"], "kind": "PersistentVolumeClaim", "name": "orders"}})
        await route.fulfill(response=answer, json=plan)

    await page.route("**/web/plan*", more_is_deleted)
    own_stage.change("Kustomization", "shop", "web", lambda obj: obj["status"].update(lastAppliedRevision=OLDER))
    await expect(dialog(page)).to_contain_text("PersistentVolumeClaim/shop/orders")
    await expect(dialog(page).get_by_role("checkbox", name="Yes, delete these 2 objects")).not_to_be_checked()
    await expect(dialog(page).get_by_role("button", name="Sync now")).to_be_disabled()


async def test_what_cannot_be_foreseen_is_not_rolled_back_to(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, f"{WEB}?do=rollback")
    problem = {"title": "Gone", "status": 404, "detail": "that revision was collected"}
    await page.route("**/web/plan*", lambda route: route.fulfill(status=404, json=problem))
    await dialog(page).get_by_role("radio", name=re.compile("8b1f0e2")).check()
    await expect(dialog(page)).to_contain_text("that revision was collected")
    await expect(dialog(page).get_by_role("button", name="Hold it there")).to_be_disabled()


async def test_a_sync_that_failed_says_what_to_do(own_stage: Stage, opened: Open) -> None:
    own_stage.change("Kustomization", "shop", "web", make_ready)
    page = await opened(own_stage, f"{WEB}?do=sync")
    await dialog(page).get_by_text("Yes, delete").click()
    await dialog(page).get_by_role("button", name="Sync now").click()
    await expect(dialog(page).get_by_role("status").first).to_contain_text("Running")
    message = "kustomize build: kustomization.yaml:4: no such file: ../base"
    own_stage.change("Kustomization", "shop", "web", handled(message, ready=False))
    await expect(dialog(page)).to_contain_text(message)
    await expect(dialog(page)).to_contain_text("correct it in Git and push")
    await dialog(page).get_by_role("button", name="Another sync").click()
    await expect(dialog(page)).to_contain_text("What will happen")


async def test_an_application_is_told_what_to_sync_how_and_is_stopped(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, f"{ARGO}?do=sync")
    panel = dialog(page)
    await expect(panel).to_contain_text("restarts the pods of 1 workload")
    await expect(panel).to_contain_text(
        "They hold data that Git does not bring back: PersistentVolumeClaim/shop/reports"
    )
    await panel.get_by_role("checkbox", name="Deleted at the end").uncheck()
    await panel.get_by_text("Options for this one sync").click()
    await panel.get_by_text("Apply only, without hooks").click()
    await panel.get_by_text("ApplyOutOfSyncOnly=true").click()
    await panel.get_by_label("Tries after a failure").fill("2")
    await panel.get_by_label("Why (for the audit log)").fill("the sale begins")
    await panel.get_by_role("button", name="Sync 2 objects").click()
    await expect(panel.get_by_role("status").first).to_contain_text("Running")
    ((name, body),) = own_stage.said
    assert (name, body.hooks, body.options, body.retries) == ("apps.sync", False, ("ApplyOutOfSyncOnly=true",), 2)
    assert body.message == "the sale begins"
    assert [(one.kind, one.name) for one in body.resources] == [
        ("ConfigMap", "cart-settings"),
        ("Service", "web"),
        ("Deployment", "web"),
    ]

    def runs(obj: dict[str, Any]) -> None:
        row = {"kind": "ConfigMap", "namespace": "shop", "name": "cart-settings", "status": "Synced", "message": ""}
        bad = {
            "group": "apps",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
            "status": "SyncFailed",
            "message": "spec.selector: field is immutable",
        }
        obj["status"]["operationState"] |= {"phase": "Running", "syncResult": {"resources": [row, bad]}}

    own_stage.change("Application", "shop", "api", runs)
    await expect(
        panel.get_by_role("region", name="Wave 0").or_(panel.locator("section[aria-label='Wave 0']"))
    ).to_contain_text("1 of 1")
    await expect(panel).to_contain_text("1 failed")
    await expect(panel).to_contain_text("Rename the object in Git")
    await panel.get_by_role("button", name="Terminate the sync").click()
    await panel.get_by_role("button", name="Yes, terminate it").click()

    def is_ending() -> bool:
        api = own_stage.world.app("Application", "shop", "api")
        return api is not None and api.obj["status"]["operationState"]["phase"] == "Terminating"

    await until(is_ending)
    assert own_stage.heard[-1] == "apps.terminate api"
    await expect(panel.get_by_role("status").first).to_contain_text("Running")


async def test_who_may_only_look_sees_the_plan_and_which_right_to_ask_for(own_stage: Stage, opened: Open) -> None:
    own_stage.change("Kustomization", "shop", "web", make_ready)
    page = await opened(own_stage, f"{WEB}?do=delete", who="guest")
    await expect(page.get_by_role("treeitem").first).to_be_visible()
    await expect(dialog(page)).to_have_count(0), "an address gives no right"
    await page.get_by_role("button", name="More actions").click()
    await expect(page.get_by_role("menu")).to_contain_text("p, ROLE, applications, sync, ns:shop/Kustomization/web")
    assert await page.get_by_role("menuitem").count() == 2, "to compare and to print"
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Refresh")).to_have_count(0)
    await page.keyboard.press("s")
    await expect(dialog(page)).to_contain_text("Deployment/shop/web")
    await expect(dialog(page)).to_contain_text("You may see the plan, not carry it out")
    await dialog(page).get_by_text("Yes, delete").click()
    await expect(dialog(page).get_by_role("button", name="Sync now")).to_be_disabled()
    await page.goto(own_stage.url + f"{WEB}?{DEPLOYMENT}")
    await expect(page.locator("aside.panel")).to_contain_text("Deployment")
    await expect(page.locator("aside.panel").get_by_role("button", name="Actions")).to_have_count(0)
    assert own_stage.heard == []


async def test_an_answer_that_was_lost_is_asked_for_again_without_harm(own_stage: Stage, opened: Open) -> None:
    own_stage.change("Kustomization", "shop", "web", make_ready)
    page = await opened(own_stage, f"{WEB}?do=sync")
    await dialog(page).get_by_text("Yes, delete").click()
    await expect(dialog(page).get_by_role("button", name="Sync now")).to_be_enabled()
    await own_stage.stop()
    await dialog(page).get_by_role("button", name="Sync now").click()
    await expect(dialog(page)).to_contain_text("the same request is not carried out twice")
    await own_stage.listen()
    await page.clock.run_for(40_000)
    await dialog(page).get_by_role("button", name="Sync now").click()
    await expect(dialog(page).get_by_role("status").first).to_contain_text("Running")
    assert own_stage.heard == ["apps.sync web"]


async def test_what_was_done_although_its_answer_was_lost_is_not_done_twice(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, f"{WEB}?{DEPLOYMENT}&act=restart")
    keys: list[str | None] = []

    async def lost(route: Route) -> None:
        keys.append(await route.request.header_value("Idempotency-Key"))
        if len(keys) > 1:
            await route.continue_()
        else:
            await route.fetch()
            await route.abort("connectionreset")

    await page.route("**/object/actions*", lost)
    button = dialog(page).get_by_role("button", name="Restart")
    await button.click()
    await expect(dialog(page)).to_contain_text("the same request is not carried out twice")
    await button.click()
    await expect(page.locator(".toast")).to_contain_text("Restart of Deployment web is asked for")
    assert own_stage.heard == ["objects.act Deployment/web restart {}"]
    await page.goto(own_stage.url + f"{WEB}?{DEPLOYMENT}&act=restart")
    await button.click()
    await expect(page.locator(".toast")).to_contain_text("Restart of Deployment web is asked for")
    assert len(own_stage.heard) == 2, "what was answered is over: the next is meant anew"
    assert keys[0] == keys[1] != keys[2]


async def test_what_nobody_knows_the_end_of_is_said_and_the_next_press_means_it_anew(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, f"{WEB}?{DEPLOYMENT}&act=restart")
    keys: list[str | None] = []
    reasons = ["StillRunning", "StillRunning", "OutcomeUnknown"]

    async def answered(route: Route) -> None:
        keys.append(await route.request.header_value("Idempotency-Key"))
        if len(keys) > len(reasons):
            await route.continue_()
            return
        reason = reasons[len(keys) - 1]
        problem = {"title": reason, "status": 409, "reason": reason, "detail": f"so it is: {reason}"}
        await route.fulfill(status=409, json=problem, content_type="application/problem+json")

    await page.route("**/object/actions*", answered)
    button = dialog(page).get_by_role("button", name="Restart")
    for reason in reasons:
        await button.click()
        await expect(dialog(page)).to_contain_text(f"so it is: {reason}")
    await button.click()
    await expect(page.locator(".toast")).to_contain_text("Restart of Deployment web is asked for")
    assert keys[0] == keys[1] == keys[2] != keys[3]


async def test_a_rollback_shows_what_changes_and_how_git_is_reverted(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, WEB)
    await more(page, "Roll back…")
    await dialog(page).get_by_role("radio", name=re.compile("8b1f0e2")).check()
    await expect(dialog(page)).to_contain_text("Git still says main@3f2a91c")
    await expect(dialog(page)).to_contain_text("git revert --no-edit 8b1f0e2d3c4b..3f2a91c4d0b8")
    await expect(dialog(page)).to_contain_text("Deployment/shop/web")
    assert await found_by_axe(page) == []
    await dialog(page).get_by_label("Reason").fill("the third pod cannot start")
    await dialog(page).get_by_role("button", name="In an hour").click()
    await dialog(page).get_by_text("Yes, delete").click()
    await dialog(page).get_by_role("button", name="Hold it there").click()
    await expect(page.locator(".toast")).to_contain_text("web goes to main@8b1f0e2")
    ((name, body),) = own_stage.said
    assert (name, body.revision, body.reason) == ("apps.pin", OLDER, "the third pod cannot start")
    assert body.until is not None
    await expect(page.get_by_label("What is going on")).to_contain_text("Pinned")
    await more(page, "Follow Git again")
    await expect(page.get_by_label("What is going on")).not_to_contain_text("Pinned")


async def test_a_suspension_says_why_and_until_when_and_is_ended(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, WEB)
    await more(page, "Suspend…")
    await dialog(page).get_by_label("Reason").fill("no changes before the sale")
    await dialog(page).get_by_label("Until").fill("2020-01-01T08:00")
    await expect(dialog(page)).to_contain_text("This is in the past")
    await dialog(page).get_by_role("button", name="Tomorrow, 8:00").click()
    await dialog(page).get_by_role("button", name="Suspend", exact=True).click()
    await expect(page.get_by_label("What is going on")).to_contain_text("Suspended")
    ((_, body),) = own_stage.said
    assert (body.reason, str(body.until)) == ("no changes before the sale", "2026-09-22 01:00:00+00:00")
    await more(page, "Resume")
    await expect(page.locator(".toast").last).to_contain_text("goes on")
    assert own_stage.heard == ["apps.suspend web", "apps.resume web"]


async def test_a_deletion_shows_what_goes_and_is_typed(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, WEB)
    await expect(page.get_by_role("treeitem").first).to_be_visible()
    await more(page, "Delete…")
    await expect(dialog(page)).to_contain_text("12 objects are deleted")
    await expect(dialog(page)).to_contain_text("data that Git does not bring back: Namespace/shop")
    assert await found_by_axe(page) == []
    button = dialog(page).get_by_role("button", name=re.compile("^Delete it"))
    await expect(button).to_be_disabled()
    await dialog(page).get_by_text("They stay").click()
    await expect(dialog(page)).to_contain_text("12 objects stay")
    await dialog(page).get_by_label("Type web to go on").fill("web")
    await button.click()
    await expect(page).to_have_url(re.compile("/apps$"))
    assert own_stage.heard == ["apps.delete web"]
    assert own_stage.world.app("Kustomization", "shop", "web") is None


async def test_what_has_the_name_of_what_was_to_be_deleted_is_left_alone(own_stage: Stage, opened: Open) -> None:
    def another(obj: dict[str, Any]) -> None:
        obj["metadata"]["uid"] = "another"
        obj["spec"]["interval"] = "59m"

    page = await opened(own_stage, f"{WEB}?do=delete")
    await dialog(page).get_by_label("Type web to go on").fill("web")
    own_stage.change("Kustomization", "shop", "web", another)
    await dialog(page).get_by_role("button", name=re.compile("^Delete it")).click()
    await expect(dialog(page)).to_contain_text("another one has this name by now")
    assert own_stage.world.app("Kustomization", "shop", "web") is not None

    page = await opened(own_stage, "/apps?q=kind:Application+namespace:shop")
    await expect(page.locator(".table .line .app-name").first).to_be_visible()
    await page.get_by_label("Choose api", exact=True).check()
    await page.get_by_role("region", name="Chosen Apps").get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete…").click()
    await dialog(page).get_by_label("Type 1 to go on").fill("1")
    own_stage.change("Application", "shop", "api", another)
    await dialog(page).get_by_role("button", name="Delete 1 App").click()
    await expect(dialog(page)).to_contain_text("another one has this name by now")
    await dialog(page).get_by_role("button", name="Close").last.click()
    await page.reload()
    await page.get_by_label("Choose api", exact=True).check()
    own_stage.change("Application", "shop", "api", lambda obj: obj["metadata"].update(uid="a third"))
    await page.get_by_role("region", name="Chosen Apps").get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete…").click()
    await expect(dialog(page)).to_contain_text("another one has this name by now")
    await expect(dialog(page).get_by_role("button", name="Delete 0 Apps")).to_be_disabled()
    assert own_stage.world.app("Application", "shop", "api") is not None


async def test_an_application_without_its_finalizer_leaves_its_objects_and_says_so(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, f"{ARGO}?do=delete")
    await expect(dialog(page)).to_contain_text("The Application has no resources-finalizer")
    await expect(dialog(page).get_by_role("button", name="Delete it, keep its objects")).to_be_disabled()


async def test_an_object_is_scaled_edited_after_its_difference_and_deleted(own_stage: Stage, opened: Open) -> None:
    page = await opened(own_stage, f"{WEB}?{DEPLOYMENT}")
    panel = page.locator("aside.panel")

    async def do(item: str) -> None:
        await panel.get_by_role("button", name="Actions").click()
        await panel.get_by_role("menuitem", name=item).click()

    await do("Scale…")
    await expect(dialog(page)).to_contain_text("Git declares this object")
    await dialog(page).get_by_label("Replicas").fill("5")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast")).to_contain_text("Scale of Deployment web is asked for")
    await do("Edit manifest…")
    text = dialog(page).get_by_label("Manifest")
    written = await text.input_value()
    await text.fill(written + "  a: [")
    await dialog(page).get_by_role("button", name="See what it changes").click()
    await expect(dialog(page)).to_contain_text(re.compile(r"Line \d+"))
    await text.fill(written.replace("replicas: 2", "replicas: 4"))
    await dialog(page).get_by_role("button", name="See what it changes").click()
    await expect(dialog(page).locator(".diff ins").first).to_contain_text("4")
    assert [line for line in own_stage.heard if "patch" in line] == [], "only tried"
    await dialog(page).get_by_role("button", name="Change it").click()
    await expect(page.locator(".toast").last).to_contain_text("Deployment web is changed")
    await do("Delete…")
    assert await found_by_axe(page) == []
    await dialog(page).get_by_text("Left alone").click()
    await dialog(page).get_by_label("Type web to go on").fill("web")
    await dialog(page).get_by_role("button", name="Delete", exact=True).click()
    await expect(panel).to_be_hidden()
    assert own_stage.heard == [
        "objects.act Deployment/web scale {'replicas': '5'}",
        "objects.patch Deployment/web {'spec': {'replicas': 4}}",
        "objects.delete Deployment/web uid-Deployment-web orphan",
    ]


async def test_a_release_tells_its_charts_its_values_and_its_hooks_before_it_is_synced(
    stage: Stage, opened: Open
) -> None:
    page = await opened(stage, f"{HELM}?do=sync")
    told = dialog(page).get_by_role("region", name="The Helm release")
    await expect(told).to_contain_text(re.compile("Upgrade.*1.9.0.*2.0.1.*release 4 becomes 5"))
    await expect(told).to_contain_text("11 values change")
    await expect(told.locator("dl > div").filter(has_text="image.tag").get_by_role("deletion")).to_have_text("1.9.0")
    await expect(told.locator("dl > div").filter(has_text="legacy.enabled")).to_contain_text("no longer set")
    await expect(told.locator("dl > div").filter(has_text="database.password").get_by_text("hidden")).to_have_count(2)
    await expect(told.get_by_text("features.new-5")).to_have_count(0)
    await told.get_by_role("button", name="Show 3 more").press("Enter")
    await expect(told.get_by_text("features.new-5")).to_be_visible()
    hooks = dialog(page).get_by_role("listitem").filter(has_text="Job/shop/")
    await expect(hooks.first).to_contain_text(re.compile("migrate.*weight -5.*before the upgrade"))
    await expect(hooks.last).to_contain_text("after the upgrade")
    await page.goto(stage.url + f"/diff?app={HELM.removeprefix('/apps/')}&revision=main")
    await expect(page.get_by_role("region", name="The Helm release")).to_contain_text("release 4 becomes 5")
