"""The HTTP side: routes, rights, and word of every push. What git itself does is `service`'s."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import structlog
from aiohttp import web

from trueup.embedded.gitserver.access import Guard, Right
from trueup.embedded.gitserver.names import repository_name, repository_path
from trueup.embedded.gitserver.push import CommandReader, PushEvent
from trueup.embedded.gitserver.repositories import create_bare, moved, sweep_locks
from trueup.embedded.gitserver.service import GitProcessFailed, Limits, Service, TooMuch, answer

log = structlog.get_logger(__name__)

_NO_CACHE = {
    "Cache-Control": "no-cache, max-age=0, must-revalidate",
    "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "Pragma": "no-cache",
}
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_PARALLEL = 32


async def _nobody(_: PushEvent) -> None:
    """Nobody wants to know of pushes."""


class GitServer:
    """Serves the bare repositories below `root`. `on_push` is awaited after each accepted push, before the client's end."""

    def __init__(
        self,
        root: Path,
        on_push: Callable[[PushEvent], Awaitable[None]] = _nobody,
        *,
        guard: Guard | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._root = root
        self._on_push = on_push
        self._guard = guard or Guard()
        self._limits = limits or Limits()
        self._slots = asyncio.Semaphore(_PARALLEL)
        self._runner: web.AppRunner | None = None
        self._scheme = "http"
        self.port = 0
        """Where it listens; 0 before `start`."""

    def routes(self) -> list[web.RouteDef]:
        """For an application that serves other things too; paths begin with the repository's name."""
        return [
            web.get("/{repository:.+}/info/refs", self._advertise),
            web.post("/{repository:.+}/git-upload-pack", self._upload),
            web.post("/{repository:.+}/git-receive-pack", self._receive),
        ]

    async def start(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> int:
        """Listens on 127.0.0.1 and answers the port (0 takes any free one). Raises OSError when it is taken."""
        await asyncio.to_thread(sweep_locks, self._root)
        application = web.Application(middlewares=[_loopback_only])
        application.add_routes(self.routes())
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        self._scheme = "https" if tls else "http"
        self.port = self._runner.addresses[0][1]
        return self.port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def url(self, name: str, *, token: str = "", host: str = "127.0.0.1") -> str:
        """A URL that plain git can clone from; with the token also push to."""
        user = f"trueup:{quote(token, safe='')}@" if token else ""
        return f"{self._scheme}://{user}{host}:{self.port}/{name}.git"

    async def create_repository(
        self, name: str, seed_dir: Path | None = None, *, branch: str = "main", at: datetime | None = None
    ) -> Path:
        """Makes a repository, with a first commit of `seed_dir`'s files where given; one that is there is left alone."""
        if (clean := repository_name(name)) is None:
            raise ValueError(f"{name!r} is not a repository name")
        path = repository_path(self._root, clean)
        message = "Begin with the sample"
        when = at or datetime.now(UTC)
        if not await asyncio.to_thread(path.exists):
            await asyncio.to_thread(create_bare, path, branch=branch, seed=seed_dir, message=message, at=when)
        return path

    async def _advertise(self, request: web.Request) -> web.StreamResponse:
        try:
            service = Service(request.query.get("service", ""))
        except ValueError:
            raise web.HTTPForbidden(
                text="only git's smart HTTP protocol is spoken here; use git 1.6.6 or newer\n"
            ) from None
        _, path, right = await self._admit(request, service)
        head = b""
        protocol = request.headers.get("Git-Protocol")
        if service is Service.RECEIVE or "version=2" not in (protocol or ""):
            line = f"# service={service}\n".encode()
            head = b"%04x%s0000" % (len(line) + 4, line)
        answered = answer(
            service,
            path,
            advertise=True,
            body=None,
            protocol=protocol,
            hidden_refs=right.hidden_refs,
            limits=self._limits,
        )
        return await self._stream(request, answered, f"application/x-{service}-advertisement", head)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        return await self._exchange(request, Service.UPLOAD)

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        return await self._exchange(request, Service.RECEIVE)

    async def _exchange(self, request: web.Request, service: Service) -> web.StreamResponse:
        name, path, right = await self._admit(request, service)
        if request.content_type != f"application/x-{service}-request":
            raise web.HTTPUnsupportedMediaType(text="this address is for git\n")
        commands = CommandReader()
        answered = answer(
            service,
            path,
            advertise=False,
            body=request.content.iter_any(),
            protocol=request.headers.get("Git-Protocol"),
            hidden_refs=right.hidden_refs,
            limits=self._limits,
            on_body=commands.feed if service is Service.RECEIVE else lambda _: None,
        )

        async def tell() -> None:
            if commands.updates:
                await self._tell(name, path, commands)

        return await self._stream(request, answered, f"application/x-{service}-result", b"", tell)

    async def _tell(self, name: str, path: Path, commands: CommandReader) -> None:
        updates = await asyncio.to_thread(moved, path, commands.updates)
        if not updates:
            return
        log.info("pushed", repository=name, refs=[update.ref for update in updates])
        try:
            await self._on_push(PushEvent(name, updates))
        except Exception:  # whoever listens may fail; the push has happened
            log.exception("push not told", repository=name)

    async def _admit(self, request: web.Request, service: Service) -> tuple[str, Path, Right]:
        """The repository and the right to this service, or the HTTP answer that says why not."""
        right = self._guard.right_of(request.headers.get("Authorization"))
        allowed = right is not None and (right.write if service is Service.RECEIVE else right.read)
        if right is None or (not allowed and "Authorization" not in request.headers):
            raise web.HTTPUnauthorized(
                text="credentials needed\n", headers={"WWW-Authenticate": 'Basic realm="Trueup Git"'}
            )
        name = repository_name(request.match_info["repository"])
        path = repository_path(self._root, name) if name is not None else None
        if name is None or path is None or not await asyncio.to_thread((path / "HEAD").is_file):
            raise web.HTTPNotFound(text="no such repository\n")
        if not allowed:
            raise web.HTTPForbidden(text="these credentials may not do that\n")
        return name, path, right

    async def _stream(
        self,
        request: web.Request,
        chunks: AsyncGenerator[bytes],
        content_type: str,
        head: bytes,
        at_end: Callable[[], Awaitable[None]] | None = None,
    ) -> web.StreamResponse:
        """Streams git's answer; what fails before its first byte becomes an HTTP error."""
        response = web.StreamResponse(headers={"Content-Type": content_type, **_NO_CACHE})
        async with self._slots:
            try:
                async for chunk in chunks:
                    if not response.prepared:
                        await response.prepare(request)
                        await response.write(head)
                    await response.write(chunk)
            except TooMuch:
                raise web.HTTPRequestEntityTooLarge(self._limits.pack_bytes, text="the push is too large\n") from None
            except TimeoutError:
                raise web.HTTPRequestTimeout(text="git took too long\n") from None
            except GitProcessFailed:
                raise web.HTTPInternalServerError(text="git failed; see the server's log\n") from None
            finally:
                await chunks.aclose()
        if at_end is not None:
            await asyncio.shield(at_end())
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
        return response


@web.middleware
async def _loopback_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answers loopback names only: a web page that points its own name at 127.0.0.1 gets nothing."""
    if (request.url.host or "") not in _LOOPBACK_NAMES:
        raise web.HTTPMisdirectedRequest(text="this server answers on the loopback only\n")
    return await handler(request)
