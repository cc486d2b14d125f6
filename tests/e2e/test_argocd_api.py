"""Argo CD's REST API over a whole Trueup, as a script uses it from signing in to deleting what it made."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse

from tests.e2e.apiserver import Api, api_of, until_async
from tests.e2e.manifests import config, deployment
from tests.e2e.stack import Stack
from tests.e2e.test_argocd import application


async def ask(api: Api, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """As curl sends it: JSON whatever the header says."""
    headers = {"Authorization": f"Bearer {api.token}"}
    data = None if body is None else json.dumps(body)
    if data:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    async with api.client.request(method, "/api/v1" + path, data=data, headers=headers) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return json.loads(text)


async def until_streamed(stream: ClientResponse, holds: Any) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            line = await stream.content.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: "):
                result = json.loads(line.removeprefix(b"data: "))["result"]
                if holds(result):
                    return dict(result)


def has_synced(revision: str, phase: str = "Succeeded") -> Any:
    def holds(result: dict[str, Any]) -> bool:
        state = result["application"].get("status", {}).get("operationState", {})
        return state.get("phase") == phase and state.get("syncResult", {}).get("revision") == revision

    return holds


async def test_a_script_makes_syncs_watches_rolls_back_and_deletes_an_application(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    repository = stack.repository(
        namespace, {"web.yaml": deployment("web", replicas=1), "settings.yaml": config("settings", colour="blue")}
    )
    first = repository.git("rev-parse", "HEAD").strip()
    async with api_of(stack, tmp_path) as api:
        assert (await ask(api, "GET", "/session/userinfo"))["username"] == "admin"
        wanted = application(namespace, repository.url)
        made = await ask(api, "POST", "/applications", {"metadata": {"name": namespace}, "spec": wanted["spec"]})
        assert made["metadata"]["namespace"] == "argocd"
        assert (await ask(api, "POST", "/applications", wanted))["metadata"]["uid"] == made["metadata"]["uid"]
        app = f"/applications/{namespace}"

        headers = {"Authorization": f"Bearer {api.token}", "Accept": "text/event-stream"}
        async with api.client.get(f"/api/v1/stream/applications?name={namespace}", headers=headers) as stream:
            assert (await until_streamed(stream, lambda _: True))["type"] == "ADDED"
            assert "operation" in await ask(api, "POST", f"{app}/sync", {"prune": True})
            await until_streamed(stream, has_synced(first))
            second = repository.push({"settings.yaml": config("settings", colour="green")})
            got = await ask(api, "GET", f"{app}?refresh=true")
            assert got["status"]["sync"]["status"] == "OutOfSync"
            items = (await ask(api, "GET", f"{app}/managed-resources?kind=ConfigMap"))["items"]
            assert "green" in items[0]["targetState"]
            assert "blue" in items[0]["liveState"]
            desired = await ask(api, "GET", f"{app}/manifests?revision={first}")
            assert (desired["revision"], any("blue" in one for one in desired["manifests"])) == (first, True)
            await ask(api, "POST", f"{app}/sync", {})
            await until_streamed(stream, has_synced(second))

            await tree_logs_and_actions(api, stack, app, namespace)
            await links(api, app, namespace)

            listed = (await ask(api, "GET", f"/applications?name={namespace}"))["items"]
            history = listed[0]["status"]["history"]
            assert [row["revision"] for row in history] == [first, second]
            await ask(api, "POST", f"{app}/rollback", {"id": history[0]["id"]})
            await until_streamed(stream, has_synced(first))
            assert stack.get("configmap", "settings", namespace)["data"] == {"colour": "blue"}  # type: ignore[index]

            patch = {"patch": json.dumps({"metadata": {"labels": {"team": "a"}}}), "patchType": "merge"}
            assert (await ask(api, "PATCH", app, patch))["metadata"]["labels"] == {"team": "a"}
            await ask(api, "DELETE", f"{app}?cascade=true")
            await until_streamed(stream, lambda result: result["type"] == "DELETED")
        await until_async(lambda: stack.get("configmap", "settings", namespace) is None)
        assert (await ask(api, "GET", app, status=403))["message"] == "permission denied"
        told = [one.action for one in api.diary.entries if one.action.startswith("argo.")]
        assert [one for one in told if "session" not in one] == [
            "argo.app-create", "argo.app-create", "argo.app-sync", "argo.app-sync", "argo.resource-act",
            "argo.app-rollback", "argo.app-patch", "argo.app-delete",
        ]  # fmt: skip


async def links(api: Api, app: str, namespace: str) -> None:
    """Of one label, so that no other test's Apps have any."""
    mine = f'app.metadata.name == "{namespace}"'
    data = {
        "application.links": json.dumps([{"url": "https://{{.cluster.name}}/{{.app.metadata.name}}", "title": "x", "if": mine}]),
        "resource.links": json.dumps(
            [
                {"url": "https://x/{{.resource.kind}}/{{.resource.spec.replicas}}?{{.app.spec.project}}", "title": "y", "if": mine},
                {"url": "javascript:{{.resource.kind}}", "title": "script", "if": mine},
                {"url": "https://x/{{.resource.kind.none}}", "title": "wrong", "if": mine},
            ]
        ),
    }  # fmt: skip
    settings = "/settings/argocd-cm"
    status, wrong = await api.ask("PATCH", settings, {"data": {"application.links": "- {url: 'https://{{', title: t}"}})
    assert (status, wrong["field"]) == (400, "body.data.application.links")
    status, told = await api.ask("PATCH", settings, {"data": data})
    assert (status, ["script" in one["message"] for one in told["remarks"]]) == (200, [True])

    async def are_told() -> bool:
        found = (await ask(api, "GET", f"{app}/links?namespace=argocd"))["items"]
        return bool(found) and found == [{"title": "x", "url": f"https://in-cluster/{namespace}"}]

    async with asyncio.timeout(40):
        while not await are_told():  # noqa: ASYNC110 watches tell of settings
            await asyncio.sleep(0.05)
    where = f"group=apps&kind=Deployment&namespace={namespace}&resourceName=web&version=v1"
    found = (await ask(api, "GET", f"{app}/resource/links?{where}"))["items"]
    assert found == [{"title": "y", "url": "https://x/Deployment/1?default"}]
    status, ours = await api.ask("GET", f"/apps/Application/argocd/{namespace}/links")
    assert (status, [one["url"] for one in ours["items"]]) == (200, [f"https://in-cluster/{namespace}"])
    assert (await api.ask("PATCH", settings, {"data": dict.fromkeys(data)}))[0] == 200


