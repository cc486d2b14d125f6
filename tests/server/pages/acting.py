"""Where people act in the pages, and what a controller answers."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Locator, Page

WEB = "/apps/Kustomization/shop/web"
ARGO = "/apps/Application/shop/api"
HELM = "/apps/HelmRelease/shop/gateway"
DEPLOYMENT = "node=Deployment.apps/shop/web"


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def make_ready(obj: dict[str, Any]) -> None:
    for row in obj["status"]["conditions"]:
        row.update(status="False" if row["type"] == "Reconciling" else "True", message="applied revision main@3f2a91c")


def handled(message: str, *, ready: bool) -> Any:
    """What a controller writes when it has done what an annotation asked for."""

    def doing(obj: dict[str, Any]) -> None:
        make_ready(obj)
        obj["status"]["lastHandledReconcileAt"] = obj["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"]
        for row in obj["status"]["conditions"]:
            if row["type"] == "Ready":
                row.update(status="True" if ready else "False", reason="BuildFailed", message=message)

    return doing


async def more(page: Page, item: str) -> None:
    await page.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name=item).click()
