"""The controller's HTTP side, asked over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from trueup.server.http import Artifacts, Probes, make_app


@pytest.fixture
async def pushed() -> list[str]:
    return []


@pytest.fixture
async def url(pushed: list[str]) -> AsyncIterator[str]:
    async def on_push(repository: str) -> int:
        pushed.append(repository)
        return 1

    probes = Probes(alive=list, ready=lambda: ["no Lease yet"], metrics=lambda: b"trueup_leader 1.0\n")
    async for base in serve(make_app(probes, on_push=on_push, push_token="s3cret")):
        yield base


async def serve(app: web.Application) -> AsyncIterator[str]:
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


async def get(url: str) -> tuple[int, str]:
    async with ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_health_says_ok_and_readiness_says_what_is_missing(url: str) -> None:
    assert await get(f"{url}/healthz") == (200, "ok\n")
    assert await get(f"{url}/readyz") == (503, "no Lease yet\n")


async def test_metrics_are_given_as_they_are(url: str) -> None:
    assert await get(f"{url}/metrics") == (200, "trueup_leader 1.0\n")


@pytest.mark.parametrize(
    ("token", "body", "status"),
    [
        ("s3cret", b'{"url": "http://localhost/web.git"}', 202),
        ("wrong", b'{"url": "http://localhost/web.git"}', 401),
        ("", b'{"url": "http://localhost/web.git"}', 401),
        ("s3cret", b"not json", 400),
        ("s3cret", b'{"uri": "x"}', 400),
        ("s3cret", b'{"x":' + b"[" * 10_000, 400),
        ("s3cret", b"x" * 100_000, 413),
    ],
)
async def test_only_a_push_notice_with_the_token_wakes_a_source(
    url: str, pushed: list[str], token: str, body: bytes, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession() as session, session.post(f"{url}/hooks/push", data=body, headers=headers) as answer:
        assert answer.status == status
    assert pushed == (["http://localhost/web.git"] if status == 202 else [])


async def test_without_serve_artifacts_the_url_says_how_to_get_them(url: str) -> None:
    status, text = await get(f"{url}/artifacts/gitrepository/default/podinfo/abc.tar.gz")
    assert status == 404
    assert "--serve-artifacts" in text


async def test_an_artifact_is_served_by_its_path() -> None:
    async def open_artifact(path: str) -> bytes | None:
        return b"tar" if path == "gitrepository/default/podinfo/abc.tar.gz" else None

    probes = Probes(alive=list, ready=list, metrics=bytes)
    async for base in serve(make_app(probes, artifacts=Artifacts(open_artifact))):
        assert await get(f"{base}/artifacts/gitrepository/default/podinfo/abc.tar.gz") == (200, "tar")
        assert (await get(f"{base}/artifacts/gitrepository/default/podinfo/old.tar.gz"))[0] == 404