async def tree_logs_and_actions(api: Api, stack: Stack, app: str, namespace: str) -> None:
    kinds: set[str] = set()

    async def has_pods() -> bool:
        nodes = (await ask(api, "GET", f"{app}/resource-tree"))["nodes"]
        kinds.update(node["kind"] for node in nodes)
        return "Pod" in kinds

    async with asyncio.timeout(40):
        while not await has_pods():  # noqa: ASYNC110 pods come by themselves
            await asyncio.sleep(0.1)
    assert {"Deployment", "ReplicaSet", "Pod", "ConfigMap"} <= kinds

    where = f"group=apps&kind=Deployment&namespace={namespace}&resourceName=web"
    headers = {"Authorization": f"Bearer {api.token}"}
    async with api.client.get(f"/api/v1{app}/logs?{where}", headers=headers) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    lines = [json.loads(line)["result"] for line in text.splitlines()]
    assert lines[-1]["last"] is True

    manifest = json.loads((await ask(api, "GET", f"{app}/resource?{where}&version=v1"))["manifest"])
    assert manifest["metadata"]["name"] == "web"
    actions = (await ask(api, "GET", f"{app}/resource/actions?{where}"))["actions"]
    assert "restart" in [one["name"] for one in actions]
    await ask(api, "POST", f"{app}/resource/actions?{where}", "restart")
    live = stack.get("deployment", "web", namespace) or {}
    assert "kubectl.kubernetes.io/restartedAt" in live["spec"]["template"]["metadata"]["annotations"]
