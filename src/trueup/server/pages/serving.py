"""Answers requests for the pages: files under their digest, and the document for every address that a page has.

Only GET and HEAD; unknown addresses below `/api` and `/assets` are not pages and stay unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from trueup.server.pages.document import FILE_HEADERS, document, module_for, pages_of, security_headers
from trueup.server.pages.files import PageFile, PageFiles

FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
_NOT_PAGES = ("api", "auth", "assets", "healthz", "readyz", "metrics", "hooks", "artifacts")
_AT_ROOT = {"favicon.ico": "icon.svg", "favicon.svg": "icon.svg", "robots.txt": "robots.txt"}


def add_pages(app: web.Application, files: PageFiles, *, base: str = "") -> None:
    """Adds the routes; call it last, because every other address answers the document.

    `base` is a path without a slash at its end ("/trueup"), for a server behind a proxy that serves more.
    """
    pages = pages_of(files)
    documents = {module: document(files, base, module) for module in (None, *pages.values())}
    headers = security_headers(files, base)

    async def asset(request: web.Request) -> web.Response:
        file = files.files.get(request.match_info["path"])
        if request.match_info["digest"] != files.digest or file is None:
            # An older page asks for a module of its release. A newer one in its place could be another program.
            raise web.HTTPNotFound(
                text="no such file in this release; load the page again\n", headers={"Cache-Control": "no-store"}
            )
        return _answer(request, file, FOREVER, FILE_HEADERS)

    async def any_page(request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if (name := _AT_ROOT.get(path)) is not None:
            return _answer(request, files.files[name], ASK_AGAIN, FILE_HEADERS)
        if path.split("/", 1)[0] in _NOT_PAGES or not _wants_html(request):
            raise web.HTTPNotFound(text="no such address\n")
        return _answer(request, documents[module_for(pages, path)], ASK_AGAIN, headers)

    async def to_base(request: web.Request) -> web.Response:
        del request
        raise web.HTTPTemporaryRedirect(f"{base}/")

    # A proxy may ask by the address that the browser used, or take the base away before.
    for root in dict.fromkeys((base, "")):
        app.router.add_get(f"{root}/assets/{{digest}}/{{path:.+}}", asset)
    if base:
        app.router.add_get(base, to_base)
    for root in dict.fromkeys((base, "")):
        app.router.add_get(f"{root}/{{path:.*}}", any_page)


def _wants_html(request: web.Request) -> bool:
    accept = request.headers.get("Accept", "*/*")
    return "text/html" in accept or "*/*" in accept


def _answer(request: web.Request, file: PageFile, cache: str, headers: Mapping[str, str]) -> web.Response:
    given = {**headers, "ETag": file.etag, "Cache-Control": cache, "Vary": "Accept-Encoding"}
    if file.etag in [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=304, headers=given)
    zips = file.zipped is not None and _takes_gzip(request.headers.get("Accept-Encoding", ""))
    if zips:
        given["Content-Encoding"] = "gzip"
        given["ETag"] = f"W/{file.etag}"
    given["Content-Type"] = file.type
    return web.Response(body=file.zipped if zips else file.content, headers=given)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.split(","):
        name, _, parameters = part.strip().partition(";")
        if name.strip().lower() in ("gzip", "*"):
            return "q=0" not in parameters.replace(" ", "").split(";") and "q=0.0" not in parameters.replace(" ", "")
    return False
