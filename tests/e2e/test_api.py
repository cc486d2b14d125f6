"""The API over a whole Trueup: a person signs in, sees their Apps live, acts on them, and every change is told to the audit log."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse, ClientSession
from msgspec import Struct

from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.stack import Repository, Stack, git_repository, kustomization
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.sharedtoken import read_token
from trueup.dialects.registry import all_dialects
from trueup.records.audit.entry import AuditEntry
from trueup.server.api.listening import Bounds, Listener
from trueup.server.assembly import Server, Serving, serving

BASE = "/api/trueup/v1"


class Diary:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def check(self) -> None:
        return

    def put(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


class Api(Struct):
    """Signed in as the first admin."""

    client: ClientSession
    server: Server
    diary: Diary
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        async with self.client.request(method, BASE + path, json=body, headers=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def until_row(self, app: str, **wanted: Any) -> dict[str, Any]:
        last: dict[str, Any] = {}

        async def holds() -> bool:
            nonlocal last
            status, body = await self.ask("GET", app)
            last = body["row"] if status == 200 else body
            return status == 200 and all(last[name] == value for name, value in wanted.items())

        try:
            async with asyncio.timeout(40):
                while not await holds():  # noqa: ASYNC110 the world is the server's own
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{app} is not {wanted}, but {last}") from None
        return last


@asynccontextmanager
async def api_of(stack: Stack, folder: Path) -> AsyncIterator[Api]:
    """A server process's insides, beside the controller that the stack runs."""
    diary = Diary()
    async with KubeClient(load_config(stack.kubeconfig)) as client:
        options = Serving(
            client=client,
            dialects=all_dialects(),
            home=folder,
            audit=diary,
            database=f"sqlite:///{stack.database}",
            controllers=(f"http://127.0.0.1:{stack.http_port}",),
            internal_token=lambda: read_token(client, "trueup-system"),
        )
        async with serving(options) as server:
            listener = Listener(server.app, Bounds())
            port = await listener.start("127.0.0.1", 0)
            try:
                async with ClientSession(f"http://127.0.0.1:{port}") as http:
                    secret = stack.api.get("secret", "trueup-initial-admin-secret", "argocd")
                    password = base64.b64decode(secret["data"]["password"]).decode()
                    said = {"username": "admin", "password": password}
                    async with http.post("/api/v1/session", json=said) as answer:
                        assert answer.status == 200, await answer.text()
                        token = (await answer.json())["token"]
                    yield Api(http, server, diary, token)
            finally:
                await listener.stop()


@pytest.fixture
def repository(stack: Stack, namespace: str) -> Repository:
    files: dict[str, str | bytes | None] = {
        "web.yaml": deployment("web", replicas=2),
        "settings.yaml": config("settings", colour="blue"),
        "token.yaml": manifest("v1", "Secret", "token", stringData={"token": "s3cr3t-canary-value"}),
    }
    repository = stack.repository(namespace, files)
    stack.kustomization(namespace, repository.url, wait=False)
    stack.until_applied(namespace)
    return repository


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


def colour_of(stack: Stack, namespace: str) -> str:
    live = stack.get("configmap", "settings", namespace)
    return str(live["data"]["colour"]) if live else ""


async def until_async(holds: Any) -> None:
    """Asks in a thread: the server under test has this loop."""
    async with asyncio.timeout(40):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 what is waited for is in the cluster
            await asyncio.sleep(0.05)


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
