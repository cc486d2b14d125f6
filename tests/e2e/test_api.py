"""The API over a whole Trueup: a person signs in, sees their Apps live, acts on them, and every change is told to the audit log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse

from tests.e2e.apiserver import BASE, api_of, colour_of, repository, until_async
from tests.e2e.manifests import config, deployment
from tests.e2e.stack import Repository, Stack

__all__ = ["repository"]


async def test_a_person_sees_their_app_follows_it_and_acts_on_it(
    stack: Stack, namespace: str, repository: Repository, tmp_path: Path
) -> None:
    async with api_of(stack, tmp_path) as api:
        app = f"/apps/Kustomization/{namespace}/app"
        row = await api.until_row(app, status="Ready", sync="Synced")
        assert (row["project"], row["objects"], row["source"]["ref"]) == (
            f"ns:{namespace}",
            3,
            f"GitRepository/{namespace}/repo",
        )
        page = await api.get(f"/apps?search=namespace:{namespace}&facets=status")
        assert (page["total"], page["facets"]) == (1, {"status": {"Ready": 1}})

        # a push is seen on the stream that begins where the page ended
        headers = {"Authorization": f"Bearer {api.token}", "Last-Event-ID": page["eventId"]}
        commit = repository.push({"settings.yaml": config("settings", colour="green")})
        url = f"{BASE}/apps/events?search=namespace:{namespace}"
        async with api.client.get(url, headers=headers) as stream, asyncio.timeout(40):
            seen = ""
            while commit not in seen:
                seen = (await stream.content.readuntil(b"\n\n")).decode()
        assert "event: changes" in seen

        # whole objects, masked
        settings = await api.get(f"{app}/object?kind=ConfigMap&namespace={namespace}&name=settings")
        assert settings["manifest"]["data"] == {"colour": "green"}
        secret = json.dumps(await api.get(f"{app}/object?kind=Secret&namespace={namespace}&name=token"))
        assert "s3cr3t-canary-value" not in secret
        assert "czNjcjN0" not in secret

        # a person's hand is healed, and told
        place = f"{app}/object?kind=ConfigMap&namespace={namespace}&name=settings"
        status, _ = await api.ask("PATCH", place, {"data": {"colour": "red"}})
        assert status == 200
        await until_async(lambda: colour_of(stack, namespace) == "green")
        entry = next(one for one in api.diary.entries if one.action == "objects.patch")
        assert (entry.actor, entry.target, entry.result) == ("admin", f"ConfigMap/{namespace}/settings", "succeeded")
        assert '"colour":"green"' in entry.before
        assert '"colour":"red"' in entry.after

        # restart
        where = f"kind=Deployment&group=apps&namespace={namespace}&name=web"
        status, answer = await api.ask("POST", f"{app}/object/actions?{where}", {"action": "restart"})
        assert (status, answer["message"]) == (202, "restart: done")
        live = stack.get("deployment", "web", namespace) or {}
        annotations = live["spec"]["template"]["metadata"]["annotations"]
        assert "kubectl.kubernetes.io/restartedAt" in annotations

        # what is not the App's is not there
        foreign = f"{app}/object?kind=Secret&namespace=argocd&name=argocd-secret"
        assert (await api.ask("GET", foreign))[0] == 404
        assert (await api.ask("DELETE", foreign))[0] == 404
        assert stack.api.get("secret", "argocd-secret", "argocd")


async def test_suspending_pinning_and_syncing_change_what_runs(
    stack: Stack, namespace: str, repository: Repository, tmp_path: Path
) -> None:
    async with api_of(stack, tmp_path) as api:
        app = f"/apps/Kustomization/{namespace}/app"
        first = (await api.until_row(app, status="Ready"))["fullRevision"]
        assert (await api.ask("PUT", f"{app}/suspension", {"reason": "freeze"}))[0] == 202
        await api.until_row(app, status="Suspended")
        status, problem = await api.ask("POST", f"{app}/sync", {})
        assert (status, problem["detail"]) == (409, "it is suspended")
        repository.push({"settings.yaml": config("settings", colour="green")})
        assert (await api.ask("DELETE", f"{app}/suspension"))[0] == 202
        await until_async(lambda: colour_of(stack, namespace) == "green")

        assert (await api.ask("PUT", f"{app}/pin", {"revision": first, "reason": "green is broken"}))[0] == 202
        await until_async(lambda: colour_of(stack, namespace) == "blue")
        await api.until_row(app, pinned=True, status="Ready", fullRevision=first)
        assert (await api.ask("DELETE", f"{app}/pin"))[0] == 202
        await until_async(lambda: colour_of(stack, namespace) == "green")

        # a suspension ends by itself when its time has come
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        assert (await api.ask("PUT", f"{app}/suspension", {"until": soon}))[0] == 202
        await until_async(lambda: stack.get("kustomization", "app", namespace)["spec"]["suspend"] is False)
        await api.until_row(app, status="Ready")

        status, problem = await api.ask("POST", f"{app}/sync", {"prune": True})
        assert (status, problem["field"]) == (409, "prune")
        assert (await api.ask("POST", f"{app}/sync", {"message": "look"}))[0] == 202
        told = [(one.action, one.message) for one in api.diary.entries if one.action.startswith("apps.")]
        assert ("apps.suspend", "freeze") in told
        assert ("apps.pin", "green is broken") in told


async def test_an_app_is_made_changed_and_deleted_with_what_it_made(
    stack: Stack, namespace: str, repository: Repository, tmp_path: Path
) -> None:
    async with api_of(stack, tmp_path) as api:
        resource = (await api.get(f"/apps/Kustomization/{namespace}/app"))["resource"]
        made = {
            "apiVersion": resource["apiVersion"],
            "kind": "Kustomization",
            "metadata": {"name": "second", "namespace": namespace},
            "spec": resource["spec"] | {"namePrefix": "second-"},
        }
        status, problem = await api.ask("POST", "/apps", made | {"spec": {"interval": "often"}})
        assert status == 400, problem
        status, _ = await api.ask("POST", "/apps?dryRun=true", made)
        assert status == 201
        assert stack.api.get("kustomization", "second", namespace) is None
        source = stack.api.get("gitrepository", "repo", namespace) or {}
        new = {
            "apiVersion": source["apiVersion"],
            "kind": "GitRepository",
            "metadata": {"name": "second", "namespace": namespace},
            "spec": source["spec"],
        }
        made["spec"]["sourceRef"] = {"kind": "GitRepository", "name": "second"}
        told = len(api.diary.entries)
        wrong = new | {"spec": source["spec"] | {"interval": "often"}}
        elsewhere = new | {"metadata": {"name": "second", "namespace": "nowhere"}}
        status, answer = await api.ask("POST", "/validation", {"manifests": [new, made, wrong, elsewhere]})
        assert status == 200, answer
        findings = [[(one["field"], one["message"]) for one in item["findings"]] for item in answer["items"]]
        assert findings[:2] == [[], []]
        assert findings[2][0][0] == "spec.interval"
        assert 'namespaces "nowhere" not found' in findings[3][0][1]
        assert len(api.diary.entries) == told, "nothing was changed"
        assert stack.api.get("gitrepository", "second", namespace) is None
        assert (await api.ask("POST", "/sources", new))[0] == 201
        assert (await api.ask("POST", "/apps", made))[0] == 201
        second = f"/apps/Kustomization/{namespace}/second"
        row = await api.until_row(second, status="Ready")
        status, _ = await api.ask("PUT", second, made, **{"If-Match": '"1"'})
        assert status == 412
        assert row["objects"] == 3
        assert (await api.ask("DELETE", second))[0] == 202
        await until_async(lambda: stack.get("configmap", "second-settings", namespace) is None)
        assert stack.get("configmap", "settings", namespace)


async def test_the_tree_of_an_app_is_there_down_to_pods_and_follows_them(
    stack: Stack, namespace: str, repository: Repository, tmp_path: Path
) -> None:
    async with api_of(stack, tmp_path) as api:
        app = f"/apps/Kustomization/{namespace}/app"
        headers = {"Authorization": f"Bearer {api.token}"}
        async with api.client.get(f"{BASE}{app}/tree/events", headers=headers) as stream, asyncio.timeout(40):
            shown: dict[str, dict[str, Any]] = {}
            last = await follow_tree(stream, shown, lambda: len(of_kind(shown, "Pod")) == 2)
            web, pod = f"Deployment.apps/{namespace}/web", of_kind(shown, "Pod")[0]
            assert (shown[web]["sync"], shown[web]["managed"], shown[web]["wanted"]) == ("Synced", True, 2)
            assert shown[shown[pod["parent"]]["parent"]]["id"] == web
            assert "s3cr3t-canary-value" not in json.dumps(shown)
            repository.push({"web.yaml": deployment("web", replicas=1)})
            last = await follow_tree(stream, shown, lambda: len(of_kind(shown, "Pod")) == 1)

        # who comes back is told only what happened meanwhile
        async with (
            api.client.get(f"{BASE}{app}/tree/events", headers={**headers, "Last-Event-ID": last}) as stream,
            asyncio.timeout(40),
        ):
            repository.push({"web.yaml": deployment("web", replicas=3)})
            said: list[str] = []
            await follow_tree(stream, shown, lambda: len(of_kind(shown, "Pod")) == 3, said)
        assert "tree" not in said

        tree = await api.get(f"{app}/tree")
        assert (tree["problem"], {row["id"] for row in tree["nodes"]}) == ("", set(shown))
        order = [row["id"] for row in tree["nodes"]]
        assert all(
            row["parent"] is None or order.index(row["parent"]) < order.index(row["id"]) for row in tree["nodes"]
        )
        assert (await api.ask("GET", f"/apps/Kustomization/{namespace}/none/tree"))[0] == 404


def of_kind(shown: dict[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for row in shown.values() if row["kind"] == kind]


async def follow_tree(
    stream: ClientResponse, shown: dict[str, dict[str, Any]], until: Callable[[], bool], said: list[str] | None = None
) -> str:
    """Keeps `shown` as a page does; answers the id of the last event."""
    while True:
        text = (await stream.content.readuntil(b"\n\n")).decode()
        event = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if "event" not in event:
            continue
        news = json.loads(event["data"])
        if said is not None:
            said.append(event["event"])
        if event["event"] == "tree":
            shown.clear()
        shown.update({row["id"]: row for row in news.get("nodes", [])})
        for gone in news.get("removed", []):
            shown.pop(gone, None)
        if until():
            return event["id"]


async def test_projects_are_made_and_changed_and_the_audit_log_is_read(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    name = f"p-{namespace}"
    async with api_of(stack, tmp_path) as api:
        made = {"metadata": {"name": name}, "spec": {"sourceRepos": ["*"], "roles": [{"name": "ci", "policies": []}]}}
        status, answer = await api.ask("POST", "/projects", made)
        assert status == 201, answer
        await until_async(lambda: api.server.world.projects.get(name) is not None)
        spec = made["spec"] | {"description": "for tests"}
        status, answer = await api.ask("PUT", f"/projects/{name}", made | {"spec": spec})
        assert (status, answer["row"]["description"]) == (200, "for tests")
        assert (await api.ask("PUT", f"/projects/{name}", made | {"spec": {"sourceRepos": "x"}}))[0] == 400
        listed = {row["name"] for row in (await api.get("/projects"))["items"]}
        assert {name, "default"} <= listed
        held = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": name,
                "destination": {"namespace": namespace},
                "source": {"repoURL": "https://x.invalid"},
            },
        }
        stack.apply(held)
        status, problem = await api.ask("DELETE", f"/projects/{name}")
        assert (status, problem["detail"]) == (409, "1 Applications are in it")
        stack.api.delete("application", name, "argocd")
        assert (await api.ask("DELETE", f"/projects/{name}"))[0] == 204
        assert (await api.ask("DELETE", "/projects/default"))[0] == 409
        assert [row["row"]["name"] for row in (await api.get("/clusters"))["items"]] == ["in-cluster"]
        assert (await api.get("/repositories"))["items"] is not None
        entries = (await api.get("/audit?actor=trueup-controller"))["items"]
        assert all(entry["action"].startswith("controller.") for entry in entries)  # this server tells a diary of ours
        told = [one.action for one in api.diary.entries if one.target.endswith(name)]
        assert told == ["projects.create", *["projects.update"] * 2, *["projects.delete"] * 2]
