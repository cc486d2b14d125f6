"""Badges, revisions, windows, links and settings at Argo CD's paths."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.server.api.support import serving
from tests.server.argo.kit import POLICY, NoController, application, world_of
from trueup.apps.comparison import ChartWish, CommitRow, Commits, CommitsWish
from trueup.model.releaserecord import ChartAbout, Maintainer
from trueup.server.access.policy import policy_of
from trueup.server.argo.badge import BadgeQuery, Standing, drawn
from trueup.server.argo.whole import operations
from trueup.server.identity.settings import Settings, settings_of
from trueup.server.linking.filling import Links
from trueup.server.world.trees import Trees

COMMIT = "a" * 40
STATUS = {
    "health": {"status": "Degraded"},
    "sync": {"status": "Synced"},
    "operationState": {"syncResult": {"revision": COMMIT}},
}


class Historian(NoController):
    async def commits(self, wish: CommitsWish) -> Commits:
        row = CommitRow(
            commit=COMMIT, author="Malee", email="malee@example.com", at=datetime(2026, 3, 1, tzinfo=UTC),
            message="raise replicas", signed=False,
        )  # fmt: skip
        return Commits(items={revision: row for revision in wish.revisions if revision == COMMIT})

    async def chart(self, wish: ChartWish) -> ChartAbout:
        assert (wish.app.name, wish.version, wish.source) == ("web", "1.2.0", 1)
        people = (Maintainer(name="Malee", email="malee@example.com"), Maintainer(name="Somchai"))
        return ChartAbout(description="a shop", maintainers=people)


class OwnRights:
    """A client that speaks as the server itself, and is asked nothing."""

    def of(self, caller: object) -> Any:
        del caller
        return SimpleNamespace(impersonates=False)


class Argo:
    def __init__(self, client: Any) -> None:
        self.client = client

    async def get(self, path: str, who: str = "ann") -> tuple[int, Any]:
        async with self.client.get(path, headers={"X-User": who} if who else {}) as answer:
            is_json = "json" in answer.content_type
            return answer.status, await answer.json() if is_json else await answer.text()


class Around:
    """The paths of a world, with settings."""

    def __init__(self, *objects: Any, config: Mapping[str, str] | None = None) -> None:
        self.world = world_of(*objects)
        data = {key: value.encode() for key, value in (config or {}).items()}
        self.settings: Settings = settings_of(data, {})

    async def __aenter__(self) -> Argo:
        self.links = Links(lambda: self.settings.data)
        table = operations(
            self.world, OwnRights(), Trees(), Historian(), settings=lambda: self.settings, links=self.links
        )
        self.serving = serving(table)
        one = await self.serving.__aenter__()
        one.authority.update(policy_of({"policy.csv": POLICY}), {})
        return Argo(one.client)

    async def __aexit__(self, *error: Any) -> None:
        await self.serving.__aexit__(*error)
        async with self.links:
            pass


async def test_a_revision_tells_its_author_and_a_stranger_is_told_nothing() -> None:
    async with Around(application("web")) as argo:
        status, said = await argo.get(f"/api/v1/applications/web/revisions/{COMMIT}/metadata")
        assert (status, said) == (
            200,
            {"author": "Malee <malee@example.com>", "date": "2026-03-01T00:00:00Z", "message": "raise replicas"},
        )
        assert (await argo.get(f"/api/v1/applications/web/revisions/{'b' * 40}/metadata"))[0] == 404
        assert (await argo.get("/api/v1/applications/web/revisions/main/metadata"))[0] == 400
        assert (await argo.get(f"/api/v1/applications/web/revisions/{COMMIT}/metadata", "stranger"))[0] == 403


async def test_a_chart_tells_of_itself() -> None:
    async with Around(application("web")) as argo:
        path = "/api/v1/applications/web/revisions/1.2.0/chartdetails?sourceIndex=1"
        told = {"description": "a shop", "maintainers": ["Malee malee@example.com", "Somchai"]}
        assert await argo.get(path) == (200, told)
        assert (await argo.get(path, "stranger"))[0] == 403


async def test_windows_are_those_that_concern_the_application() -> None:
    windows = [
        {"kind": "deny", "schedule": "0 0 30 2 *", "duration": "1h", "applications": ["w*"]},
        {"kind": "allow", "schedule": "0 0 * * *", "duration": "1h", "namespaces": ["other"]},
        {"kind": "deny", "schedule": "0 0 * * *", "duration": "1h", "applications": ["w*"], "namespaces": ["x"], "andOperator": True},
        {"kind": "deny", "schedule": "0 0 30 2 *", "duration": "1h", "clusters": ["https://kubernetes*"]},
    ]  # fmt: skip
    around = Around(application("web"))
    around.world.projects["shop"]["spec"]["syncWindows"] = windows
    async with around as argo:
        _, said = await argo.get("/api/v1/applications/web/syncwindows")
        assert said == {"assignedWindows": [windows[0], windows[3]], "canSync": True}
        windows[3]["schedule"] = "* * * * *"
        _, said = await argo.get("/api/v1/applications/web/syncwindows")
        assert said["activeWindows"] == [windows[3]]


LINKS = {
    "application.links": """
