"""HTTP: requests in, answers out. Who asks, whether they may, where it goes, and how the answer or refusal is written.

What a verb does is elsewhere (`api.verbs` for resources, `api.pages` for all other paths); here is no Kubernetes rule.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import math
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec
import structlog
from aiohttp import web
from msgspec import Struct
from multidict import CIMultiDict

from trueup.embedded.api import body, deadlines, forms, names, negotiation, refusals
from trueup.embedded.api.call import Call
from trueup.embedded.api.metrics import Metrics
from trueup.embedded.api.target import Target, target_of
from trueup.embedded.auth.authenticator import Authenticator, Impersonation, Unauthenticated
from trueup.embedded.auth.authorizer import Authorizer
from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes, refusal
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import StorageFailed
from trueup.model.apierror import ApiError

log = structlog.get_logger(__name__)

GZIP_FROM = 128 * 1024
NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_NAMED = frozenset({"get", "update", "patch", "delete"})


class Request(Struct, frozen=True):
    """A request that may be answered: read, authenticated and authorized."""

    target: Target
    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    call: Call
    host: str = ""

    @property
    def accept(self) -> str:
        return self.headers.get("Accept", "")

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "")


class Answer(Struct, frozen=True):
    """A complete answer."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Stream(Struct, frozen=True):
    """An answer that goes on: a watch or a log."""

    chunks: AsyncIterator[bytes]
    content_type: str = "application/json"
    patience: float | None = None
    """Seconds after which a client that takes nothing of what it is sent is cut off."""


class Takeover(Struct, frozen=True):
    """An answer that is no HTTP any more: `run` switches the connection's protocol, and serves it to its end."""

    run: Callable[[web.BaseRequest, CIMultiDict[str]], Awaitable[web.StreamResponse]]


class Responder:
    """Answers one kind of requests: `api.verbs` and `api.pages` implement it."""

    async def respond(self, request: Request) -> Answer | Stream | Takeover:
        raise NotImplementedError


