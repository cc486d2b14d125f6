"""Repositories, templates and clusters changed at Argo CD's paths, in a real cluster's Secrets."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import Served, serving
from tests.server.argo.kit import NoController, world_of
from tests.server.keeping.test_placekeeping import OneClient
from trueup.apps.probe import Probe
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.model.manifest import Manifest
from trueup.server.access.policy import policy_of
from trueup.server.argo.whole import operations
from trueup.server.keeping.secretrows import fields_of
from trueup.server.world.trees import Trees

__all__ = ["embedded_cluster"]

POLICY = """
p, role:shop, repositories, *, shop/*, allow
p, role:shop, repositories, get, https://git.example.com/*, allow
g, ann, role:shop
g, boss, role:admin
"""
GIT = "https://git.example.com/shop/apps.git"


class Argo:
    def __init__(self, served: Served, client: KubeClient, namespace: str) -> None:
        self.served = served
        self.client = client
        self.namespace = namespace

    async def ask(self, method: str, path: str, body: Any = None, who: str = "boss") -> tuple[int, Any]:
        url = f"{self.served.url}/api/v1/{path}"
        from yarl import URL

        async with self.served.client.request(
            method, URL(url, encoded=True), json=body, headers={"X-User": who}
        ) as answer:
            return answer.status, await answer.json()

    async def secrets(self) -> list[Manifest]:
        resource = await self.client.discovery.resource("", "v1", "Secret")
        return await self.client.list_all(resource, self.namespace)


class Answering(NoController):
    async def probe(self, wish: Any) -> Probe:
        del wish
        return Probe(reachable=True)


@pytest.fixture
async def argo(embedded_cluster: Any) -> AsyncIterator[Argo]:
    namespace = f"argo-{uuid.uuid4().hex[:8]}"
    async with KubeClient(load_config(embedded_cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        world = world_of()
        world.control_namespace = namespace
        async with serving(operations(world, OneClient(client), Trees(), Answering())) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            yield Argo(served, client, namespace)


async def test_a_repository_goes_through_its_life_as_with_argo_cd(argo: Argo) -> None:
    body = {"repo": GIT, "username": "ci", "password": "canary", "githubAppID": "0", "connectionState": {}}
    status, made = await argo.ask("POST", "repositories", body)
    assert (status, made["repo"], made["type"]) == (200, GIT, "git")
    status, said = await argo.ask("POST", "repositories", body)
    assert (status, "upsert" in said["message"]) == (400, True)
    assert (await argo.ask("POST", "repositories?upsert=true", {**body, "password": "new"}))[0] == 200
    (secret,) = await argo.secrets()
    assert fields_of(secret)["password"] == "new"
    one = f"repositories/{quote(GIT, safe='')}"
    status, got = await argo.ask("GET", one)
    assert (status, got["repo"]) == (200, GIT)
    assert "canary" not in str(got)
    assert "new" not in got.values()
    # Without `.git`, and in other letters, it is the same one.
    assert (await argo.ask("GET", f"repositories/{quote(GIT[:-4].upper(), safe='')}"))[0] == 200
    assert (await argo.ask("PUT", one, {"repo": GIT, "proxy": "http://proxy"}))[0] == 200
    (secret,) = await argo.secrets()
    assert fields_of(secret) == {
        "url": GIT, "type": "git", "username": "ci", "password": "new", "proxy": "http://proxy",
    }  # fmt: skip
    assert (await argo.ask("DELETE", one)) == (200, {})
    assert await argo.secrets() == []
    assert (await argo.ask("GET", one))[0] == 403


async def test_rights_are_those_on_the_url_or_the_project(argo: Argo) -> None:
    status, said = await argo.ask("POST", "repositories", {"repo": GIT}, "ann")
    assert (status, said["message"]) == (403, f"permission denied: repositories, create, {GIT}, sub: ann")
    assert (await argo.ask("POST", "repositories", {"repo": GIT, "project": "shop"}, "ann"))[0] == 200
    assert (await argo.ask("POST", "repositories", {"repo": GIT}))[0] == 200  # one for everybody
    one = f"repositories/{quote(GIT, safe='')}"
    status, said = await argo.ask("DELETE", one, who="ann")
    assert (status, "several" in said["message"]) == (400, True)
    assert (await argo.ask("DELETE", f"{one}?appProject=shop", who="ann"))[0] == 200
    status, said = await argo.ask("DELETE", one, who="ann")
    assert (status, said["message"]) == (403, f"permission denied: repositories, delete, {GIT}, sub: ann")
    status, said = await argo.ask("DELETE", one, who="stranger")
    assert (status, said["message"]) == (403, "permission denied")


async def test_templates_are_apart_from_repositories(argo: Argo) -> None:
    template = {"url": "https://git.example.com/", "password": "canary"}
    assert (await argo.ask("POST", "repocreds", template))[0] == 200
    (secret,) = await argo.secrets()
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repo-creds"
    one = quote(template["url"], safe="")
    assert (await argo.ask("GET", f"repositories/{one}"))[0] == 403
    assert (await argo.ask("PUT", f"repocreds/{one}", {"url": template["url"], "username": "robot"}))[0] == 200
    assert (await argo.ask("GET", "repocreds"))[1]["items"][0]["url"] == template["url"]
    assert (await argo.ask("DELETE", f"repocreds/{one}"))[0] == 200


async def test_a_cluster_goes_through_its_life(argo: Argo) -> None:
    server = "https://10.0.0.1:6443"
    body = {
        "server": server, "name": "east", "labels": {"env": "prod"},
        "config": {"bearerToken": "canary", "tlsClientConfig": {"insecure": False, "caData": "TUlJ"}},
    }  # fmt: skip
    assert (await argo.ask("POST", "clusters", body, "ann"))[0] == 403
    status, made = await argo.ask("POST", "clusters", body)
    assert (status, made["name"], made["labels"]) == (200, "east", {"env": "prod"})
    one = f"clusters/{quote(server, safe='')}"
    assert (await argo.ask("GET", one))[1] == (await argo.ask("GET", "clusters/east?id.type=name"))[1]
    change = {"server": server, "labels": {"env": "test"}, "name": "ignored"}
    status, after = await argo.ask("PUT", f"{one}?updatedFields=labels", change)
    assert (status, after["name"], after["labels"]) == (200, "east", {"env": "test"})
    (secret,) = await argo.secrets()
    assert '"bearerToken":"canary"' in fields_of(secret)["config"]
    assert '"caData":"TUlJ"' in fields_of(secret)["config"]
    assert (await argo.ask("POST", f"{one}/invalidate-cache"))[0] == 200
    status, said = await argo.ask("POST", f"{one}/rotate-auth")
    assert (status, "kubectl create token" in str(said)) == (422, True)
    run = {"server": "https://x", "name": "x", "config": {"execProviderConfig": {"command": "aws"}}}
    assert (await argo.ask("POST", "clusters", run))[0] == 422
    assert (await argo.ask("DELETE", one)) == (200, {})
    assert (await argo.ask("GET", one))[0] == 403
    assert "canary" not in str(argo.served.diary.entries)
