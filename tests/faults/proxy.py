"""An API server that misbehaves: a proxy before the real one, which refuses, loses answers, cuts watches and forgets history.

It runs in a thread with an event loop of its own, so that blocking tests can use it. What it does to requests is set by
plain attributes, which a test changes while requests are under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from pathlib import Path

import aiohttp
from aiohttp import web

from trueup.cluster.config import load_config
from trueup.cluster.tls import make_ssl_context

HOP_BY_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "authorization"}
REFUSALS = (429, 500, 502, 503, 504)


class FaultyProxy:
    """`with FaultyProxy(kubeconfig, folder) as proxy:` and a kubeconfig that leads through it at `proxy.kubeconfig`."""

    def __init__(self, kubeconfig: Path, folder: Path, seed: int) -> None:
        self.refused = 0.0
        """Which part of all requests is refused before the server hears of it."""
        self.lost = 0.0
        """Which part is carried out, and its answer lost."""
        self.seen: Counter[str] = Counter()
        self.kubeconfig = folder / "proxied.kubeconfig"
        self._chance = random.Random(seed)
        self._config = load_config(kubeconfig)
        self._streams: set[asyncio.Task[object]] = set()
        self._expiring: set[str] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "contexts": [context],
            "users": [{"name": "u", "user": {}}],
            "current-context": "c",
        }
        self.kubeconfig.write_text(json.dumps(config))
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def cut_watches(self, *, expired: bool = False) -> None:
        """Ends every watch under way. `expired`: the place in history of each is lost too: it begins anew with a list."""

        async def cut() -> None:
            self._expiring = set() if expired else None
            for task in list(self._streams):
                task.cancel()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result(20)

    async def _start(self) -> int:
        credential = await self._config.credentials.current()
        tls = make_ssl_context(self._config.tls, credential.certificate, credential.key)
        self._authorization = {"Authorization": credential.authorization} if credential.authorization else {}
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        self._runner = web.ServerRunner(web.Server(self._handle))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        return int(server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        for task in list(self._streams):
            task.cancel()
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        watch = request.query.get("watch") in ("1", "true")
        if watch and self._expiring is not None and request.path not in self._expiring and _has_place(request):
            self._expiring.add(request.path)
            self.seen["expired"] += 1
            return _gone()
        if self._chance.random() < self.refused:
            code = self._chance.choice(REFUSALS)
            self.seen[str(code)] += 1
            return _status(code, {"Retry-After": "1"} if code == 429 else {})
        lost = not watch and self._chance.random() < self.lost
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP} | self._authorization
        url = self._config.server.rstrip("/") + request.path_qs
        body = await request.read()
        task = asyncio.current_task()
        assert task is not None
        if watch:
            self._streams.add(task)
        try:
            async with self._session.request(request.method, url, headers=headers, data=body or None) as answer:
                if lost:
                    await answer.read()
                    self.seen["lost"] += 1
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
                kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
                if not watch:
                    return web.Response(status=answer.status, headers=kept, body=await answer.read())
                response = web.StreamResponse(status=answer.status, headers=kept)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                return response
        except asyncio.CancelledError:
            if watch and request.transport is not None:
                self.seen["cut"] += 1
                request.transport.abort()
                return web.Response()
            raise
        except aiohttp.ClientError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        finally:
            with contextlib.suppress(KeyError):
                self._streams.remove(task)


def _has_place(request: web.BaseRequest) -> bool:
    return request.query.get("resourceVersion", "") not in ("", "0")


def _status(code: int, headers: dict[str, str]) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "made up by a test", "code": code}
    return web.json_response(status, status=code, headers=headers)


def _gone() -> web.Response:
    """As the server says it in a watch that has begun."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Expired",
        "message": "too old resource version",
        "code": 410,
    }
    event = json.dumps({"type": "ERROR", "object": status}) + "\n"
    return web.Response(status=200, text=event, content_type="application/json")
