"""A small real HTTP server that answers as a test scripts it, faults included, and remembers what it was asked."""

# ruff: noqa: ASYNC110  (conditions of the code under test have no event of their own)
from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.cluster.credentials import Credential, StaticCredentials

Reply = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Asked(msgspec.Struct):
    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Script:
    """Answers by `METHOD /path`: each reply once, the last one for ever."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []
        self.in_flight = self.most_in_flight = 0
        self.url = ""

    def on(self, place: str, *replies: Reply) -> None:
        self.replies[place] = list(replies)

    def asked_for(self, place: str) -> list[Asked]:
        return [asked for asked in self.asked if f"{asked.method} {asked.path}" == place]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), request.headers, body))
        replies = self.replies.get(f"{request.method} {request.path}")
        if not replies:
            return web.Response(status=404, text="404 page not found\n")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await reply(request)
        finally:
            self.in_flight -= 1


def json(value: Any, code: int = 200, **headers: str) -> Reply:
    async def reply(_request: web.BaseRequest) -> web.StreamResponse:
        made = web.Response(status=code, body=msgspec.json.encode(value), content_type="application/json")
        for key, text in headers.items():
            made.headers.add(key.replace("_", "-"), text)
        return made

    return reply


def status(code: int, reason: str, message: str = "no", **more: Any) -> Reply:
    """A metav1.Status; `details` and `headers` may be given."""
    headers = more.pop("headers", {})
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
    return json(body | more, code, **headers)


def text(body: str, code: int = 200) -> Reply:
    async def reply(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=code, text=body)

    return reply


async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """The connection is cut without a word."""
    assert request.transport is not None
    request.transport.abort()
    raise asyncio.CancelledError


async def silence(_request: web.BaseRequest) -> web.StreamResponse:
    """Nothing comes, ever."""
    await asyncio.Event().wait()
    raise AssertionError


def chunks(*parts: bytes | Callable[[], Awaitable[None]], cut: bool = False) -> Reply:
    """A stream of parts; a callable is awaited in between. `cut`: ends without the end of the stream."""

    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            if isinstance(part, bytes):
                await response.write(part)
            else:
                await part()
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    return reply


DISCOVERY = {
    "/api": [("v1", "", [("configmaps", "ConfigMap", True, ["cm"]), ("namespaces", "Namespace", False, ["ns"])])],
    "/apis": [("v1", "apps", [("deployments", "Deployment", True, ["deploy"])])],
}


def serve_discovery(script: Script, tables: Any = None) -> None:
    for root, groups in (tables or DISCOVERY).items():
        script.on(f"GET {root}", json(aggregated(groups)))


def aggregated(groups: Any) -> dict[str, Any]:
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": [
            {
                "metadata": {"name": group},
                "versions": [
                    {
                        "version": version,
                        "resources": [
                            {
                                "resource": plural,
                                "responseKind": {"group": group, "version": version, "kind": kind},
                                "scope": "Namespaced" if namespaced else "Cluster",
                                "singularResource": kind.lower(),
                                "shortNames": short,
                                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
                            }
                            for plural, kind, namespaced, short in rows
                        ],
                    }
                ],
            }
            for version, group, rows in groups
        ],
    }


@asynccontextmanager
async def scripted_server(tls: ssl.SSLContext | None = None) -> Any:
    script = Script()
    runner = web.ServerRunner(web.Server(script.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    script.url = f"{'https' if tls else 'http'}://{host}:{port}"
    serve_discovery(script)
    try:
        yield script
    finally:
        await runner.cleanup()


def config_for(script: Script, **more: Any) -> ClusterConfig:
    more.setdefault("credentials", StaticCredentials(Credential()))
    return ClusterConfig(server=script.url, described="a test", **more)


class Waits:
    """A `sleep` that takes no time and remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(round(seconds, 3))
        await asyncio.sleep(0)


def client_for(script: Script, waits: Waits | None = None, **more: Any) -> KubeClient:
    more.setdefault("config", config_for(script))
    return KubeClient(more.pop("config"), chance=lambda: 0.5, sleep=waits or Waits(), **more)


async def until(condition: Callable[[], bool], within: float = 10) -> None:
    """Waits for what another task brings about."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)
