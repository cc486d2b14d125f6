"""Parameters and bodies, read strictly into structs; whatever is wrong is one error that names the field."""

from __future__ import annotations

import re
import types
import typing
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from aiohttp import StreamReader, web
from msgspec import Struct
from multidict import MultiMapping

from trueup.server.api.operation import Operation, Surface
from trueup.server.api.refusals import BadQuery, TooLarge, WrongMediaType

T = TypeVar("T", bound=Struct)
DEEPEST = 100
"""Levels of a body: Kubernetes' deepest schemas have a third of that."""
_NUMBER = re.compile(r"[-+]?[0-9.eE+-]+")
RESERVED = frozenset({"since"})
"""Parameters of the frame itself."""


def read_query(given: MultiMapping[str], type_: type[T], *, strict: bool = True) -> T:
    """A field that holds several values takes a repeated name, or one text with commas where its type says `Commas`."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
    if strict and (unknown := sorted(set(given) - set(fields) - RESERVED)):
        raise BadQuery(
            "there is no such parameter", field=unknown[0], hint=f"there are: {', '.join(sorted(fields)) or 'none'}"
        )
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given:
            found[name] = given.getall(name) if _is_many(field.type) else given[name]
            if _is_time(field.type) and _NUMBER.fullmatch(given[name]):  # which would be taken for seconds since 1970
                raise BadQuery("is no time", field=name, hint="write it as RFC 3339 does: 2026-03-01T12:00:00Z")
    try:
        return msgspec.convert(found, type_, strict=False)
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
    body = await bounded(request, operation.body_limit)
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
        return read
    except RecursionError:
        raise BadQuery("the body is nested too deeply", field="body") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _refused(str(error)) from error


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


async def bounded(request: web.Request, limit: int) -> bytes:
    """Raises TooLarge as soon as that is known."""
    body = None if (request.content_length or 0) > limit else await read_whole(request.content, limit)
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
