"""Watches and lists: where they begin, what they send, and when they end. Follows "Efficient detection of changes" in the API concepts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster


@pytest.fixture
async def server(bare_embedded_cluster: EmbeddedCluster, namespace_name: str) -> AsyncIterator[Server]:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
        yield server


class Watching:
    """One open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            line = await self._response.content.readline()
        found: dict[str, Any] = json.loads(line) if line else {}
        return found

    async def take(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


class Client:
    """Config maps of one namespace."""

    def __init__(self, server: Server, namespace: str) -> None:
        self.server = server
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"

    async def create(self, name: str, **labels: str) -> dict[str, Any]:
        status, made = await self.server.send("POST", self.path, {"metadata": {"name": name, "labels": labels}})
        assert status == 201, made
        return dict(made)

    async def label(self, name: str, **labels: str | None) -> dict[str, Any]:
        patch = {"metadata": {"labels": labels}}
        media = "application/merge-patch+json"
        status, made = await self.server.send("PATCH", f"{self.path}/{name}", patch, content_type=media)
        assert status == 200, made
        return dict(made)

    async def delete(self, name: str) -> None:
        status, answer = await self.server.send("DELETE", f"{self.path}/{name}")
        assert status == 200, answer

    async def version(self) -> str:
        _, listed = await self.server.send("GET", self.path)
        return str(listed["metadata"]["resourceVersion"])

    async def watch(self, query: str = "", accept: str = "application/json") -> Watching:
        assert self.server.session is not None
        response = await self.server.session.get(f"{self.path}?watch=true&{query}", headers={"Accept": accept})
        assert response.status == 200, await response.text()
        return Watching(response)


@pytest.fixture
def client(server: Server, namespace_name: str) -> Client:
    return Client(server, namespace_name)


async def test_a_watch_without_a_version_begins_with_what_there_is(client: Client) -> None:
    await client.create("a")
    watch = await client.watch()
    await client.create("b")
    assert await watch.take(2) == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_watch_from_a_version_sends_every_change_after_it(client: Client) -> None:
    await client.create("a")
    version = await client.version()
    await client.label("a", x="y")
    await client.create("b")
    await client.delete("a")
    watch = await client.watch(f"resourceVersion={version}")
    assert await watch.take(3) == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_a_deletion_carries_the_last_state_under_its_own_version(client: Client) -> None:
    made = await client.create("a", keep="me")
    watch = await client.watch(f"resourceVersion={made['metadata']['resourceVersion']}")
    await client.delete("a")
    event = await watch.next()
    assert event["object"]["metadata"]["labels"] == {"keep": "me"}
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


async def test_an_object_that_leaves_the_selection_is_deleted_to_it(client: Client) -> None:
    watch = await client.watch("labelSelector=app%3Dweb&resourceVersion=" + await client.version())
    await client.create("a", app="db")
    await client.label("a", app="web")
    await client.label("a", x="y")
    await client.label("a", app="db")
    events = [await watch.next() for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[2]["object"]["metadata"]["labels"]["app"] == "web"


async def test_streaming_lists_end_their_initial_events_with_a_bookmark(client: Client) -> None:
    await client.create("a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion="
    watch = await client.watch(query)
    assert await watch.take(1) == [("ADDED", "a")]
    bookmark = await watch.next()
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["kind"] == "ConfigMap"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) > 0


async def test_a_watch_ends_after_its_timeout(client: Client) -> None:
    watch = await client.watch("timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=" + await client.version())
    assert (await watch.next())["type"] == "BOOKMARK"
    assert await watch.next() == {}


async def test_a_version_of_the_future_is_refused(client: Client) -> None:
    status, answer = await client.server.send("GET", f"{client.path}?resourceVersion=99999999")
    assert (status, answer["reason"]) == (504, "Timeout")
    assert answer["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_pages_show_one_state_however_long_they_take(client: Client) -> None:
    for name in "abcde":
        await client.create(name)
    _, first = await client.server.send("GET", f"{client.path}?limit=2")
    assert [each["metadata"]["name"] for each in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    await client.delete("c")
    await client.create("bb")
    token = first["metadata"]["continue"]
    _, second = await client.server.send("GET", f"{client.path}?limit=2&continue={token}")
    assert [each["metadata"]["name"] for each in second["items"]] == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    token = second["metadata"]["continue"]
    _, third = await client.server.send("GET", f"{client.path}?limit=2&continue={token}")
    assert [each["metadata"]["name"] for each in third["items"]] == ["e"]
    assert "continue" not in third["metadata"]


async def test_a_list_can_be_asked_for_as_of_a_version(client: Client) -> None:
    await client.create("a")
    version = await client.version()
    await client.create("b")
    query = f"resourceVersion={version}&resourceVersionMatch="
    _, exact = await client.server.send("GET", f"{client.path}?{query}Exact")
    _, newer = await client.server.send("GET", f"{client.path}?{query}NotOlderThan")
    assert [each["metadata"]["name"] for each in exact["items"]] == ["a"]
    assert [each["metadata"]["name"] for each in newer["items"]] == ["a", "b"]


async def test_tables_are_watched_row_by_row(client: Client) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    await client.create("a")
    watch = await client.watch(accept=accept)
    first = await watch.next()
    assert first["object"]["kind"] == "Table"
    assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert first["object"]["rows"][0]["cells"][:2] == ["a", 0]
    await client.create("b")
    second = await watch.next()
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_metadata_alone_can_be_watched(client: Client) -> None:
    watch = await client.watch(accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
    await client.create("a")
    event = await watch.next()
    assert (event["object"]["kind"], event["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    assert set(event["object"]) == {"kind", "apiVersion", "metadata"}


async def test_a_watch_of_a_kind_ends_when_the_kind_is_not_served_any_more(server: Server, namespace_name: str) -> None:
    group = f"{namespace_name}.example.com"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": [version]}
    await server.send("POST", definitions, {"metadata": {"name": f"things.{group}"}, "spec": spec})
    assert server.session is not None
    response = await server.session.get(f"/apis/{group}/v1/things?watch=true")
    assert response.status == 200
    await server.send("DELETE", f"{definitions}/things.{group}")
    async with asyncio.timeout(10):
        assert await response.content.read() == b""


async def test_many_watches_see_each_change_once(client: Client) -> None:
    version = await client.version()
    watches = [await client.watch(f"resourceVersion={version}") for _ in range(50)]
    names = [f"m{number:02}" for number in range(20)]
    for name in names:
        await client.create(name)
    seen = await asyncio.gather(*(watch.take(20) for watch in watches))
    assert all(each == [("ADDED", name) for name in names] for each in seen)
