"""A body that does not arrive in a request's time: the real server's answer, and nothing written."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane

BODY = b'{"metadata":{"name":"late"}}'
ANSWER = (
    '{"metadata":{},"status":"Failure","message":"Timeout: request did not complete within the allotted timeout",'
    '"reason":"Timeout","details":{},"code":504}\n'
)


async def answer_to_a_late_body(kubeconfig: Path, *, whole: bool) -> tuple[str, str]:
    """The status line and the body of the answer to a body of which half comes in time; and the `whole` at last, or never."""
    async with Server(kubeconfig) as server:
        url = urlsplit(server.url)
        path = "/api/v1/namespaces/default/configmaps"
        reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=server.tls)
        writer.write(
            f"POST {path}?timeout=1ms HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n".encode()
        )
        writer.write(BODY[:10])
        await writer.drain()
        for _ in range(5):  # requests of others, which take longer than that
            await server.send("GET", "/api/v1/pods")
        if whole:
            writer.write(BODY[10:])
            await writer.drain()
        async with asyncio.timeout(30):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.decode().lower().split("\r\n") if line.startswith("content-length: "))
            body = await reader.readexactly(int(length.removeprefix("content-length: ")))
        writer.close()
        status, _ = await server.send("GET", f"{path}/late")
        assert status == 404
        return head.decode().partition("\r\n")[0], body.decode()


@pytest.mark.parametrize("whole", [True, False])
async def test_a_body_that_comes_too_late_is_a_timeout(bare_embedded_cluster: EmbeddedCluster, whole: bool) -> None:
    found = await answer_to_a_late_body(bare_embedded_cluster.kubeconfig, whole=whole)
    assert found == ("HTTP/1.1 504 Gateway Timeout", ANSWER)


@pytest.mark.real
async def test_the_real_server_says_the_same(bare_control_plane: ControlPlane) -> None:
    """It answers when the body has come to its end."""
    found = await answer_to_a_late_body(bare_control_plane.kubeconfig, whole=True)
    assert found == ("HTTP/1.1 504 Gateway Timeout", ANSWER)
