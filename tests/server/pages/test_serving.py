"""Serving the pages: what a browser may keep, what it may run, and which addresses are pages."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from trueup.server.pages.document import BARE, document, import_map, pages_of, security_headers
from trueup.server.pages.files import STATIC, imported, page_file, read_files
from trueup.server.pages.serving import add_pages

FILES = read_files()
ROOT = f"/assets/{FILES.digest}"
AS_IT_IS = {"Accept-Encoding": "identity", "Accept": "text/html"}


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    add_pages(app, FILES)
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


async def test_every_address_of_a_page_answers_the_document(client: TestClient) -> None:
    for path in ("/", "/apps", "/apps/Kustomization/team-a/web", "/anything/deep?q=1"):
        answer = await client.get(path, headers=AS_IT_IS)
        assert answer.status == 200, path
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert '<div id="root">' in await answer.text()


async def test_addresses_of_the_api_are_no_pages(client: TestClient) -> None:
    for path in ("/api/trueup/v1/nothing", "/healthz", "/metrics", "/assets/old/main.js", "/hooks/x"):
        assert (await client.get(path, headers=AS_IT_IS)).status == 404, path


async def test_what_asks_for_no_html_gets_no_document(client: TestClient) -> None:
    assert (await client.get("/apps", headers={"Accept": "application/json"})).status == 404


async def test_a_file_is_kept_for_good_under_the_digest_of_its_release(client: TestClient) -> None:
    answer = await client.get(f"{ROOT}/main.js", headers=AS_IT_IS)
    assert answer.status == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("text/javascript")


async def test_a_module_of_another_release_is_not_given(client: TestClient) -> None:
    answer = await client.get("/assets/0123456789abcdef/main.js", headers=AS_IT_IS)
    assert answer.status == 404
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["../__init__.py", "%2e%2e/serving.py", "..%2f..%2fhttp.py", "vendor/README.md", "", "nothing.js"]
)
async def test_nothing_outside_the_served_files_is_given(client: TestClient, path: str) -> None:
    answer = await client.get(f"{ROOT}/{path}", headers={"Accept": "*/*"})
    assert answer.status == 404


async def test_a_browser_that_has_the_document_is_told_so(client: TestClient) -> None:
    first = await client.get("/", headers=AS_IT_IS)
    second = await client.get("/", headers={**AS_IT_IS, "If-None-Match": f'"other", {first.headers["ETag"]}'})
    assert second.status == 304
    assert await second.read() == b""


async def test_text_goes_compressed_to_who_takes_it(client: TestClient) -> None:
    zipped = await client.get(f"{ROOT}/css/parts.css", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    plain = await client.get(f"{ROOT}/css/parts.css", headers={"Accept-Encoding": "gzip;q=0"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(await zipped.read()) == await plain.read()
    again = await client.get(
        f"{ROOT}/css/parts.css", headers={"Accept-Encoding": "gzip", "If-None-Match": zipped.headers["ETag"]}
    )
    assert again.status == 304


async def test_head_is_answered_and_other_methods_are_refused(client: TestClient) -> None:
    assert (await client.head("/apps", headers=AS_IT_IS)).status == 200
    assert (await client.post("/apps")).status == 405


async def test_all_is_served_below_a_path_where_that_is_asked_for() -> None:
    app = web.Application()
    add_pages(app, FILES, base="/trueup")
    async with TestClient(TestServer(app)) as client:
        text = await (await client.get("/trueup/apps", headers=AS_IT_IS)).text()
        assert f'src="/trueup{ROOT}/main.js"' in text
        assert 'content="/trueup"' in text
        assert (await client.get(f"/trueup{ROOT}/main.js")).status == 200
        bare = await client.get("/trueup", allow_redirects=False)
        assert (bare.status, bare.headers["Location"]) == (307, "/trueup/")
        # A proxy that takes the path away asks without it, and its browser is told the whole one all the same.
        assert await (await client.get("/apps", headers=AS_IT_IS)).text() == text
        assert (await client.get(f"{ROOT}/main.js")).status == 200
        assert (await client.get("/trueup/api/nothing", headers=AS_IT_IS)).status == 404


def test_the_policy_allows_nothing_unsafe_and_no_other_host() -> None:
    policy = security_headers(FILES, "")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert policy.startswith("default-src 'none'")
    assert "require-trusted-types-for 'script'" in policy


def test_the_only_inline_script_is_the_import_map_that_the_policy_names() -> None:
    text = document(FILES, "").content.decode()
    inline = [
        body for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL) if body.strip()
    ]
    assert inline == [import_map(FILES, "")]
    digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in security_headers(FILES, "")["Content-Security-Policy"]
    assert " style=" not in text
    assert "<style" not in text
    assert not re.search(r"\son\w+=", text)


def test_the_document_preloads_each_module_of_the_beginning_once_and_no_other() -> None:
    text = document(FILES, "").content.decode()
    preloaded = re.findall(r'modulepreload" href="([^"]+)"', text)
    assert preloaded == [f"{ROOT}/{name}" for name in imported(FILES, "main.js", BARE)]
    assert f"{ROOT}/vendor/preact.mjs" in preloaded
    assert f"{ROOT}/lib/route.js" in preloaded
    assert f"{ROOT}/pages/design.js" not in preloaded, "what is imported when needed is not fetched before"


async def test_the_document_names_every_module_of_the_page_that_is_asked_for(client: TestClient) -> None:
    assert pages_of(FILES).keys() >= {"/", "/apps", "/apps/:kind/:namespace/:name"}
    for path, module in (("/", "overview"), ("/apps?q=web", "apps"), ("/apps/Kustomization/shop/web", "app")):
        text = await (await client.get(path, headers=AS_IT_IS)).text()
        for name in imported(FILES, f"pages/{module}.js", BARE):
            assert text.count(f'"modulepreload" href="{ROOT}/{name}"') == 1, (path, name)
    assert "pages/" not in (await (await client.get("/nothing/here", headers=AS_IT_IS)).text()).replace(
        "pages/sign-in", ""
    )


def test_every_row_of_the_entrys_table_is_found() -> None:
    assert len(pages_of(FILES)) == FILES.files["main.js"].content.decode().count('pattern: "')


def test_modules_are_found_however_small_they_were_written() -> None:
    assert "vendor/signals-core.mjs" in imported(FILES, "main.js", BARE)


def test_every_module_imports_what_is_there() -> None:
    for name, file in FILES.files.items():
        if name.endswith(".js"):
            for target in re.findall(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""", file.content.decode()):
                path = (STATIC / name).parent.joinpath(target).resolve().relative_to(STATIC.resolve()).as_posix()
                assert path in FILES.files, f"{name} imports {target}"


RESERVED = re.compile(r"(^|\.)example\.com$|^203\.0\.113\.\d+$")
"""Names and addresses that belong to nobody: RFC 2606 and 5737."""


def test_no_file_names_another_host() -> None:
    for name, file in FILES.files.items():
        if name.endswith((".js", ".css", ".html")):
            hosts = set(re.findall(r"https?://([\w.-]+)", file.content.decode()))
            hosts = {host for host in hosts if not RESERVED.search(host)}  # examples of what one may write
            allowed = {"html.spec.whatwg.org", "www.w3.org", "registry.example.com"}
            allowed |= {"dev.azure.com"} if name == "lib/forges.js" else set()  # where links to commits lead
            assert hosts <= allowed, f"{name}: {hosts - allowed}"


def test_a_changed_file_changes_the_digest_of_the_release(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "a.js").write_text("1")
    before = read_files(tmp_path).digest
    (tmp_path / "a.js").write_text("2")
    assert read_files(tmp_path).digest != before


def test_what_compression_makes_larger_goes_as_it_is() -> None:
    assert page_file(b"x" * 50, "text/plain").zipped is None
    assert page_file(hashlib.sha512(b"").digest() * 10, "text/plain").zipped is not None
