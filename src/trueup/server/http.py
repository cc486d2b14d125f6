"""The controller's small HTTP side: health, metrics, the push hook and artifacts. API, login and pages come beside it.

It is handed functions, so that it knows nothing of controllers. aiohttp serves it because the client side needs aiohttp
anyway; the choice for the large API is made where that is built.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from msgspec import Struct

from trueup.server.internal import Internal, add_internal
from trueup.server.webhooks.handling import nobody, webhook_handler
from trueup.server.webhooks.receiver import Receiver
from trueup.sources.foreignjson import NotReadable, read_json

log = structlog.get_logger(__name__)

ARTIFACT_HINT = (
    "This controller does not serve artifacts: it reads sources itself.\n"
    "Start it with --serve-artifacts to offer a tarball of each revision here.\n"
)
HOOK_LIMIT = 64 * 1024
"""Bytes of a hook's body; larger ones are refused unread."""


class Push(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a push notice: the repository's URL as clients clone it."""

    url: str


class Probes(Struct, frozen=True):
    """`alive` and `ready` answer what is wrong, one line each; nothing: all is well."""

    alive: Callable[[], list[str]]
    ready: Callable[[], list[str]]
    metrics: Callable[[], bytes]


class Artifacts(Struct, frozen=True):
    """`open` gives a tarball's bytes by its URL path below `/artifacts/`, or None when there is none (any more)."""

    open: Callable[[str], Awaitable[bytes | None]]


def make_app(
    probes: Probes,
    *,
    on_push: Callable[[str], Awaitable[int]] | None = None,
    push_token: str = "",
    artifacts: Artifacts | None = None,
    receiver: Receiver | None = None,
    internal: Internal | None = None,
) -> web.Application:
    """`on_push` takes a repository URL and answers how many sources it woke; it needs `push_token` as bearer token.

    `receiver` takes the webhooks of Git hosts and registries, at Argo CD's path; `internal` is for our own servers.
    """
    app = web.Application(client_max_size=HOOK_LIMIT)

    def probe(check: Callable[[], list[str]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            problems = check()
            return web.Response(status=503 if problems else 200, text="\n".join(problems or ["ok"]) + "\n")

        return answer

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=probes.metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def push(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if (
            on_push is None
            or not push_token
            or not hmac.compare_digest(given.encode(), f"Bearer {push_token}".encode())
        ):
            log.warning("push notice refused", peer=request.remote)
            raise web.HTTPUnauthorized(text="a push notice needs the controller's push token\n")
        try:
            notice = read_json(await request.read(), Push)
        except NotReadable as error:
            raise web.HTTPBadRequest(text=f"not a push notice: {error}\n") from error
        return web.json_response({"sources": await on_push(notice.url)}, status=202)

    async def artifact(request: web.Request) -> web.Response:
        if artifacts is None:
            raise web.HTTPNotFound(text=ARTIFACT_HINT)
        body = await artifacts.open(request.match_info["path"])
        if body is None:
            raise web.HTTPNotFound(text="no such artifact; it was replaced by a newer revision, or never made\n")
        return web.Response(body=body, content_type="application/gzip")

    app.router.add_get("/healthz", probe(probes.alive))
    app.router.add_get("/readyz", probe(probes.ready))
    app.router.add_get("/metrics", metrics)
    app.router.add_post("/hooks/push", push)
    app.router.add_get("/artifacts/{path:.+}", artifact)
    if internal is not None:
        add_internal(app, internal)
    if receiver is not None:
        app.router.add_post(
            "/api/webhook", webhook_handler(receiver, internal.token if internal is not None else nobody)
        )
    return app
