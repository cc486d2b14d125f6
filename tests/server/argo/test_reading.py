"""Applications as Argo CD's clients read and follow them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse

from tests.server.api.support import Served, serving
from tests.server.argo.kit import POLICY, NoCluster, NoController, application, world_of
from trueup.model.manifest import ref_of
from trueup.server.access.policy import policy_of
from trueup.server.argo.whole import operations
from trueup.server.world.trees import Trees
from trueup.server.world.world import World

FLUX = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "flux", "namespace": "shop", "uid": "k", "resourceVersion": "11"},
    "spec": {"interval": "1m", "path": "./", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "repo"}},
}


def a_world() -> World:
    return world_of(
        application("web", labels={"tier": "front"}, version=10, status={"sync": {"status": "Synced"}}),
        application("db", labels={"tier": "back"}, version=12, url="https://example.com/other"),
        application("ledger", project="bank", version=20),
        application("web", namespace="team", version=13),
        FLUX,
    )


@asynccontextmanager
async def served(world: World) -> AsyncIterator[Served]:
    async with serving(operations(world, NoCluster(), Trees(), NoController())) as one:
        one.authority.update(policy_of({"policy.csv": POLICY}), {})
        yield one


async def ask(one: Served, path: str, who: str = "ann") -> tuple[int, Any]:
    async with one.client.get("/api/v1" + path, headers={"X-User": who}) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["argocd/db", "argocd/web", "team/web"]),
        ("?selector=tier%3Dfront", ["argocd/web"]),
        ("?projects=bank", []),
        ("?projects=shop&projects=bank", ["argocd/db", "argocd/web", "team/web"]),
        ("?project=shop", ["argocd/db", "argocd/web", "team/web"]),
        ("?repo=https://example.com/other.git", ["argocd/db"]),
        ("?appNamespace=team", ["team/web"]),
        ("?name=db", ["argocd/db"]),
        ("?never=heard", ["argocd/db", "argocd/web", "team/web"]),
    ],
)
async def test_a_list_holds_the_applications_that_are_asked_for_and_may_be_seen(query: str, names: list[str]) -> None:
    async with served(a_world()) as one:
        status, body = await ask(one, "/applications" + query)
    assert status == 200
    assert [f"{i['metadata']['namespace']}/{i['metadata']['name']}" for i in body["items"] or ()] == names
    assert body["metadata"] == {"resourceVersion": "20"}


async def test_an_application_is_shown_as_it_is_with_its_status() -> None:
    async with served(a_world()) as one:
        status, body = await ask(one, "/applications/web")
        assert (status, body["kind"], body["status"]) == (200, "Application", {"sync": {"status": "Synced"}})
        _, body = await ask(one, "/applications/web?fields=metadata.name,status.sync")
        assert body == {"metadata": {"name": "web"}, "status": {"sync": {"status": "Synced"}}}
        _, body = await ask(one, "/applications?fields=items.metadata.name&appNamespace=team")
        assert body == {"items": [{"metadata": {"name": "web"}}]}


@pytest.mark.parametrize(
    "path", ["/applications/none", "/applications/ledger", "/applications/flux", "/applications/web?project=bank"]
)
async def test_what_is_not_there_and_what_may_not_be_seen_are_denied_in_the_same_words(path: str) -> None:
    async with served(a_world()) as one:
        answer = await ask(one, path)
    assert answer == (403, {"error": "permission denied", "code": 7, "message": "permission denied"})


async def test_whoever_may_see_and_not_change_is_told_which_right_is_missing() -> None:
    async with (
        served(a_world()) as one,
        one.client.delete("/api/v1/applications/web", headers={"X-User": "viewer"}) as answer,
    ):
        said = await answer.json()
        assert answer.status == 403
    assert said["message"] == "permission denied: applications, delete, shop/web, sub: viewer"


async def test_a_selector_that_is_none_is_refused_also_by_a_stream() -> None:
    async with served(a_world()) as one:
        for path in ("/applications", "/stream/applications"):
            status, said = await ask(one, path + "?selector=a+b+c")
            assert (status, said["code"]) == (400, 3)


async def told(answer: ClientResponse) -> tuple[str, str, str]:
    """The next change: of server-sent events or of lines."""
    async with asyncio.timeout(20):
        line = b""
        while b"result" not in line:
            line = await answer.content.readline()
    result = json.loads(line.removeprefix(b"data: "))["result"]
    obj = result["application"]
    return result["type"], obj["metadata"]["name"], obj["metadata"]["resourceVersion"]


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_stream_tells_what_there_is_and_each_version_that_follows(accept: str) -> None:
    world = a_world()
    headers = {"X-User": "ann", "Accept": accept}
    async with (
        served(world) as one,
        one.client.get("/api/v1/stream/applications?selector=tier", headers=headers) as answer,
    ):
        assert answer.content_type == accept
        assert [await told(answer), await told(answer)] == [("ADDED", "db", "12"), ("ADDED", "web", "10")]
        # the row of a list says the same, the resource does not
        newer = application("web", labels={"tier": "front"}, version=30, status={"sync": {"status": "Synced"}})
        world.seen(ref_of(newer), newer)
        assert await told(answer) == ("MODIFIED", "web", "30")
        secret = application("vault", project="bank", labels={"tier": "x"}, version=31)
        world.seen(ref_of(secret), secret)
        fresh = application("new", labels={"tier": "x"}, version=32)
        world.seen(ref_of(fresh), fresh)
        assert await told(answer) == ("ADDED", "new", "32")
        world.seen(ref_of(newer), None)
        assert await told(answer) == ("DELETED", "web", "30")
        moved = application("db", labels={}, version=33)
        world.seen(ref_of(moved), moved)
        assert (await told(answer))[:2] == ("DELETED", "db")


async def test_a_stream_from_a_version_on_begins_with_what_is_newer() -> None:
    async with served(a_world()) as one:
        url = "/api/v1/stream/applications?resourceVersion=12"
        async with one.client.get(url, headers={"X-User": "ann"}) as answer:
            assert await told(answer) == ("MODIFIED", "web", "13")
