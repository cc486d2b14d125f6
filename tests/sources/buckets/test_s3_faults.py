"""Object stores that stall, send us elsewhere, or are none."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web
from msgspec import structs

from tests.sources.buckets.kit import Fetching
from tests.sources.webserver import Handler, WebServer, web_server
from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.model.source import BucketSource
from trueup.sources.buckets import s3
from trueup.sources.buckets.objects import BucketRefused
from trueup.sources.http import AddressRefused, FetchTimeout
from trueup.sources.secrets import SecretData, SourceSecrets

KEYS = SourceSecrets(auth=SecretData("Opaque", {"accesskey": b"me", "secretkey": b"my-secret-key"}))


async def fetch(fetching: Fetching, endpoint: str) -> None:
    source = BucketSource(provider="generic", bucket="shop", endpoint=endpoint, insecure=True, region="eu-1")
    await fetching.fetcher.fetch(source, KEYS)


async def asked(fetching: Fetching, answer: Handler) -> tuple[WebServer, SourceError]:
    async with web_server(answer) as server:
        with pytest.raises(SourceError) as told:
            await fetch(fetching, server.url.removeprefix("http://"))
        assert "my-secret-key" not in str(told.value)
        return server, told.value


async def test_a_store_that_stalls_is_given_up(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "STALL_SECONDS", 0.1)
    stalled = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        await stalled.wait()
        return web.Response()

    _, told = await asked(fetching, stall)
    assert isinstance(told, FetchTimeout)


async def test_a_redirect_is_not_followed(fetching: Fetching) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"http://localhost:{request.url.port}/stolen")

    server, _ = await asked(fetching, elsewhere)
    assert not [one.path for one in server.asked if "stolen" in one.path]


@pytest.mark.parametrize("body", ["<html>hello</html>", "", "<ListBucketResult><Contents></ListBucketResult>"])
async def test_what_is_no_object_store_says_so(fetching: Fetching, body: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "sourceignore" in request.path:
            error = "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>"
            return web.Response(status=404, text=error, content_type="application/xml")
        return web.Response(text=body, content_type="application/xml")

    await asked(fetching, answer)


async def test_a_listing_without_an_end_is_given_up(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_LARGEST_ANSWER", 100_000)
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000:
                await response.write(b"<Key>" * 1000)
                sent += 5000
        return response

    _, told = await asked(fetching, flood)
    assert isinstance(told, BucketRefused)
    assert sent < 50_000_000


async def test_a_proxy_is_used_with_its_login(fetching: Fetching) -> None:
    logins: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        logins.append(request.headers.get("Proxy-Authorization", ""))
        return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")

    async with web_server(answer) as server:
        proxy = SecretData("Opaque", {"address": server.url.encode(), "username": b"me", "password": b"pw"})
        source = BucketSource(
            provider="generic", bucket="shop", endpoint="nowhere.invalid", insecure=True, region="eu-1"
        )
        with pytest.raises(AuthenticationFailed):
            await fetching.fetcher.fetch(source, structs.replace(KEYS, proxy=proxy))
    assert logins[0] == "Basic bWU6cHc="


async def test_a_metadata_service_is_no_object_store(fetching: Fetching) -> None:
    with pytest.raises(AddressRefused, match="link-local"):
        await fetch(fetching, "169.254.169.254")


@pytest.mark.parametrize("name", ["x", "a..b", "192.168.1.1"])
async def test_a_name_that_no_bucket_has_is_refused(fetching: Fetching, name: str) -> None:
    with pytest.raises(InvalidInput, match="no bucket's name"):
        await fetching.fetcher.fetch(BucketSource(provider="generic", bucket=name, endpoint="127.0.0.1:1"), KEYS)
