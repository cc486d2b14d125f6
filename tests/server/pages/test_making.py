"""A new App, and an edited one: checked as one types, with the YAML beside it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.server.pages.acting import WEB, dialog
from tests.server.pages.conftest import Open
from tests.server.pages.stage.running import Stage
from tests.server.pages.stage.world import OLDER
from tests.server.pages.test_looks import found_by_axe

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("pages")]


async def test_a_new_app_is_checked_as_one_types_taught_and_made_with_its_source(
    own_stage: Stage, opened: Open
) -> None:
    page = await opened(own_stage, "/apps")
    await page.get_by_role("link", name="New App").click()
    await expect(page.get_by_text("Still missing")).to_be_visible()
    await page.get_by_label("Name *", exact=True).fill("cart")
    await page.get_by_label("Namespace *").fill("nowhere")
    await page.get_by_label("Repository *").fill("https://git.example.com/shop/cart.git")
    await expect(page.get_by_text('namespaces "nowhere" not found').first).to_be_visible()
    await expect(page.get_by_role("button", name="Make it now")).to_be_disabled()
    await page.get_by_label("Namespace *").fill("shop")
    await expect(page.get_by_text("The API server would take it")).to_be_visible()
    await page.get_by_label("Path *").focus()
    await expect(page.locator(".act-written .marked")).to_have_text("  path: ./")
    await page.get_by_role("button", name="Write YAML").click()
    text = page.get_by_role("textbox", name="The YAML")
    await text.fill((await text.input_value()).replace("path: ./", "path: ./deploy"))
    await expect(page.get_by_label("Path *")).to_have_value("./deploy")
    assert own_stage.heard == []
    await page.get_by_role("button", name="Make it now").click()
    await expect(page).to_have_url(re.compile("/apps/Kustomization/shop/cart$"))
    await expect(page.get_by_role("heading", name="cart")).to_be_visible()
    assert own_stage.heard == ["sources.create cart", "apps.create cart"]
    made = own_stage.world.app("Kustomization", "shop", "cart")
    assert made is not None
    assert made.obj["spec"]["sourceRef"] == {"kind": "GitRepository", "name": "cart"}
    assert made.obj["spec"]["path"] == "./deploy"


@pytest.mark.parametrize("kind", ["HelmRelease", "Application"])
async def test_each_kind_has_its_form(own_stage: Stage, opened: Open, kind: str) -> None:
    page = await opened(own_stage, f"/apps/new?kind={kind}")
    await page.get_by_label("Name *", exact=True).fill("cart")
    await page.get_by_label("Namespace *").fill("shop")
    if kind == "HelmRelease":
        await page.get_by_label("Source").select_option("GitRepository/flux-system/shop")
        await page.get_by_label("Chart *").fill("./charts/cart")
        await page.get_by_label("Values").fill("replicas: 2\nimage: {tag: '1.9'}")
    else:
        await page.get_by_label("Repository *").fill("https://git.example.com/shop/cart.git")
        await page.get_by_label("Path").fill("deploy")
        await page.get_by_text("Create the namespace").click()
    await expect(page.get_by_text("The API server would take it")).to_be_visible()
    await page.get_by_role("button", name="Make it now").click()
    await expect(page).to_have_url(re.compile(f"/apps/{kind}/shop/cart$"))
    made = own_stage.world.app(kind, "shop", "cart")
    assert made is not None
    spec = made.obj["spec"]
    if kind == "HelmRelease":
        assert spec["chart"]["spec"]["sourceRef"] == {
            "kind": "GitRepository",
            "name": "shop",
            "namespace": "flux-system",
        }
        assert spec["values"] == {"replicas": 2, "image": {"tag": "1.9"}}
    else:
        assert spec["syncPolicy"]["syncOptions"] == ["CreateNamespace=true"]
    assert own_stage.heard == ["apps.create cart"]


async def test_an_edit_leaves_alone_what_others_noted_on_the_app_meanwhile(own_stage: Stage, opened: Open) -> None:
    def noted(obj: dict[str, Any]) -> None:
        obj["metadata"]["annotations"] = {**obj["metadata"].get("annotations", {}), "note": "held"}
        obj["status"]["lastAppliedRevision"] = OLDER

    def begun(obj: dict[str, Any]) -> None:
        obj["spec"].pop("kubeConfig", None)
        obj["metadata"]["annotations"] = {"note": "free"}

    own_stage.change("Kustomization", "shop", "web", begun)
    page = await opened(own_stage, f"{WEB}?do=edit")
    await dialog(page).get_by_label("Interval *").fill("30m")
    own_stage.change("Kustomization", "shop", "web", noted)
    await expect(page.locator(".story")).to_contain_text("8b1f0e2")
    await dialog(page).get_by_role("button", name="Save").click()
    await expect(dialog(page)).to_have_count(0)
    known = own_stage.world.app("Kustomization", "shop", "web")
    assert known is not None
    assert known.obj["spec"]["interval"] == "30m"
    assert known.obj["metadata"]["annotations"]["note"] == "held"


async def test_an_edit_shows_the_difference_and_begins_anew_when_somebody_was_faster(
    own_stage: Stage, opened: Open
) -> None:
    def tracked(obj: dict[str, Any]) -> None:
        obj["metadata"]["labels"] |= {
            "kustomize.toolkit.fluxcd.io/name": "apps",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }
        obj["spec"].pop("kubeConfig", None)

    own_stage.change("Kustomization", "shop", "web", tracked)
    page = await opened(own_stage, WEB, lang="th", theme="dark", width=390, height=844)
    await expect(page.get_by_role("heading", name="web")).to_be_visible()
    await page.locator(".story [aria-haspopup]").click()
    await page.get_by_role("menuitem", name="แก้ไข…").click()
    await expect(dialog(page)).to_contain_text("Kustomization/flux-system/apps")
    await dialog(page).get_by_label("ช่วงเวลา *").fill("30m")
    await expect(dialog(page).locator(".diff")).to_contain_text("30m")
    await expect(dialog(page).get_by_role("button", name="บันทึก")).to_be_enabled()
    assert await found_by_axe(page) == []
    assert await page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    own_stage.change("Kustomization", "shop", "web", lambda obj: obj["spec"].update(timeout="9m"))
    await dialog(page).get_by_role("button", name="เริ่มจากค่าปัจจุบัน").click()
    await dialog(page).get_by_label("ช่วงเวลา *").fill("45m")
    await dialog(page).get_by_role("button", name="บันทึก").click()
    await expect(dialog(page)).to_have_count(0)
    known = own_stage.world.app("Kustomization", "shop", "web")
    assert known is not None
    assert (known.obj["spec"]["interval"], known.obj["spec"]["timeout"]) == ("45m", "9m")
    assert own_stage.heard == ["apps.update web"]
