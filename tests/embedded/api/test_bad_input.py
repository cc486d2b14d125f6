"""Bodies, paths and clients that nobody wishes for: the right refusal, and a server that goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server(bare_embedded_cluster: EmbeddedCluster) -> AsyncIterator[Server]:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        yield server
        assert (await server.send("GET", "/readyz"))[1] == "ok"


async def test_a_body_over_three_mebibytes_is_refused_by_its_size(server: Server) -> None:
    body = {"metadata": {"name": "large"}, "data": {"x": "y" * (3 * 1024 * 1024)}}
    status, answer = await server.send("POST", MAPS, body)
    assert (status, answer["reason"]) == (413, "RequestEntityTooLarge")
    assert answer["message"] == "Request entity too large: limit is 3145728"


async def test_an_object_over_the_data_limit_is_invalid(server: Server) -> None:
    status, answer = await server.send(
        "POST", MAPS, {"metadata": {"name": "large"}, "data": {"x": "y" * (1024 * 1024 + 1)}}
    )
    assert (status, answer["reason"]) == (422, "Invalid")
    assert "Too long: may not be more than 1048576 bytes" in answer["message"]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_endless_nesting_is_a_bad_request(server: Server, opening: bytes) -> None:
    status, answer = await server.send("POST", MAPS, opening * 200_000)
    assert (status, answer["reason"]) == (400, "BadRequest")


async def test_a_yaml_bomb_is_a_bad_request(server: Server) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]" for n in range(12)]
    status, answer = await server.send("POST", MAPS, "\n".join(lines).encode(), content_type="application/yaml")
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert "excessive aliasing" in answer["message"]


@pytest.mark.parametrize(
    "path",
    [
        f"{MAPS}/%00",
        f"{MAPS}/%2e%2e%2f%2e%2e%2fsecrets",
        f"{MAPS}/{'x' * 5000}",
        "/api/v1/namespaces/%ff/pods",
        "/apis/%F0%9F%92%A5/v1/x",
    ],
)
async def test_odd_paths_find_nothing(server: Server, path: str) -> None:
    status, _ = await server.send("GET", path)
    assert status in (400, 404, 200)
    if status == 200:
        assert "pods" in path  # a list of a namespace that does not exist is empty, as on the real server


@pytest.mark.parametrize(
    "selector",
    ["a=b=c", "((((", "a in (", "!", "a,,b", "\u0000", "x" * 70, ",".join(["a"] * 5000)],
    ids=range(8),
)
async def test_hostile_selectors_are_bad_requests_or_match_nothing(server: Server, selector: str) -> None:
    assert server.session is not None
    async with server.session.get(MAPS, params={"labelSelector": selector}) as response:
        assert response.status in (200, 400)
        answer: Any = await response.json()
    assert answer["kind"] in ("ConfigMapList", "Status")


async def test_a_protobuf_body_that_is_none_is_a_bad_request(server: Server) -> None:
    for raw in (
        b"",
        b"k8s\x00",
        b"k8s\x00\xff\xff\xff\xff",
        b"k8s\x00\n\x80",
        b"\x00" * 64,
        b"k8s\x00" + b"\x12\xff\xff\xff\xff\x0f",
    ):
        status, answer = await server.send("POST", MAPS, raw, content_type="application/vnd.kubernetes.protobuf")
        assert (status, answer["reason"]) == (400, "BadRequest"), raw


async def test_a_field_whose_name_no_header_can_hold_breaks_no_connection(server: Server) -> None:
    """Its warning is left out, as by the real server."""
    body = {"metadata": {"name": "odd"}, "a\x14b": 1, "known\x7f": 2, "plain": 3}
    path = f"{MAPS}?dryRun=All&fieldValidation=Warn"
    assert server.session is not None
    async with server.session.post(path, json=body) as answer:
        assert answer.status == 201
        assert answer.headers.getall("Warning") == ['299 - "unknown field \\"plain\\""']


async def test_clients_that_never_read_cost_no_memory_and_stop_nobody(
    bare_embedded_cluster: EmbeddedCluster, server: Server
) -> None:
    """Each deaf watch is a place in a bounded history, not a queue."""
    assert server.session is not None
    deaf = [await server.session.get(f"{MAPS}?watch=true") for _ in range(30)]
    before = _resident(bare_embedded_cluster.pid)
    filler = "z" * 200_000
    for number in range(150):
        body = {"metadata": {"name": "filled"}, "data": {"n": str(number), "x": filler}}
        method, path = ("POST", MAPS) if number == 0 else ("PUT", f"{MAPS}/filled")
        status, answer = await server.send(method, path, body)
        assert status in (200, 201), answer
    grown = _resident(bare_embedded_cluster.pid) - before
    assert grown < 150 * 1024 * 1024, f"{grown / 1e6:.0f} MB"
    for response in deaf:
        response.close()
    assert (await server.send("DELETE", f"{MAPS}/filled"))[0] == 200


def _resident(pid: int) -> int:
    with Path(f"/proc/{pid}/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


async def test_a_thousand_idle_watches_leave_room_for_a_write(server: Server, namespace_name: str) -> None:
    assert server.session is not None
    path = f"/api/v1/namespaces/{namespace_name}/configmaps"
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
    server.session.connector._limit = 0  # type: ignore[union-attr]
    watches = [await server.session.get(f"{path}?watch=true&resourceVersion=0") for _ in range(1000)]
    async with asyncio.timeout(20):
        status, _ = await server.send("POST", path, {"metadata": {"name": "a"}})
        assert status == 201
        lines = await asyncio.gather(*(watch.content.readline() for watch in watches))
    assert {json.loads(line)["object"]["metadata"]["name"] for line in lines} == {"a"}
    for watch in watches:
        watch.close()
