"""Replies as HTTP: JSON with field selection and an entity tag, other content, and problems in the manner of the surface."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from aiohttp import web

from trueup.model.errors import TrueupError
from trueup.server.api.operation import Answer, Content, Surface
from trueup.server.api.problems import MEDIA_TYPE, UNEXPECTED, Problem, argo_problem, encoded, problem_of, retry_after
from trueup.server.api.selecting import select

JSON = "application/json"
OUR_ROOT = "/api/trueup"
_SAFE = frozenset({"GET", "HEAD"})


def json_body(answer: Answer, fields: str = "") -> bytes:
    if not fields:
        return msgspec.json.encode(answer.body)
    return msgspec.json.encode(select(msgspec.to_builtins(answer.body), fields))


def etag_of(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def respond(request: web.Request, answer: Answer, fields: str = "") -> web.Response:
    """304 where the caller has it already."""
    if answer.status == 204 or (answer.body is None and answer.status >= 300):
        return web.Response(status=answer.status, headers=dict(answer.headers))
    body = json_body(answer, fields)
    headers = dict(answer.headers)
    if request.method in _SAFE and answer.status == 200:
        headers["ETag"] = etag = answer.etag or etag_of(body)
        if _has(request, etag):
            return web.Response(status=304, headers=headers)
    return web.Response(body=body, status=answer.status, headers=headers, content_type=JSON)


def respond_content(request: web.Request, content: Content) -> web.Response:
    headers = {"Content-Type": content.media_type, **content.headers}
    if request.method in _SAFE and content.status == 200:
        headers["ETag"] = etag = etag_of(content.body)
        if _has(request, etag):
            return web.Response(status=304, headers=headers)
    return web.Response(body=content.body, status=content.status, headers=headers)


def _has(request: web.Request, etag: str) -> bool:
    given = request.headers.get("If-None-Match", "")
    return given == "*" or etag in (part.strip().removeprefix("W/") for part in given.split(","))


def refuse(request: web.Request, error: TrueupError, surface: Surface) -> web.Response:
    headers = {"Retry-After": str(max(1, round(wait)))} if (wait := retry_after(error)) is not None else {}
    return respond_problem(problem_of(error, request.path), surface, headers)


def surface_of(path: str) -> Surface:
    """In whose manner somebody is answered who meant no operation."""
    return Surface.TRUEUP if path == OUR_ROOT or path.startswith(f"{OUR_ROOT}/") else Surface.ARGOCD


def unexpected(surface: Surface) -> web.Response:
    return respond_problem(UNEXPECTED, surface, {})


def respond_problem(problem: Problem, surface: Surface, headers: dict[str, str]) -> web.Response:
    if problem.status == 401:
        headers = headers | {"WWW-Authenticate": 'Bearer realm="trueup"'}
    if surface is Surface.ARGOCD:
        body: Any = msgspec.json.encode(argo_problem(problem))
        return web.Response(body=body, status=problem.status, headers=headers, content_type=JSON)
    return web.Response(body=encoded(problem), status=problem.status, headers=headers, content_type=MEDIA_TYPE)
