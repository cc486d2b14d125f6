"""Artifacts of other controllers: fetched when their digest is new, and never unpacked with another one."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.sources.helm.kit import packed, texts
from tests.sources.webserver import WebServer, web_server
from trueup.model.errors import InvalidInput, SourceError
from trueup.model.source import ExternalSource
from trueup.sources.archive import ArchiveRefused
from trueup.sources.contentstore import ContentStore
from trueup.sources.external import ExternalFetcher
from trueup.sources.gitcommand import Git
from trueup.sources.helm.pulling import DigestMismatch
from trueup.sources.http import DownloadTooLarge, HttpFetcher
from trueup.sources.secrets import NO_SECRETS, Granted

ONE = packed({"./deploy/app.yaml": "kind: ConfigMap\n"})


@pytest.fixture
async def fetcher(tmp_path: Path) -> AsyncIterator[ExternalFetcher]:
    async with HttpFetcher() as http:
        yield ExternalFetcher(ContentStore(tmp_path / "content", Git(allow_local=False)), http, Granted(b"k"))


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=ONE) if request.path == "/one.tar.gz" else web.Response(status=404)

    async with web_server(answer) as server:
        yield server


def artifact(server: WebServer, data: bytes = ONE, **more: object) -> ExternalSource:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    wanted = {"url": f"{server.url}/one.tar.gz", "revision": f"v1@{digest}", "digest": digest, **more}
    return ExternalSource(**wanted)  # type: ignore[arg-type]


async def test_an_artifact_is_fetched_once_while_its_digest_stays(fetcher: ExternalFetcher, server: WebServer) -> None:
    source = artifact(server, size=len(ONE))
    snapshot = await fetcher.fetch(source, NO_SECRETS)
    assert texts(snapshot) == {"deploy/app.yaml": "kind: ConfigMap\n"}
    assert str(snapshot.revision) == source.revision
    assert await fetcher.fetch(source, NO_SECRETS, known=snapshot) is snapshot
    again = await fetcher.reopen(source, NO_SECRETS, snapshot.revision)
    assert again is not None
    assert again.id == snapshot.id
    assert len(server.asked) == 1


async def test_a_revision_in_a_form_of_their_own_is_kept(fetcher: ExternalFetcher, server: WebServer) -> None:
    snapshot = await fetcher.fetch(artifact(server, revision="build 7"), NO_SECRETS)
    assert str(snapshot.revision) == "build 7"


async def test_other_bytes_than_promised_are_not_unpacked(fetcher: ExternalFetcher, server: WebServer) -> None:
    with pytest.raises(DigestMismatch):
        await fetcher.fetch(artifact(server, b"something else"), NO_SECRETS)


@pytest.mark.parametrize("digest", ["md5:0123", "sha256:", "", "blake3:00"])
async def test_a_digest_that_cannot_be_checked_is_refused(
    fetcher: ExternalFetcher, server: WebServer, digest: str
) -> None:
    with pytest.raises(InvalidInput, match="cannot be checked"):
        await fetcher.fetch(artifact(server, digest=digest), NO_SECRETS)
    assert server.asked == []


async def test_what_is_larger_than_it_says_is_given_up(fetcher: ExternalFetcher, server: WebServer) -> None:
    with pytest.raises(DownloadTooLarge):
        await fetcher.fetch(artifact(server, size=10), NO_SECRETS)


async def test_no_artifact_yet_is_waited_for(fetcher: ExternalFetcher) -> None:
    with pytest.raises(SourceError) as waited:
        await fetcher.fetch(ExternalSource(url="", revision="", digest=""), NO_SECRETS)
    assert waited.value.reason == "SourceNotReady"


async def test_an_artifact_that_is_gone_says_so(fetcher: ExternalFetcher, server: WebServer) -> None:
    with pytest.raises(SourceError, match="404"):
        await fetcher.fetch(artifact(server, url=f"{server.url}/two.tar.gz"), NO_SECRETS)


async def test_a_hostile_artifact_is_refused(tmp_path: Path, fetcher: ExternalFetcher) -> None:
    data = packed({"../../evil": "x"})

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data)

    async with web_server(answer) as server:
        with pytest.raises(ArchiveRefused):
            await fetcher.fetch(artifact(server, data), NO_SECRETS)
