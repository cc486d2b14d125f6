"""A whole Trueup in which Kubernetes decides who may do what: people with different roles look at one App, and act on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from msgspec import Struct

from tests.e2e.apiserver import BASE, Diary, api_of
from tests.e2e.manifests import config, deployment, manifest
from tests.e2e.stack import Stack
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.model.manifest import Manifest
from trueup.model.rights import Rights

RBAC = "rbac.authorization.k8s.io"
FLUX = ["kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"]
ROLES: dict[str, list[dict[str, Any]]] = {
    # Sees the App and its Deployment, and nothing else of it.
    "viewer": [
        {"apiGroups": FLUX, "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    ],
    "operator": [
        {"apiGroups": FLUX, "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["*"]},
    ],
    "stranger": [],
}


class Person(Struct):
    http: ClientSession
    token: str

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(method, BASE + path, json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def status(self, method: str, path: str, body: Any = None) -> int:
        return (await self.ask(method, path, body))[0]


class People(Struct):
    viewer: Person
    operator: Person
    stranger: Person
    admin: Person
    diary: Diary


async def make_person(client: KubeClient, namespace: str, name: str) -> str:
    """An account with its role, and a token that is for us."""
    account: Manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
    }
    await client.apply(account, manager="test")
    metadata = {"name": name, "namespace": namespace}
    if ROLES[name]:
        await client.apply(
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": ROLES[name]}, manager="test"
        )
        bound = {
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        await client.apply(
            {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": metadata, **bound}, manager="test"
        )
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["trueup"]}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    answer = await client.raw("POST", path, body=json.dumps(asked).encode())
    return str(answer.manifest["status"]["token"])


@asynccontextmanager
async def people_of(stack: Stack, namespace: str, folder: Path) -> AsyncIterator[People]:
    async with KubeClient(load_config(stack.kubeconfig)) as client:
        tokens = {name: await make_person(client, namespace, name) for name in ROLES}
    async with api_of(stack, folder, Rights.KUBERNETES) as api:
        made = {name: Person(api.client, token) for name, token in tokens.items()}
        yield People(**made, admin=Person(api.client, api.token), diary=api.diary)


@pytest.fixture
async def app(stack: Stack, namespace: str) -> str:
    files: dict[str, str | bytes | None] = {
        "web.yaml": deployment("web", replicas=1),
        "settings.yaml": config("settings", colour="blue"),
        "token.yaml": manifest("v1", "Secret", "token", stringData={"token": "s3cr3t-canary-value"}),
    }
    repository = await asyncio.to_thread(stack.repository, namespace, files)
    await asyncio.to_thread(stack.kustomization, namespace, repository.url)
    await asyncio.to_thread(stack.until_applied, namespace)
    return f"/apps/Kustomization/{namespace}/app"


async def until_kinds(person: Person, app: str, wanted: set[str]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not wanted <= {node["kind"] for node in nodes}:
            nodes = (await person.get(f"{app}/tree"))["nodes"]
            await asyncio.sleep(0.05)
    return nodes


async def test_each_sees_and_does_what_the_cluster_lets_them(
    stack: Stack, namespace: str, app: str, tmp_path: Path
) -> None:
    async with people_of(stack, namespace, tmp_path) as people:
        viewer, operator, stranger, admin = people.viewer, people.operator, people.stranger, people.admin

        # lists
        listing = f"/apps?search=namespace:{namespace}"
        assert (await viewer.get(listing))["total"] == (await operator.get(listing))["total"] == 1
        assert (await viewer.get("/apps"))["total"] == 1  # none of another namespace
        for nobody in (stranger, admin):  # our admin is nobody to the cluster until it says otherwise
            assert (await nobody.get("/apps"))["total"] == 0
            assert (await nobody.get("/overview"))["total"] == 0
            assert await nobody.status("GET", app) == 404
            assert await nobody.status("POST", f"{app}/sync", {}) == 404
        assert len((await viewer.get("/repositories"))["items"]) == 1
        assert (await stranger.get("/repositories"))["items"] == []

        # the tree: what hangs below what may not be seen is not told of
        kinds = {node["kind"] for node in await until_kinds(operator, app, {"Deployment", "ReplicaSet", "Pod"})}
        assert {"Deployment", "ReplicaSet", "Pod", "Secret", "ConfigMap"} <= kinds
        assert {node["kind"] for node in await until_kinds(viewer, app, {"Deployment"})} == {"Deployment"}

        # single objects, logs and Events
        web = f"{app}/object?kind=Deployment&group=apps&name=web&namespace={namespace}"
        settings = f"{app}/object?kind=ConfigMap&name=settings&namespace={namespace}"
        assert (await viewer.get(web))["manifest"]["kind"] == "Deployment"
        assert await viewer.status("GET", settings) == 404
        assert (await operator.get(settings))["manifest"]["data"] == {"colour": "blue"}
        status, refused = await viewer.ask("PATCH", web, {"metadata": {"labels": {"by": "viewer"}}})
        assert (status, f'serviceaccount:{namespace}:viewer" cannot patch' in refused["detail"]) == (403, True)
        status, refused = await viewer.ask("POST", web.replace("/object?", "/object/actions?"), {"action": "restart"})
        assert status == 403, refused
        assert await viewer.status("GET", f"{app}/logs?download=true") == 403
        assert await viewer.status("GET", f"{app}/events") == 403
        assert await operator.status("GET", f"{app}/events") == 200
        assert await operator.status("PATCH", web, {"metadata": {"labels": {"by": "operator"}}}) == 200
        assert await operator.status("GET", f"{app}/logs?download=true") == 200

        # plans and the past
        plan = await operator.get(f"{app}/plan")
        assert {one["ref"]["kind"] for one in plan["objects"]} == {"Deployment", "ConfigMap", "Secret"}
        plan = await viewer.get(f"{app}/plan")
        assert {one["ref"]["kind"] for one in plan["objects"]} == {"Deployment"}
        assert sum(plan["counts"].values()) == 1
        record = (await viewer.get(f"{app}/history"))["items"][-1]["id"]
        assert {one["ref"]["kind"] for one in (await viewer.get(f"{app}/history/{record}"))["changes"]} == {
            "Deployment"
        }
        kept = (await viewer.get(f"{app}/history/{record}/manifests"))["items"]
        assert {one["ref"]["kind"] for one in kept} <= {"Deployment"}

        # changes of the App are the person's own
        status, refused = await viewer.ask("POST", f"{app}/sync", {})
        assert (status, "patch kustomizations.kustomize.toolkit.fluxcd.io app" in refused["hint"]) == (403, True)
        assert await operator.status("POST", f"{app}/sync", {}) == 202
        assert await operator.status("PUT", f"{app}/suspension", {"reason": "a test"}) == 202
        assert stack.api.get("kustomization", "app", namespace)["spec"]["suspend"] is True
        assert [entry.actor for entry in people.diary.entries if entry.action == "apps.suspend"] == [
            f"system:serviceaccount:{namespace}:operator"
        ]
        for person in (viewer, operator, stranger):
            assert await person.status("GET", "/audit") == 404


async def test_a_stream_tells_of_what_may_be_seen(stack: Stack, namespace: str, app: str, tmp_path: Path) -> None:
    async with people_of(stack, namespace, tmp_path) as people:
        heard: dict[str, str] = {"viewer": "", "stranger": ""}
        viewer_heard = asyncio.Event()

        async def listen(name: str, person: Person) -> None:
            headers = {"Authorization": f"Bearer {person.token}"}
            async with person.http.get(f"{BASE}/apps/events", headers=headers) as stream:
                while True:
                    heard[name] += (await stream.content.readuntil(b"\n\n")).decode()
                    if '"suspended":true' in heard["viewer"]:
                        viewer_heard.set()

        tasks = [
            asyncio.create_task(listen("viewer", people.viewer)),
            asyncio.create_task(listen("stranger", people.stranger)),
        ]
        async with asyncio.timeout(30):
            while not all("event: ready" in text for text in heard.values()):  # noqa: ASYNC110 both listen
                await asyncio.sleep(0.05)
            assert await people.operator.status("PUT", f"{app}/suspension", {"reason": "a change"}) == 202
            await viewer_heard.wait()
            await asyncio.sleep(0.5)  # two frames more, in which the other would have heard
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert namespace in heard["viewer"]
        assert namespace not in heard["stranger"]
