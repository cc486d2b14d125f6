"""The shared settings over the API: read, tried, changed, in a real cluster's ConfigMaps."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import Served, serving
from tests.server.keeping.test_placekeeping import OneClient
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.server.access.policy import policy_of
from trueup.server.keeping.settings import SettingsKeeping, operations

__all__ = ["embedded_cluster"]

PATH = "/api/trueup/v1/settings"
POLICY = "g, boss, role:admin\ng, ann, role:readonly\n"


class World:
    def __init__(self, served: Served, client: KubeClient, namespace: str) -> None:
        self.served = served
        self.client = client
        self.namespace = namespace

    async def ask(self, method: str, path: str, data: Any = None, who: str = "boss", **headers: str) -> tuple[int, Any]:
        body = None if data is None else {"data": data}
        sent = {"X-User": who, **headers}
        async with self.served.client.request(method, PATH + path, json=body, headers=sent) as answer:
            return answer.status, await answer.json()

    async def map(self, name: str) -> dict[str, Any]:
        found = await self.client.get(await self.client.discovery.resource("", "v1", "ConfigMap"), name, self.namespace)
        return (found or {}).get("data") or {}


@pytest.fixture
async def world(embedded_cluster: Any) -> AsyncIterator[World]:
    namespace = f"settings-{uuid.uuid4().hex[:8]}"
    async with KubeClient(load_config(embedded_cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name, data in (("argocd-cm", {"url": "https://a.example.com"}), ("argocd-rbac-cm", {"policy.csv": POLICY})):
            metadata = {"name": name, "namespace": namespace}
            await client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        keeping = SettingsKeeping(OneClient(client), namespace, lambda text: text)
        async with serving(operations(keeping)) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            yield World(served, client, namespace)


async def test_settings_are_read_by_whom_may_and_changed_key_by_key(world: World) -> None:
    assert (await world.ask("GET", "", who="stranger"))[0] == 404
    _, told = await world.ask("GET", "", who="ann")
    assert [one["name"] for one in told["items"]] == ["argocd-cm", "argocd-rbac-cm"]
    assert "policy.csv: |" in told["items"][1]["yaml"]
    assert (await world.ask("PATCH", "/argocd-cm", {"url": None}, "ann"))[0] == 403
    status, tried = await world.ask("PATCH", "/argocd-cm?dryRun=true", {"admin.enabled": "false"})
    assert (status, "admin.enabled: 'false'" in tried["yaml"]) == (200, True)
    assert await world.map("argocd-cm") == {"url": "https://a.example.com"}
    assert (await world.ask("PATCH", "/argocd-cm", {"admin.enabled": "false"}))[0] == 200
    assert await world.map("argocd-cm") == {"url": "https://a.example.com", "admin.enabled": "false"}
    assert (await world.ask("PATCH", "/argocd-cm", {"url": None}, **{"If-Match": '"1"'}))[0] == 412
    assert (await world.ask("GET", "/argocd-secret"))[0] == 404
    entry = [one for one in world.served.diary.entries if one.result == "succeeded"][-1]
    assert (entry.before, entry.after) == ("{}", '{"admin.enabled":"false"}')


async def test_a_policy_that_cannot_be_right_or_locks_its_author_out_is_refused(world: World) -> None:
    status, said = await world.ask("PATCH", "/argocd-rbac-cm", {"policy.csv": "p, role:x, nothing, get, *, allow"})
    assert (status, said["field"]) == (400, "body.data.policy.csv")
    without_me = {"policy.csv": "g, ann, role:admin\n"}
    status, said = await world.ask("PATCH", "/argocd-rbac-cm", without_me)
    assert (status, "lockOut=true" in said["hint"]) == (409, True)
    assert (await world.map("argocd-rbac-cm"))["policy.csv"] == POLICY
    assert (await world.ask("PATCH", "/argocd-rbac-cm?lockOut=true", without_me))[0] == 200


async def test_settings_that_are_declared_in_git_are_changed_there(world: World) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "infra", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    resource = await world.client.discovery.resource("", "v1", "ConfigMap")
    live = await world.client.get(resource, "argocd-cm", world.namespace)
    assert live is not None
    live["metadata"]["labels"] = labels
    await world.client.replace(live)
    status, said = await world.ask("PATCH", "/argocd-cm", {"url": "https://b.example.com"})
    assert (status, "flux-system/infra" in said["detail"]) == (409, True)


async def test_a_map_that_is_not_there_is_made(world: World) -> None:
    resource = await world.client.discovery.resource("", "v1", "ConfigMap")
    await world.client.delete(resource, "argocd-cm", world.namespace)
    assert (await world.ask("GET", "/argocd-cm"))[1]["settings"] == []
    assert (await world.ask("PATCH", "/argocd-cm", {"url": "https://b.example.com"}))[0] == 200
    assert await world.map("argocd-cm") == {"url": "https://b.example.com"}
