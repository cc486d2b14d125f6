"""The outgoing client is bounded in size and time, and gives credentials to nobody but the host that they are for."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from tests.peers.certs import Authority
from tests.sources.webserver import web_server
from trueup.model.errors import InvalidInput, SourceError
from trueup.sources.giterrors import CertificateUntrusted, Unreachable
from trueup.sources.http import (
    AddressRefused,
    DownloadTooLarge,
    FetchTimeout,
    HttpFetcher,
    HttpLimits,
    RateLimited,
    Request,
    shown,
)
from trueup.sources.httpaccess import HttpAccess, http_access, read_proxy


def answering(status: int = 200, body: bytes = b"", **headers: str):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return handler


async def test_an_answer_comes_with_its_status_headers_body_and_digest() -> None:
    async with web_server(answering(404, b"nothing", ETag='"1"')) as server, HttpFetcher() as http:
        answer = await http.fetch(Request(url=f"{server.url}/x"))
    assert (answer.status, answer.body, answer.header("etag")) == (404, b"nothing", '"1"')
    assert answer.digest == f"sha256:{hashlib.sha256(b'nothing').hexdigest()}"


async def test_a_download_is_hashed_while_it_is_written() -> None:
    body = b"x" * 300_000
    target = io.BytesIO()
    async with web_server(answering(200, body)) as server, HttpFetcher() as http:
        got = await http.download(Request(url=server.url), target)
    assert (got.size, target.getvalue()) == (300_000, body)
    assert got.digest == f"sha256:{hashlib.sha256(body).hexdigest()}"


async def test_of_an_error_nothing_is_written() -> None:
    target = io.BytesIO()
    async with web_server(answering(500, b"oops")) as server, HttpFetcher() as http:
        got = await http.download(Request(url=server.url), target)
    assert (got.status, target.getvalue()) == (500, b"")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_beyond_the_limit_ends_the_download(announced: bool) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Length": str(10**9)} if announced else {})
        await response.prepare(request)
        for _ in range(1000):
            await response.write(bytes(100_000))
            sent += 100_000
        return response

    target = io.BytesIO()
    async with web_server(handler) as server, HttpFetcher() as http:
        with pytest.raises(DownloadTooLarge, match="larger than 1 MiB"):
            await http.download(Request(url=server.url, limits=HttpLimits(size=1024 * 1024)), target)
    assert len(target.getvalue()) <= 1024 * 1024
    assert sent < 50_000_000


@pytest.mark.parametrize("where", ["before the answer", "inside the body"])
async def test_a_host_that_falls_silent_is_given_up(where: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if where == "inside the body":
            await response.prepare(request)
            await response.write(b"x")
        await asyncio.Event().wait()
        return response

    limits = HttpLimits(stall=timedelta(seconds=0.2))
    async with web_server(handler) as server, HttpFetcher() as http:
        with pytest.raises(FetchTimeout, match=r"silent for 0\.2 s"):
            await http.fetch(Request(url=server.url, limits=limits))


async def test_a_host_that_drips_is_given_up_when_the_whole_time_is_over() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    limits = HttpLimits(total=timedelta(seconds=0.3))
    async with web_server(handler) as server, HttpFetcher() as http:
        with pytest.raises(FetchTimeout, match=r"longer than 0\.3 s"):
            await http.fetch(Request(url=server.url, limits=limits))


async def test_an_answer_that_breaks_off_is_no_answer() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    async with web_server(handler) as server, HttpFetcher() as http:
        with pytest.raises(Unreachable, match="broke off"):
            await http.fetch(Request(url=server.url))


async def test_credentials_and_certificate_do_not_follow_a_redirect_to_another_host(tmp_path: Path) -> None:
    authority = Authority()
    mine = authority.client("me")
    access = HttpAccess(ca=authority.keys.certificate, certificate=mine.certificate, key=mine.key)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        web_server(answering(200, b"blob"), authority=authority, folder=tmp_path / "a", clients=True) as other,
        web_server(
            answering(307, Location=f"{other.url}/blob?signature=secret"),
            authority=authority, folder=tmp_path / "b", clients=True,
        ) as first,
        HttpFetcher() as http,
    ):  # fmt: skip
        answer = await http.fetch(Request(url=f"{first.url}/x", authorization="Bearer secret", access=access))
    assert answer.body == b"blob"
    assert [(asked.authorization, asked.certificate) for asked in first.asked] == [("Bearer secret", True)]
    assert [(asked.path, asked.authorization, asked.certificate) for asked in other.asked] == [
        ("/blob?signature=secret", "", False)
    ]


async def test_credentials_do_follow_a_redirect_on_the_same_host() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/b"}) if request.path == "/a" else web.Response()

    async with web_server(handler) as server, HttpFetcher() as http:
        await http.fetch(Request(url=f"{server.url}/a", authorization="Basic x"))
    assert [(asked.path, asked.authorization) for asked in server.asked] == [("/a", "Basic x"), ("/b", "Basic x")]


async def test_https_never_leads_to_http(tmp_path: Path) -> None:
    authority = Authority()
    async with (
        web_server(answering(302, Location="http://127.0.0.1:1/x"), authority=authority, folder=tmp_path) as server,
        HttpFetcher() as http,
    ):
        with pytest.raises(AddressRefused, match="from https to http"):
            await http.fetch(Request(url=server.url, access=HttpAccess(ca=authority.keys.certificate)))


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://user:pw@127.0.0.1:1/", "gopher://x/", "http://"])
async def test_a_redirect_leads_to_plain_http_urls_only(location: str) -> None:
    async with web_server(answering(302, Location=location)) as server, HttpFetcher() as http:
        with pytest.raises((AddressRefused, SourceError)) as refusal:
            await http.fetch(Request(url=server.url))
    assert "pw" not in str(refusal.value)


async def test_redirects_in_a_circle_end() -> None:
    async with web_server(answering(302, Location="/again")) as server, HttpFetcher() as http:
        with pytest.raises(AddressRefused, match="more than 10 times"):
            await http.fetch(Request(url=server.url))
    assert len(server.asked) == 10


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "224.0.0.1",
    ],
)
async def test_metadata_services_are_never_connected_to(address: str) -> None:
    async with HttpFetcher() as http:
        with pytest.raises(AddressRefused, match="where no source is"):
            await http.fetch(Request(url=f"http://{address}/latest/meta-data"))
        async with web_server(answering(302, Location=f"http://{address}/")) as server:
            with pytest.raises(AddressRefused, match="where no source is"):
                await http.fetch(Request(url=server.url))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_this_machine_is_refused_where_sources_may_not_name_it(name: str) -> None:
    async with web_server(answering()) as server, HttpFetcher(allow_loopback=False) as http:
        port = server.url.rpartition(":")[2]
        with pytest.raises(SourceError, match=r"this machine|refused"):
            await http.fetch(Request(url=f"http://{name}:{port}/"))
    assert server.asked == []


async def test_a_busy_host_is_asked_again_when_it_says() -> None:
    waits: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=200 if len(waits) == 1 else 429, headers={"Retry-After": "7"})

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with web_server(handler) as server, HttpFetcher(sleep=sleep) as http:
        assert (await http.fetch(Request(url=server.url))).status == 200
    assert waits == [7]


@pytest.mark.parametrize("said", ["3600", "Fri, 27 Nov 2026 13:00:00 GMT"])
async def test_a_host_that_wants_to_be_left_alone_for_long_is(said: str) -> None:
    headers = {"Retry-After": said, "Date": "Fri, 27 Nov 2026 12:00:00 GMT"}
    async with web_server(answering(429, **headers)) as server, HttpFetcher() as http:
        with pytest.raises(RateLimited, match="3600 s") as limited:
            await http.fetch(Request(url=server.url))
    assert limited.value.retry_after == 3600
    assert len(server.asked) == 1


async def test_a_server_error_is_tried_three_times_and_then_the_answer() -> None:
    async def sleep(seconds: float) -> None: ...

    async with web_server(answering(503, b"down")) as server, HttpFetcher(sleep=sleep) as http:
        assert (await http.fetch(Request(url=server.url))).status == 503
    assert len(server.asked) == 3


async def test_an_unknown_authority_is_not_trusted_until_it_is_given(tmp_path: Path) -> None:
    authority = Authority()
    async with web_server(answering(), authority=authority, folder=tmp_path) as server, HttpFetcher() as http:
        with pytest.raises(CertificateUntrusted, match=r"cannot be trusted"):
            await http.fetch(Request(url=server.url))
        access = http_access({"ca.crt": authority.keys.certificate})
        assert (await http.fetch(Request(url=server.url, access=access))).status == 200


async def test_nobody_there_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with HttpFetcher() as http:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await http.fetch(Request(url=f"http://127.0.0.1:{port}"))


async def test_a_proxy_of_the_source_is_used_with_its_password() -> None:
    seen: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((str(request.url), request.headers.get("Proxy-Authorization", "")))
        return web.Response(body=b"through")

    async with web_server(handler) as server, HttpFetcher() as http:
        proxy = {"address": server.url.encode(), "username": b"u", "password": b"p"}
        answer = await http.fetch(Request(url="http://registry.invalid/v2/", access=http_access(proxy=proxy)))
    assert answer.body == b"through"
    assert seen[0][1] == "Basic dTpw"


async def test_a_proxy_tunnels_tls_and_the_host_behind_it_is_the_one_that_is_trusted(tmp_path: Path) -> None:
    asked: list[bytes] = []
    authority = Authority()

    async with web_server(answering(200, b"through"), authority=authority, folder=tmp_path) as server:
        port = int(server.url.rpartition(":")[2])

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            to, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

            async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(4096):
                    target.write(data)
                target.close()

            await asyncio.gather(carry(reader, back), carry(to, writer), return_exceptions=True)

        proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}".encode()
        access = http_access(
            {"ca.crt": authority.keys.certificate}, {"address": address, "username": b"u", "password": b"p"}
        )
        async with HttpFetcher() as http:
            answer = await http.fetch(Request(url="https://localhost:1/x", authorization="Bearer mine", access=access))
            assert answer.body == b"through"
            with pytest.raises(CertificateUntrusted):
                await http.fetch(Request(url="https://elsewhere.example:1/x", access=access))
        proxy.close()
    assert asked[0].startswith(b"CONNECT localhost:1 ")
    assert b"Proxy-Authorization: Basic dTpw" in asked[0]
    assert b"mine" not in asked[0]
    assert [one.authorization for one in server.asked] == ["Bearer mine"]


def test_what_people_read_holds_no_secret() -> None:
    access = HttpAccess(key=b"SECRET", proxy=read_proxy({"address": b"http://u:SECRET@proxy:1", "password": b"SECRET"}))
    request = Request(url="https://u:SECRET@host/x?sig=SECRET", authorization="SECRET", access=access)
    assert "SECRET" not in repr(request) + repr(access) + repr(access.proxy) + shown(request.url)


def test_equal_access_has_an_equal_fingerprint_under_one_key() -> None:
    access = HttpAccess(ca=b"a")
    assert access.fingerprint(b"k") == HttpAccess(ca=b"a").fingerprint(b"k")
    assert access.fingerprint(b"k") != msgspec.structs.replace(access, ca=b"b").fingerprint(b"k")
    assert access.fingerprint(b"k") != access.fingerprint(b"other")


@pytest.mark.parametrize(
    ("certificates", "proxy", "named"),
    [
        ({}, None, "ca.crt"),
        ({"tls.crt": b"x"}, None, "tls.key"),
        (None, {}, "address"),
        (None, {"address": b"socks5://x:1"}, "socks5"),
        (None, {"address": b"nonsense"}, "address"),
    ],
)
def test_a_wrong_secret_is_named_by_its_key(
    certificates: dict[str, bytes] | None, proxy: dict[str, bytes] | None, named: str
) -> None:
    with pytest.raises(InvalidInput, match=named):
        http_access(certificates, proxy)


async def test_certificates_that_are_none_are_named() -> None:
    async with HttpFetcher() as http:
        for access in (HttpAccess(ca=b"nonsense"), HttpAccess(certificate=b"nonsense", key=b"nonsense")):
            with pytest.raises(InvalidInput, match="PEM"):
                await http.fetch(Request(url="https://127.0.0.1:1", access=access))