class Front:
    """The handler that aiohttp calls. `resources` and `pages` answer; this decides whether they are asked."""

    def __init__(
        self,
        resources: Responder,
        pages: Responder,
        authenticator: Authenticator,
        authorizer: Authorizer,
        metrics: Metrics,
    ) -> None:
        self._resources = resources
        self._pages = pages
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._metrics = metrics

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Every request, to its end."""
        begin = time.perf_counter()
        query = request.query
        target = target_of(request.method, request.path, query)
        call: Call | None = None
        status = 500
        try:
            allowed = deadlines.seconds_allowed(target, query)
            user = self._user(request)
            call = Call(user, request.headers.get("User-Agent", ""))
            self._authorize(target, user)
            _check_name(target)
            if target.is_resource and request.method == "HEAD":
                raise refusals.method_not_allowed()
            with self._metrics.in_flight(target.verb).track_inprogress():
                async with _in_time(begin, allowed):
                    content = await _received(request) if request.can_read_body else b""
                    if time.perf_counter() - begin > allowed:
                        raise refusals.TimedOut
                    answer = await self._respond(
                        Request(target, request.method, query, request.headers, content, call, request.host)
                    )
            if isinstance(answer, Stream):
                status = 200
                return await self._stream(request, target, answer, call)
            if isinstance(answer, Takeover):
                status = 101
                return await answer.run(request, _headers(call))
            status = answer.status
            return _response(request, answer, call)
        except ApiError as error:
            status = error.code
            return _refusal(error, call, request)
        except StorageFailed as error:
            status = 500
            return _refusal(refusals.internal(error.message), call, request)
        except (ConnectionError, asyncio.CancelledError):
            status = 499
            raise
        except Exception:
            log.exception("request failed", method=request.method, path=request.path)
            said = "the request could not be answered; the server's log has the cause"
            return _refusal(refusals.internal(said), call, request)
        finally:
            self._count(request, target, status, time.perf_counter() - begin)

    async def _respond(self, request: Request) -> Answer | Stream | Takeover:
        responder = self._resources if request.target.is_resource else self._pages
        return await responder.respond(request)

    def _user(self, request: web.BaseRequest) -> User:
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        headers = request.headers
        try:
            user = self._authenticator.authenticate(tls, headers.get("Authorization", ""))
        except Unauthenticated as error:
            log.info("credentials refused", reason=str(error))
            raise refusals.unauthorized() from None
        if not any(key.lower().startswith("impersonate-") for key in headers):
            return user
        wanted = Impersonation(headers)  # type: ignore[arg-type]
        if not wanted.is_asked:
            return user
        if not wanted.name:
            raise refusals.bad_request(f"requested {wanted} without impersonating a user name")
        for each in wanted.needed():
            self._require(user, each, Resource(each.group, each.resource), each.name)
        return wanted.user()

    def _authorize(self, target: Target, user: User) -> None:
        if not target.is_resource:
            wanted = Attributes(verb=target.verb, path=target.path)
            decision = self._authorizer.decide(user, wanted)
            if not decision.allowed:
                said = f"forbidden: {refusal(user, wanted, decision.reason)}"
                raise ApiError(403, "Forbidden", said, details=refusals.NO_DETAILS)
            return
        wanted = Attributes(
            target.verb, target.group, target.resource, target.subresource, target.namespace, target.name
        )
        self._require(user, wanted, Resource(target.group, target.resource), target.name)

    def _require(self, user: User, wanted: Attributes, resource: Resource, name: str) -> None:
        decision = self._authorizer.decide(user, wanted)
        if not decision.allowed:
            raise refusals.forbidden(resource, name, refusal(user, wanted, decision.reason))

    async def _stream(self, request: web.BaseRequest, target: Target, stream: Stream, call: Call) -> web.StreamResponse:
        response = web.StreamResponse(headers=_headers(call))
        response.content_type = stream.content_type
        response.enable_chunked_encoding()
        gauge = self._metrics.long_running(target.verb.upper(), target, _scope(target))
        gauge.inc()
        try:
            await response.prepare(request)
            async with contextlib.aclosing(stream.chunks) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    async with asyncio.timeout(stream.patience):
                        await response.write(chunk)
            with contextlib.suppress(ConnectionError):
                await response.write_eof()
        except ConnectionError:
            pass  # the client went away, as watches end
        except TimeoutError:
            log.info("a client that reads nothing lost its stream", path=target.path, agent=call.agent)
            if request.transport is not None:
                request.transport.abort()
        finally:
            gauge.dec()
        return response

    def _count(self, request: web.BaseRequest, target: Target, status: int, seconds: float) -> None:
        verb = target.verb
        if verb == "patch" and request.headers.get("Content-Type", "").startswith("application/apply-patch"):
            verb = "apply"
        self._metrics.observe(
            verb,
            target.group,
            target.version,
            target.resource,
            target.subresource,
            _scope(target),
            status,
            seconds,
            dry_run="dryRun" in request.query,
        )


def _scope(target: Target) -> str:
    """As metrics tell it."""
    if not target.is_resource:
        return ""
    return "resource" if target.name else "namespace" if target.namespace else "cluster"


def _check_name(target: Target) -> None:
    """A name must be able to stand in a path; raises 400."""
    if target.is_resource and target.verb in _NAMED and (problems := names.path_segment_problems(target.name)):
        raise refusals.bad_request(f'Name parameter invalid: "{target.name}": {", ".join(problems)}')


@contextlib.asynccontextmanager
async def _in_time(begin: float, allowed: float) -> AsyncIterator[None]:
    """Raises 504 when what is inside does not come to its end: a body that does not arrive, a webhook that waits."""
    try:
        async with asyncio.timeout(None if math.isinf(allowed) else max(0.0, begin + allowed - time.perf_counter())):
            yield
    except TimeoutError as error:
        raise refusals.TimedOut from error


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


async def _received(request: web.BaseRequest) -> bytes:
    """The body; raises 413 as soon as it is too large."""
    length = request.content_length
    if length is not None and length > body.LIMIT:
        raise refusals.too_large(body.LIMIT)
    parts, size = [], 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > body.LIMIT:
            raise refusals.too_large(body.LIMIT)
        parts.append(part)
    return b"".join(parts)


def _headers(call: Call | None) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    headers["Audit-Id"] = str(uuid.uuid4())
    headers["Cache-Control"] = "no-cache, private"
    for warning in call.warnings if call else ():
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        if not _UNPRINTABLE.search(
            quoted
        ):  # as the real server leaves out what no header may hold (apimachinery, util/net)
            headers.add("Warning", f'299 - "{quoted}"')
    return headers


def _response(request: web.BaseRequest, answer: Answer, call: Call | None) -> web.Response:
    headers = _headers(call)
    headers.update(answer.headers)
    content = answer.body
    accepts_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    if headers.get("Content-Encoding") == "gzip" and not accepts_gzip:
        content = gzip.decompress(content)
        del headers["Content-Encoding"]
    elif len(content) >= GZIP_FROM and accepts_gzip and "Content-Encoding" not in headers:
        content = gzip.compress(content, 1)
        headers["Content-Encoding"] = "gzip"
    headers["Content-Type"] = answer.content_type
    if request.method == "HEAD":
        headers["Content-Length"] = str(len(content))
        content = b""
    return web.Response(body=content, status=answer.status, headers=headers)


def _refusal(error: ApiError, call: Call | None, request: web.BaseRequest) -> web.Response:
    headers = _headers(call)
    if isinstance(error, refusals.PageNotFound):
        headers.update(NO_SNIFF)
        return web.Response(text=f"{error.message}\n", status=error.code, headers=headers)
    if isinstance(error, refusals.TimedOut):
        status = {key: value for key, value in refusals.status_of(error).items() if key not in ("kind", "apiVersion")}
        return web.Response(text=msgspec.json.encode(status).decode() + "\n", status=error.code, headers=headers)
    if error.code == 403:
        headers.update(NO_SNIFF)
    if error.retry_after is not None:
        headers["Retry-After"] = str(int(error.retry_after))
    form = negotiation.of_status(request.headers.get("Accept", ""))
    headers["Content-Type"] = form.media_type
    content = refusals.encoded(error)
    if form != negotiation.DEFAULT:
        content = forms.encode(msgspec.json.decode(content), form)
    return web.Response(body=content, status=error.code, headers=headers)
