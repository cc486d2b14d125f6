"""A registry that is down, slow, busy, wrong or hostile: a clear error in bounded time and memory, and recovery by itself."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import random
import re
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from tests.peers.registry import Registry, prepared_registry
from tests.sources.oci.kit import Kit, contents, oci, secret
from tests.sources.webserver import web_server
from tests.support.ocipush import MANIFEST, Layer, Pusher, digest_of, manifest_of, tar_gz
from trueup.model.errors import RefNotFound, SourceError
from trueup.sources.archive import ArchiveRefused
from trueup.sources.giterrors import Unreachable
from trueup.sources.http import DownloadTooLarge, FetchTimeout, HttpFetcher, RateLimited
from trueup.sources.oci.address import OciAddress
from trueup.sources.oci.client import RegistryClient
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.oci.errors import BlobMissing
from trueup.sources.oci.fetcher import OciFetcher, artifact_limits
from trueup.sources.oci.manifest import DigestMismatch, ManifestUnusable
from trueup.sources.secrets import NO_SECRETS, Granted, SourceSecrets

FILES = {"a": "1\n"}
LAYER = tar_gz(FILES)
BODY = manifest_of([Layer(LAYER)])


class Fake:
    """A registry that is right but for what a test changes. `on`: path ending -> answer."""

    def __init__(self, body: bytes = BODY, layer: bytes = LAYER) -> None:
        self.body, self.layer = body, layer
        self.on: dict[str, Callable[[web.Request], web.StreamResponse]] = {}
        self.stalls = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        for ending, made in self.on.items():
            if path.endswith(ending):
                return made(request)
        if self.stalls and self.stalls in path:
            await asyncio.Event().wait()
        if "/manifests/" in path:
            headers = {"Docker-Content-Digest": digest_of(self.body), "Content-Type": MANIFEST}
            return web.Response(body=self.body, headers=headers)
        if "/blobs/" in path:
            return web.Response(body=self.layer)
        return web.Response()

    def url(self, server_url: str) -> str:
        return f"oci://{server_url.removeprefix('http://')}/team/web"


async def failure(kit: Kit, fake: Fake, secrets: SourceSecrets = NO_SECRETS, **said: object) -> SourceError:
    async with web_server(fake.answer) as server:
        with pytest.raises(SourceError) as caught:
            await kit.fetch(oci(fake.url(server.url), **{"tag": "v1", **said}), secrets)
    return caught.value


async def test_the_fake_is_right_when_nothing_is_changed(kit: Kit) -> None:
    fake = Fake()
    async with web_server(fake.answer) as server:
        assert contents(await kit.fetch(oci(fake.url(server.url), tag="v1"))) == FILES


async def test_a_pull_is_three_requests_and_a_look_that_finds_nothing_new_is_one(kit: Kit) -> None:
    fake = Fake()
    digest = digest_of(BODY)
    async with web_server(fake.answer) as server:
        source = oci(fake.url(server.url), tag="v1")
        first = await kit.fetch(source)
        asked = [(one.method, one.path.removeprefix("/v2/team/web/")) for one in server.asked]
        assert asked == [
            ("GET", "/v2/"),  # whether this machine's registry speaks TLS, once
            ("HEAD", "manifests/v1"),
            ("GET", f"manifests/{digest}"),
            ("GET", f"blobs/{digest_of(LAYER)}"),
        ]
        server.asked.clear()
        assert await kit.fetch(source, known=first) is first
        assert [(one.method, one.path) for one in server.asked] == [("HEAD", "/v2/team/web/manifests/v1")]


@pytest.mark.parametrize("where", ["/manifests/", "/blobs/"])
async def test_a_registry_that_stalls_is_given_up(kit: Kit, where: str) -> None:
    fake = Fake()
    fake.stalls = where
    assert isinstance(await failure(kit, fake, timeout=timedelta(seconds=0.3)), FetchTimeout)


async def test_a_manifest_that_is_not_the_one_that_was_named_is_refused(kit: Kit) -> None:
    error = await failure(kit, Fake(), tag="", digest="sha256:" + "1" * 64)
    assert isinstance(error, DigestMismatch)
    assert digest_of(BODY) in str(error)


async def test_a_layer_that_is_not_the_one_that_the_manifest_names_is_refused_and_nothing_is_kept(kit: Kit) -> None:
    fake = Fake(layer=tar_gz({"a": "2\n"}))
    assert isinstance(await failure(kit, fake), DigestMismatch)
    assert list(kit.root.glob("spool/*")) == []


async def test_a_longer_layer_than_announced_is_refused(kit: Kit) -> None:
    error = await failure(kit, Fake(layer=LAYER + b"x"))
    assert isinstance(error, DigestMismatch)
    assert "more than the announced" in str(error)


async def test_a_layer_that_breaks_off_is_no_layer(kit: Kit) -> None:
    def half(request: web.Request) -> web.StreamResponse:
        return _Breaking(LAYER[: len(LAYER) // 2], len(LAYER))

    fake = Fake()
    fake.on[digest_of(LAYER)] = half
    assert isinstance(await failure(kit, fake), Unreachable)


class _Breaking(web.Response):
    """Announces more than it sends, and hangs up."""

    def __init__(self, body: bytes, announced: int) -> None:
        super().__init__(headers={"Content-Length": str(announced)})
        self._half = body

    async def write_eof(self, data: bytes = b"") -> None:
        await self.write(self._half)
        assert self._req is not None
        assert self._req.transport is not None
        self._req.transport.close()


async def test_a_layer_that_the_registry_lost_is_said(kit: Kit) -> None:
    fake = Fake()
    fake.on[digest_of(LAYER)] = lambda _: web.json_response({"errors": [{"code": "BLOB_UNKNOWN"}]}, status=404)
    assert isinstance(await failure(kit, fake), BlobMissing)


async def test_a_registry_without_digests_in_its_headers_is_asked_for_the_manifest(kit: Kit) -> None:
    fake = Fake()
    fake.on["/manifests/v1"] = lambda _: web.Response(body=BODY, content_type=MANIFEST)
    async with web_server(fake.answer) as server:
        snapshot = await kit.fetch(oci(fake.url(server.url), tag="v1"))
    assert str(snapshot.revision) == f"v1@{digest_of(BODY)}"


async def test_a_busy_registry_is_left_alone_for_as_long_as_it_says(kit: Kit) -> None:
    fake = Fake()
    fake.on["/manifests/v1"] = lambda _: web.Response(status=429, headers={"Retry-After": "600"})
    error = await failure(kit, fake)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 600


async def test_a_registry_that_answers_nonsense_is_named(kit: Kit) -> None:
    for body in (
        b"<html>",
        b"[]",
        b"{}",
        b'{"layers": [{"digest": "../../x"}]}',
        b'{"layers": 3}',
        b"\xff",
        b"[" * 100_000,
    ):
        error = await failure(kit, Fake(body=body))
        assert isinstance(error, ManifestUnusable), body
    fake = Fake()
    fake.on["/manifests/v1"] = lambda _: web.Response(status=500, text="x" * 10_000)
    error = await failure(kit, fake)
    assert "answers 500" in str(error)
    assert len(str(error)) < 500


async def test_a_manifest_without_end_is_not_read_to_its_end(kit: Kit) -> None:
    assert isinstance(await failure(kit, Fake(body=b" " * 5_000_000)), DownloadTooLarge)


async def test_a_layer_that_is_announced_too_large_is_not_begun(kit: Kit) -> None:
    rows = json.loads(BODY)
    rows["layers"][0]["size"] = 10**12
    fake = Fake(body=json.dumps(rows).encode())
    async with web_server(fake.answer) as server:
        with pytest.raises(DownloadTooLarge, match="is announced with"):
            await kit.fetch(oci(fake.url(server.url), tag="v1"))
    assert not any("/blobs/" in asked.path for asked in server.asked)


async def test_a_layer_comes_from_another_host_without_our_password(kit: Kit) -> None:
    fake = Fake()

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=LAYER)

    def guarded(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{storage.url}/blob?signature=1"})

    async with web_server(give) as storage, web_server(fake.answer) as server:
        fake.on[digest_of(LAYER)] = guarded
        fake.on["/manifests/v1"] = lambda request: (
            web.Response(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
            if "Authorization" not in request.headers
            else web.Response(body=BODY, headers={"Docker-Content-Digest": digest_of(BODY)}, content_type=MANIFEST)
        )
        secrets = SourceSecrets(auth=secret(username="u", password="p"))
        assert contents(await kit.fetch(oci(fake.url(server.url), tag="v1"), secrets)) == FILES
    assert [(asked.path, asked.authorization) for asked in storage.asked] == [("/blob?signature=1", "")]
    assert "Basic dTpw" in {asked.authorization for asked in server.asked}


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("../../etc/cron.d/x", tarfile.REGTYPE, r"'\.\.'"),
        ("/etc/passwd", tarfile.REGTYPE, "absolute"),
        ("dev", tarfile.CHRTYPE, "device"),
        ("hard", tarfile.LNKTYPE, "hard link"),
    ],
)
async def test_a_layer_that_reaches_outside_is_refused(kit: Kit, name: str, kind: bytes, said: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        header = tarfile.TarInfo(name)
        header.type, header.linkname = kind, "/etc/passwd"
        tar.addfile(header)
    layer = gzip.compress(out.getvalue())
    error = await failure(kit, Fake(manifest_of([Layer(layer)]), layer))
    assert isinstance(error, ArchiveRefused)
    assert re.search(said, str(error))


async def test_a_layer_that_is_a_decompression_bomb_is_refused(kit: Kit) -> None:
    layer = tar_gz({"zeros": bytes(60_000_000)})
    assert isinstance(await failure(kit, Fake(manifest_of([Layer(layer)]), layer)), ArchiveRefused)


async def test_the_next_page_of_tags_stays_in_the_repository(kit: Kit) -> None:
    fake = Fake()
    for link in ("</v2/other/tags/list>; rel=next", "<http://evil.example/v2/team/web/tags/list>; rel=next"):
        fake.on["/tags/list"] = lambda _, link=link: web.json_response({"tags": ["1.0.0"]}, headers={"Link": link})
        assert "somewhere else" in str(await failure(kit, fake, tag="", semver="*"))


async def test_pages_of_tags_without_end_do_end(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.sources.oci.client._MOST_TAGS", 50)
    fake = Fake()
    link = {"Link": "</v2/team/web/tags/list?last=x>; rel=next"}
    fake.on["/tags/list"] = lambda _: web.json_response({"tags": []}, headers=link)
    assert "more than 50 tags" in str(await failure(kit, fake, tag="", semver="*"))


@pytest.mark.real
async def test_a_registry_that_was_away_is_read_again(kit: Kit) -> None:
    with prepared_registry() as registry:
        source = oci(f"oci://{registry.host}/team/web", tag="v1")
        with pytest.raises(Unreachable):
            await kit.fetch(source)
        await registry.start()
        await Pusher(registry.url, "team/web").files("v1", FILES)
        first = await kit.fetch(source)
        await registry.child.kill()
        for max_age in (timedelta(0), timedelta(minutes=5)):  # an answer of before the failure is no answer after it
            with pytest.raises(Unreachable):
                await kit.fetch(source, known=first, max_age=max_age)
        await registry.start()
        assert await kit.fetch(source, known=first) is first
        await registry.stop()


@pytest.mark.real
async def test_a_tag_that_goes_away_is_missed_and_its_content_kept(kit: Kit, registry: Registry) -> None:
    pusher = Pusher(registry.url, "faults/gone")
    source = oci(f"oci://{registry.host}/faults/gone", tag="v1")
    digest = await pusher.files("v1", FILES)
    first = await kit.fetch(source)
    await pusher.delete(digest)
    with pytest.raises(RefNotFound):
        await kit.fetch(source, known=first)
    assert contents(first) == FILES


async def test_what_a_cloud_gives_is_shown_to_the_registry(tmp_path: Path) -> None:
    layer = tar_gz(FILES)
    body = manifest_of([Layer(layer)])

    class Cloud:
        async def registry(self, provider: str, address: OciAddress, secrets: SourceSecrets) -> RegistryLogin | None:
            return RegistryLogin(registry_token=f"of-{provider}")

    async with web_server(Fake(body, layer).answer) as server, HttpFetcher() as http:
        kit = Kit(tmp_path, http)
        kit.fetcher._clouds = Cloud()
        url = f"oci://{server.url.removeprefix('http://')}/team/web"
        await kit.fetch(oci(url, tag="v1", provider="aws"))
        asked = {one.authorization for one in server.asked if "team/web" in one.path}
        assert asked == {"Bearer of-aws"}


async def test_the_limit_of_an_artifact_is_one_that_can_be_set(tmp_path: Path) -> None:
    layer = tar_gz({f"f{number}": random.Random(number).randbytes(700_000) for number in range(4)})
    body = manifest_of([Layer(layer)])
    async with web_server(Fake(body, layer).answer) as server, HttpFetcher() as http:
        url = f"oci://{server.url.removeprefix('http://')}/team/web"
        for mebibytes, fits in ((2, False), (4, True)):
            kit = Kit(tmp_path / str(mebibytes), http)
            fetcher = OciFetcher(
                RegistryClient(http),
                kit.store,
                Granted(b"key"),
                tmp_path / "spool",
                limits=artifact_limits(mebibytes << 20),
            )
            fetch = fetcher.fetch(oci(url, tag="v1"), NO_SECRETS, known=None, max_age=timedelta(0))
            if fits:
                assert len((await fetch).listing("")) == 4
            else:
                with pytest.raises(ArchiveRefused, match="more than 2 MiB"):
                    await fetch
