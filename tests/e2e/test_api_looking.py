"""The API looks ahead and back: what any revision would change, in one App or in all, and what the records tell of an App."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.e2e.apiserver import api_of, colour_of, repository, until_async
from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.stack import Repository, Stack, git_repository, kustomization

__all__ = ["repository"]


async def test_a_plan_shows_what_any_revision_would_change_and_writes_nothing(
    stack: Stack, namespace: str, repository: Repository, tmp_path: Path
) -> None:
    def proposed(name: str, files: dict[str, str | bytes | None]) -> None:
        repository.git("checkout", "-q", "-B", "proposal", "origin/main")
        repository.write(files)
        repository.git("add", "-A")
        repository.git("commit", "-q", "-m", "proposed")
        repository.git("push", "-q", "-f", "origin", f"HEAD:{name}")
        repository.git("checkout", "-q", "main")

    proposed("feature", {"web.yaml": deployment("web", replicas=3), "settings.yaml": None})
    proposed("refs/pull/7/head", {"token.yaml": manifest("v1", "Secret", "token", stringData={"token": "n3w-canary"})})
    proposed("broken", {"web.yaml": "kind: [\n"})
    before = stack.get("deployment", "web", namespace)
    async with api_of(stack, tmp_path) as api:
        app = f"/apps/Kustomization/{namespace}/app"
        await api.until_row(app, status="Ready")
        plan = await api.get(f"{app}/plan?changed=true")
        assert (plan["objects"], plan["counts"]) == ([], {"unchanged": 3})

        plan = await api.get(f"{app}/plan?revision=feature&changed=true")
        found = {one["ref"]["name"]: one for one in plan["objects"]}
        assert plan["revision"].startswith("feature@")
        assert found["web"]["fields"] == [{"path": "spec.replicas", "before": "2", "after": "3"}]
        assert found["web"]["origin"] == "web.yaml:1"
        assert found["settings"]["action"] == "pruned"
        plan = await api.get(f"{app}/plan?revision=feature&prune=false&changed=true")
        assert "pruned" not in plan["counts"]

        text = json.dumps(await api.get(f"{app}/plan?revision=refs/pull/7/head"))
        assert '"action": "configured"' in text
        text += json.dumps(await api.get(f"{app}/desired?revision=refs/pull/7/head"))
        for value in ("n3w-canary", "s3cr3t-canary-value"):
            assert value not in text
            assert base64.b64encode(value.encode()).decode() not in text

        where = f"kind=Deployment&group=apps&namespace={namespace}&name=web"
        one = await api.get(f"{app}/object/desired?{where}")
        assert (one["action"], one["live"]) == ("unchanged", one["manifest"])
        one = await api.get(f"{app}/object/desired?kind=ConfigMap&namespace={namespace}&name=nothing")
        assert one["manifest"] is None

        status, problem = await api.ask("GET", f"{app}/plan?revision=broken")
        assert (status, problem["reason"]) == (422, "BuildFailed"), problem
        assert "web.yaml" in problem["detail"]
        status, problem = await api.ask("GET", f"{app}/plan?revision=nowhere")
        assert (status, problem["reason"]) == (422, "RefNotFound"), problem
    assert (stack.get("deployment", "web", namespace) or {})["spec"] == (before or {})["spec"]
    assert colour_of(stack, namespace) == "blue"


async def test_an_impact_names_only_the_apps_that_a_revision_changes_with_the_plan_of_each(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    files: dict[str, str | bytes | None] = {
        f"{name}/settings.yaml": config(f"settings-{name}", colour="blue") for name in ("red", "green", "still")
    }
    repository = stack.repository(namespace, files)
    stack.apply(git_repository(namespace, repository.url))
    for name in ("red", "green", "still"):
        stack.apply(kustomization(namespace, f"./{name}", name))
        stack.until_applied(namespace, name=name)
    repository.git("checkout", "-q", "-b", "proposal")
    repository.write({"red/settings.yaml": config("settings-red", colour="red"), "green/settings.yaml": "kind: [\n"})
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "Make it red")
    repository.git("push", "-q", "origin", "HEAD:refs/pull/3/head")
    async with api_of(stack, tmp_path) as api:
        impact = f"/sources/GitRepository/{namespace}/repo/impact"
        for name in ("red", "green", "still"):
            await api.until_row(f"/apps/Kustomization/{namespace}/{name}", status="Ready")
        page = await api.get(f"{impact}?revision=refs/pull/3/head")
        green, red = page["items"]
        assert (page["total"], page["next"]) == (2, "")
        assert (page["commit"]["message"], page["commit"]["signed"]) == ("Make it red", False)
        assert page["commit"]["commit"] in page["fullRevision"]
        assert (green["app"]["name"], green["problem"]["reason"]) == ("green", "BuildFailed")
        assert "green/settings.yaml" in green["problem"]["detail"] + green["problem"].get("origin", "")
        assert (red["app"]["name"], red["plan"]["counts"]) == ("red", {"configured": 1})
        assert red["plan"]["objects"][0]["fields"] == [{"path": "data.colour", "before": '"blue"', "after": '"red"'}]

        first = await api.get(f"{impact}?revision=refs/pull/3/head&plans=false&limit=1")
        assert [one["app"]["name"] for one in first["items"]] == ["green"]
        second = await api.get(f"{impact}?revision=refs/pull/3/head&plans=false&limit=1&after={first['next']}")
        assert ([one["app"]["name"] for one in second["items"]], second["next"]) == (["red"], "")
        assert (await api.get(impact))["items"] == []
        status, problem = await api.ask("GET", f"{impact}?revision=nowhere")
        assert (status, problem["reason"]) == (422, "RefNotFound"), problem
    assert stack.get("configmap", "settings-red", namespace)["data"] == {"colour": "blue"}  # type: ignore[index]


async def test_the_past_of_an_app_is_read_from_the_records_page_by_page(
    stack: Stack, namespace: str, repository: Repository, tmp_path: Path
) -> None:
    async with api_of(stack, tmp_path) as api:
        app = f"/apps/Kustomization/{namespace}/app"
        await api.until_row(app, status="Ready")
        commit = repository.push({"settings.yaml": config("settings", colour="green")})
        await until_async(lambda: colour_of(stack, namespace) == "green")

        async def syncs() -> list[dict[str, Any]]:
            return list((await api.get(f"{app}/history?kind=sync"))["items"])

        async with asyncio.timeout(40):
            while len(rows := await syncs()) < 2:  # noqa: ASYNC110 the records are written behind
                await asyncio.sleep(0.05)
        assert commit in rows[0]["revision"]
        assert rows[0]["counts"]["configured"] == 1
        first = await api.get(f"{app}/history?kind=sync&limit=1")
        second = await api.get(f"{app}/history?kind=sync&limit=1&before={first['next']}")
        assert [first["items"][0]["id"], second["items"][0]["id"]] == [row["id"] for row in rows[:2]]
        record = await api.get(f"{app}/history/{rows[0]['id']}")
        changed = {one["ref"]["name"]: one for one in record["changes"]}
        assert {"path": "data.colour", "before": '"blue"', "after": '"green"'} in changed["settings"]["fields"]
        manifests = await api.get(f"{app}/history/{rows[-1]['id']}/manifests")
        kept = {one["ref"]["name"]: one for one in manifests["items"]}
        assert kept["settings"]["desired"]["data"] == {"colour": "blue"}
        assert "s3cr3t-canary-value" not in json.dumps(manifests)
        assert (await api.ask("GET", f"{app}/history/999999"))[0] == 404

        before = await api.get(f"{app}/then?at={quote(rows[-1]['at'])}")
        (then,) = [one for one in before["objects"] if one["ref"]["name"] == "settings"]
        assert (then["record"], before["sync"]["revision"]) == (rows[-1]["id"], rows[-1]["revision"])
        pairs = await api.get(f"{app}/then/comparison?before={quote(rows[-1]['at'])}")
        assert [(one["ref"]["name"], one["action"]) for one in pairs["items"]] == [("settings", "changed")]
        asked = f"kind=ConfigMap&namespace={namespace}&name=settings"
        shown = await api.get(f"{app}/history/{pairs['items'][0]['after']}/manifest?{asked}")
        assert shown["desired"]["data"] == {"colour": "green"}
        line = await api.get(f"/timeline?search={quote(f'namespace:{namespace}')}&kind=sync")
        assert [row["record"] for row in line["items"]] == [row["id"] for row in rows]
        both = "&".join(f"revision={quote(row['revision'])}" for row in rows)
        tree = repository.git("rev-parse", "HEAD^{tree}")
        commits = await api.get(f"{app}/commits?{both}&revision=main@sha1:{'0' * 40}&revision=sha1:{tree}")
        assert {one["commit"] for one in commits["items"].values()} == {row["revision"][-40:] for row in rows}
        assert commits["url"] == repository.url
        assert (await api.get(app))["row"]["status"] == "Ready", "what is no commit harms nothing"