- {url: "https://logs/{{.application.metadata.name}}", title: Logs, icon.class: fa-book}
- {url: "https://other", title: Other, if: 'application.spec.project == "other"'}
- {url: "javascript:alert(1)", title: Script}
""",
    "project.links": '- {url: "https://audit/{{.project.metadata.name}}", title: Audit, description: who did what}',
}


async def test_links_are_none_until_they_are_declared() -> None:
    async with Around(application("web")) as argo:
        for path in ("applications/web/links", "projects/shop/links"):
            assert await argo.get("/api/v1/" + path) == (200, {"items": []})


async def test_links_are_filled_in_for_whoever_sees_what_they_are_of() -> None:
    async with Around(application("web"), config=LINKS) as argo:
        logs = {"title": "Logs", "url": "https://logs/web", "iconClass": "fa-book"}
        assert await argo.get("/api/v1/applications/web/links?namespace=argocd") == (200, {"items": [logs]})
        assert (await argo.get("/api/v1/applications/web/links", "stranger"))[0] == 403
        audit = {"title": "Audit", "url": "https://audit/shop", "description": "who did what"}
        assert await argo.get("/api/v1/projects/shop/links") == (200, {"items": [audit]})
        assert (await argo.get("/api/v1/projects/bank/links"))[0] == 403
        assert (await argo.get("/api/v1/projects/none/links", "boss"))[0] == 404
        assert (await argo.get("/api/v1/applications/web/resource/links?kind=Pod"))[0] == 400


async def test_a_badge_is_for_everybody_once_it_is_enabled_and_tells_nothing_before() -> None:
    web = application("web", status=STATUS)
    async with Around(web) as argo:
        status, svg = await argo.get("/api/badge?name=web", "")
        assert (status, "Unknown" in svg, "Degraded" in svg) == (200, True, False)
    other = application("api", status={"health": {"status": "Healthy"}, "sync": {"status": "Synced"}})
    async with Around(web, other, config={"statusbadge.enabled": "true"}) as argo:
        _, svg = await argo.get("/api/badge?name=web&revision=true", "")
        assert "Degraded" in svg
        assert "Synced" in svg
        assert COMMIT[:7] in svg
        assert COMMIT not in svg
        assert COMMIT in (await argo.get("/api/badge?name=web&revision=true&keepFullRevision=true", ""))[1]
        assert "Not Found" in (await argo.get("/api/badge?name=none", ""))[1]
        assert "Degraded" in (await argo.get("/api/badge?project=shop", ""))[1]
        assert "Unknown" in (await argo.get("/api/badge?project=bank", ""))[1]
        assert (await argo.get("/api/badge?name=a%3Cscript%3E", ""))[0] == 400
        # More digits than Python makes a number of.
        assert 'width="2000"' in (await argo.get("/api/badge?name=web&width=" + "9" * 5000, ""))[1]


async def test_apps_of_other_kinds_have_badges_too() -> None:
    app = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "web", "namespace": "apps", "uid": "k", "resourceVersion": "1", "generation": 1},
        "spec": {"interval": "1m", "path": "./", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "repo"}},
        "status": {
            "observedGeneration": 1,
            "lastAppliedRevision": f"main@sha1:{COMMIT}",
            "lastAttemptedRevision": f"main@sha1:{COMMIT}",
            "conditions": [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "ok"}],
        },
    }
    async with Around(app, config={"statusbadge.enabled": "true"}) as argo:
        _, svg = await argo.get("/api/badge?kind=Kustomization&namespace=apps&name=web&revision=true", "")
        assert "Synced" in svg
        assert f">{COMMIT[:7]}<" in svg
        assert "Not Found" in (await argo.get("/api/badge?kind=HelmRelease&namespace=apps&name=web", ""))[1]


@pytest.mark.parametrize("width", ["", "300", "99999999", "-1", "x"])
def test_a_badge_is_a_picture_whatever_is_asked(width: str) -> None:
    standing = Standing("Healthy", "Synced", "<&>", 'a"name', found=True)
    svg = drawn(standing, BadgeQuery(revision="true", show_app_name="TRUE", width=width))
    root = ElementTree.fromstring(svg)
    assert 100 < int(root.attrib["width"]) <= 2000
    assert root.attrib["height"] == "40"
    assert root.attrib["aria-label"] == 'a"name · Healthy · Synced · <&>'


async def test_settings_are_told_to_anybody_without_a_secret() -> None:
    config = {
        "url": "https://trueup.example.com",
        "oidc.config": "name: Corp\nissuer: https://id\nclientID: web\nclientSecret: canary\n",
        "statusbadge.enabled": "true",
        "dex.config": "connectors: [{config: {bindPW: canary}}]",
    }
    async with Around(config=config) as argo:
        status, said = await argo.get("/api/v1/settings", "")
        assert await argo.get("/healthz?full=true", "") == (200, "ok")
    assert (status, said["url"], said["statusBadgeEnabled"]) == (200, "https://trueup.example.com", True)
    assert said["oidcConfig"] == {
        "name": "Corp",
        "issuer": "https://id",
        "clientID": "web",
        "enablePKCEAuthentication": True,
    }
    assert "canary" not in str(said)
