"""Parameters and bodies, read strictly into structs; whatever is wrong is one error that names the field."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct
from multidict import MultiMapping

from trueup.server.api.operation import Operation, Surface
from trueup.server.api.refusals import BadQuery, TooLarge, WrongMediaType

T = TypeVar("T", bound=Struct)
DEEPEST = 100
"""Levels of a body: Kubernetes' deepest schemas have a third of that."""
BROKEN_OFF = (ConnectionError, HttpProcessingError, web.RequestPayloadError)
"""What reading a body raises when its sender goes away, or sends what is no HTTP."""
_NUMBER = re.compile(r"[-+]?[0-9.eE+-]+")
SENT = web.RequestKey("sent", bytes)
"""Of a request: its body as it came."""


def read_query(
    given: MultiMapping[str], type_: type[T], *, strict: bool = True, frames: AbstractSet[str] = frozenset()
) -> T:
    """A field that holds several values takes a repeated name. `frames`: parameters that are read elsewhere."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    if strict and (unknown := sorted(set(given) - set(fields) - frames)):
        raise BadQuery(
            "there is no such parameter",
            field=unknown[0],
            hint=f"there are: {', '.join(sorted({*fields, *frames})) or 'none'}",
        )
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given:
            found[name] = given.getall(name) if _is_many(field.type) else given[name]
            if _is_time(field.type) and _NUMBER.fullmatch(given[name]):  # which would be taken for seconds since 1970
                raise BadQuery("is no time", field=name, hint="write it as RFC 3339 does: 2026-03-01T12:00:00Z")
    try:
        read = msgspec.convert(found, type_, strict=False)
        check_zones(read)
        return read
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error


def _is_many(type_: Any) -> bool:
    origin = typing.get_origin(type_)
    if origin in (typing.Union, types.UnionType):
        return any(_is_many(part) for part in typing.get_args(type_))
    return origin in (tuple, list, frozenset)


def _is_time(type_: Any) -> bool:
    """A datetime, or one that may be annotated or absent."""
    return type_ is datetime or any(_is_time(part) for part in typing.get_args(type_))


async def read_body(request: web.Request, operation: Operation) -> Any:
    """None where none is expected. Raises BadQuery, TooLarge, WrongMediaType."""
    if operation.body is None:
        return None
    if (packed := request.headers.get("Content-Encoding", "identity").lower()) != "identity":
        raise WrongMediaType(f"the body is packed by {packed}", field="Content-Encoding", hint="send it as it is")
    request[SENT] = body = await bounded(request, operation.body_limit)
    if not body and operation.body_optional:
        body = b"{}"
    elif request.content_type not in operation.body_media_types and not (
        operation.surface is Surface.ARGOCD and request.content_type == "application/octet-stream"
    ):
        raise WrongMediaType(
            f"the body is {request.content_type}",
            field="Content-Type",
            hint=f"send {' or '.join(operation.body_media_types)}",
        )
    try:
        read = msgspec.json.decode(body, type=operation.body)
        check_depth(read)
        check_zones(read)
        return read
    except RecursionError:
        raise BadQuery("the body is nested too deeply", field="body") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _refused(str(error)) from error


def said(request: web.Request) -> bytes:
    """What was asked, after `read_body`: the same for two calls that differ in the layout of their JSON alone."""
    body = request.get(SENT, b"")
    layout = msgspec.json.encode(msgspec.json.decode(body), order="deterministic") if body else b""
    return f"{request.method} {request.path_qs}\n".encode(errors="surrogateescape") + layout


def check_depth(value: Any, deepest: int = DEEPEST) -> None:
    """Before anything walks through it. Raises BadQuery."""
    level: list[Any] = [value]
    for _ in range(deepest):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise BadQuery(f"the body is nested more than {deepest} levels deep", field="body")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        parts: Any = value.values()
    elif isinstance(value, Struct):
        parts = (getattr(value, name) for name in value.__struct_fields__)
    elif isinstance(value, list | tuple):
        parts = value
    else:
        return []
    return [part for part in parts if isinstance(part, dict | list | tuple | Struct)]


def check_zones(value: Any, place: str = "") -> None:
    """A time without a zone is another moment for whoever wrote it than for us. Raises BadQuery."""
    if isinstance(value, Struct):
        for field in msgspec.structs.fields(value):
            name = f"{place}.{field.encode_name}" if place else field.encode_name
            check_zones(getattr(value, field.name), name)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            check_zones(item, f"{place}[{number}]")
    elif isinstance(value, datetime) and value.tzinfo is None:
        raise BadQuery("names no time zone", field=place, hint="end it with Z, or with an offset such as +07:00")


async def bounded(request: web.Request, limit: int) -> bytes:
    """Raises TooLarge as soon as that is known, and BadQuery when it does not come whole."""
    try:
        body = None if (request.content_length or 0) > limit else await read_whole(request.content, limit)
    except BROKEN_OFF as error:
        raise BadQuery("the body broke off, or is not framed as its headers say", field="body") from error
    if body is None:
        raise TooLarge(f"the body is larger than {limit} bytes", field="body")
    return body


async def read_whole(content: StreamReader, limit: int) -> bytes | None:
    """All that comes; None: it is more than the limit. (`content.read(limit)` gives what has come so far.)"""
    parts = bytearray()
    async for chunk in content.iter_chunked(64 * 1024):
        parts += chunk
        if len(parts) > limit:
            return None
    return bytes(parts)


def _refused(text: str) -> BadQuery:
    """msgspec tells the place at the end: ``Expected `int`, got `str` - at `$.limit` ``."""
    message, _, place = text.partition(" - at `")
    return BadQuery(message, field=place.rstrip("`").removeprefix("$.").removeprefix("$"))
