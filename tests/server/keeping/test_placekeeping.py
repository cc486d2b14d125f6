"""Repositories and clusters registered, changed and forgotten over the API, in a real cluster's Secrets."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import Served, serving
from tests.server.argo.kit import world_of
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.server.access.policy import policy_of
from trueup.server.keeping import placekeeping
from trueup.server.keeping.places import Places
from trueup.server.keeping.places import operations as lists
from trueup.server.world.world import World

__all__ = ["embedded_cluster"]

POLICY = """
p, role:shop, repositories, *, shop/*, allow
p, role:shop, clusters, get, shop/*, allow
p, looker, repositories, get, *, allow
g, ann, role:shop
g, boss, role:admin
"""
BASE = "/api/trueup/v1"
BACKENDS = ["embedded_cluster", pytest.param("control_plane", marks=pytest.mark.real)]
pytestmark = pytest.mark.parametrize("backend", BACKENDS)


class OneClient:
    def __init__(self, client: KubeClient) -> None:
        self.client = client

    def of(self, caller: object) -> KubeClient:
        del caller
        return self.client


class Kept:
    """Served for a namespace of its own."""

    def __init__(self, served: Served, clients: OneClient, namespace: str) -> None:
        self.served = served
        self.clients = clients
        self.client = clients.client
        self.namespace = namespace

    async def ask(self, method: str, path: str, body: Any = None, who: str = "boss", **headers: str) -> tuple[int, Any]:
        sent = {"X-User": who, **headers}
        async with self.served.client.request(method, BASE + path, json=body, headers=sent) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None


@pytest.fixture
async def kept(backend: str, request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    cluster = request.getfixturevalue(backend)
    namespace = f"places-{uuid.uuid4().hex[:8]}"
    async with KubeClient(load_config(cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        world: World = world_of()
        world.control_namespace = namespace
        clients = OneClient(client)
        table = [
            *lists(Places(world, clients)),
            *placekeeping.operations(
                placekeeping.Keeping(placekeeping.REPOSITORIES, world, clients),
                placekeeping.Keeping(placekeeping.CLUSTERS, world, clients),
            ),
        ]
        async with serving(table) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            yield Kept(served, clients, namespace)


GIT = {"url": "https://git.example.com/shop/apps", "project": "shop", "username": "ci", "password": "canary"}


async def test_a_repository_is_registered_changed_and_forgotten(kept: Kept) -> None:
    status, dry = await kept.ask("POST", "/repositories?dryRun=true", GIT, "ann")
    assert (status, dry["row"]["project"]) == (201, "shop")
    assert "password: '********'" in dry["yaml"]
    assert (await kept.ask("GET", "/repositories", who="ann"))[1]["items"] == []
    status, made = await kept.ask("POST", "/repositories", GIT, "ann")
    assert (status, made["row"]["credentials"], made["deletable"]) == (201, ["password"], True)
    path = f"/repositories/{made['row']['secret']}"
    status, again = await kept.ask("POST", "/repositories", GIT, "ann")
    assert (status, again["reason"]) == (409, "Conflict")
    async with kept.served.client.get(BASE + path, headers={"X-User": "ann"}) as answer:
        version = answer.headers["ETag"]
    changed = {"url": GIT["url"], "project": "shop", "proxy": "http://proxy:3128"}
    status, after = await kept.ask("PUT", path, changed, "ann", **{"If-Match": version})
    assert (status, after["row"]["credentials"]) == (200, ["password"])
    assert "proxy: http://proxy:3128" in after["yaml"]
    assert (await kept.ask("PUT", path, changed, "ann", **{"If-Match": version}))[0] == 412
    assert (await kept.ask("DELETE", path, who="ann", **{"If-Match": version}))[0] == 412
    assert (await kept.ask("DELETE", path, who="ann"))[0] == 204
    assert (await kept.ask("GET", path, who="ann"))[0] == 404
    assert "canary" not in str(kept.served.diary.entries)
    told = [entry for entry in kept.served.diary.entries if entry.result == "succeeded"]
    assert [entry.action for entry in told] == [
        f"repositories.{verb}" for verb in ("create", "create", "update", "delete")
    ]
    assert (told[0].message, told[0].after) == ("dry run", "")
    assert [(bool(entry.before), bool(entry.after)) for entry in told[1:]] == [
        (False, True),
        (True, True),
        (True, False),
    ]


async def test_what_one_may_not_see_is_not_there_and_what_one_may_only_see_is_forbidden(kept: Kept) -> None:
    other = {"url": "https://git.example.com/bank/vault", "project": "bank"}
    assert (await kept.ask("POST", "/repositories", other, "ann"))[0] == 404
    _, made = await kept.ask("POST", "/repositories", other)
    path = f"/repositories/{made['row']['secret']}"
    for method, body in (("GET", None), ("PUT", other), ("DELETE", None)):
        status, hidden = await kept.ask(method, path, body, "ann")
        _, nothing = await kept.ask(method, "/repositories/none", body, "ann")
        assert status == 404
        assert hidden["detail"].replace(made["row"]["secret"], "none") == nothing["detail"]
    assert (await kept.ask("GET", path, who="looker"))[0] == 200
    assert (await kept.ask("DELETE", path, who="looker"))[0] == 403
    # Nor may a repository of one's own be made into another project's.
    _, own = await kept.ask("POST", "/repositories", GIT, "ann")
    moved = {"url": GIT["url"], "project": "bank"}
    assert (await kept.ask("PUT", f"/repositories/{own['row']['secret']}", moved, "ann"))[0] == 404


async def test_a_right_to_change_is_no_right_to_have_credentials_sent_elsewhere(kept: Kept) -> None:
    _, made = await kept.ask("POST", "/repositories", GIT, "ann")
    path = f"/repositories/{made['row']['secret']}"
    away = {"url": "https://elsewhere.example.com/apps", "project": "shop"}
    for query in ("", "?dryRun=true"):
        status, said = await kept.ask("PUT", path + query, away, "ann")
        assert (status, "another place" in said["detail"]) == (400, True)
    assert (await kept.ask("GET", path, who="ann"))[1]["row"]["url"] == GIT["url"]
    assert (await kept.ask("PUT", path, {**away, "username": "me", "password": "mine"}, "ann"))[0] == 200


async def test_secrets_of_other_sorts_and_of_git_are_not_touched(kept: Kept) -> None:
    async def make(name: str, labels: dict[str, str]) -> None:
        data = {"url": f"https://git.example.com/{name}"}
        metadata = {"name": name, "namespace": kept.namespace, "labels": labels}
        await kept.client.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})

    sort = {"argocd.argoproj.io/secret-type": "repository"}
    await make("plain", {})
    await make("written", sort)
    await make("declared", {**sort, "kustomize.toolkit.fluxcd.io/name": "infra"})
    assert (await kept.ask("GET", "/repositories/plain"))[0] == 404
    assert (await kept.ask("DELETE", "/clusters/written"))[0] == 404
    status, said = await kept.ask("DELETE", "/repositories/written")
    assert (status, "delete secret written" in said["hint"]) == (409, True)
    body = {"url": "https://git.example.com/declared"}
    for method in ("PUT", "DELETE"):
        status, said = await kept.ask(method, "/repositories/declared", body)
        assert (status, "declared in Git" in said["detail"]) == (409, True)
    assert (await kept.ask("PUT", "/repositories/written", {"url": "https://git.example.com/written"}))[0] == 200


class Meddling(KubeClient):
    """The API server's client, and somebody who makes another thing of a Secret just before it is deleted."""

    async def delete(self, resource: Any, name: str, namespace: str = "", **more: Any) -> Any:
        label = {"metadata": {"labels": {"argocd.argoproj.io/secret-type": None}}}
        await self.merge_patch(resource, name, namespace, label, manager="somebody")
        return await super().delete(resource, name, namespace, **more)


async def test_a_secret_that_became_another_thing_since_it_was_read_is_not_deleted(kept: Kept) -> None:
    _, made = await kept.ask("POST", "/repositories", GIT)
    name = made["row"]["secret"]
    async with Meddling(kept.client.config) as client:
        kept.clients.client = client
        assert (await kept.ask("DELETE", f"/repositories/{name}"))[0] == 409
    resource = await kept.client.discovery.resource("", "v1", "Secret")
    assert await kept.client.get(resource, name, kept.namespace) is not None


async def test_a_cluster_is_registered_changed_and_forgotten(kept: Kept) -> None:
    east = {"server": "https://10.0.0.1:6443", "name": "east", "bearerToken": "canary", "labels": {"env": "prod"}}
    assert (await kept.ask("POST", "/clusters", east, "ann"))[0] == 404
    status, made = await kept.ask("POST", "/clusters", east)
    assert (status, made["row"]["labels"]) == (201, {"env": "prod"})
    path = f"/clusters/{made['row']['secret']}"
    assert (await kept.ask("GET", path, who="ann"))[0] == 404
    status, bad = await kept.ask("PUT", path, {**east, "server": "10.0.0.1"})
    assert (status, "no URL" in bad["detail"]) == (400, True)
    status, bad = await kept.ask("PUT", path, {**east, "tokn": "x"})
    assert (status, "tokn" in bad["detail"]) == (400, True)
    status, after = await kept.ask("PUT", path, {"server": east["server"], "name": "east", "insecure": True})
    assert (after["row"]["credentials"], after["row"]["insecure"]) == (["token"], True)
    _, rows = await kept.ask("GET", "/clusters")
    assert {one["row"]["name"] for one in rows["items"]} == {"in-cluster", "east"}
    assert (await kept.ask("DELETE", path))[0] == 204
    assert "canary" not in str(kept.served.diary.entries)
