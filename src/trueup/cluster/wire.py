"""What lists and watches look like on the wire: pages whose items are decoded one by one, and lines of watch events. No I/O."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from trueup.cluster.answers import error_from_status
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"
BOOKMARK = "BOOKMARK"
ERROR = "ERROR"

_manifest_decoder = msgspec.json.Decoder(dict[str, Any])


class _ListMeta(Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = field(default="", name="continue")
    remaining_item_count: int | None = None


class _RawList(Struct):
    metadata: _ListMeta = field(default_factory=_ListMeta)
    items: list[Raw] | None = None


class _RawEvent(Struct):
    type: str
    object: Raw = Raw(b"{}")


_list_decoder = msgspec.json.Decoder(_RawList)
_event_decoder = msgspec.json.Decoder(_RawEvent)


class Page(Struct, frozen=True):
    """One page of a list, its objects still as bytes. `continue_token` is empty on the last page."""

    resource: Resource
    resource_version: str
    continue_token: str
    remaining: int | None
    raw_items: tuple[Raw, ...]

    def __iter__(self) -> Iterator[Manifest]:
        """Decodes object after object, so that a caller can let the loop breathe in between."""
        return (_complete(_manifest_decoder.decode(raw), self.resource) for raw in self.raw_items)

    def __len__(self) -> int:
        return len(self.raw_items)


def decode_page(body: bytes, resource: Resource) -> Page:
    try:
        page = _list_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise ApiError(200, "InvalidAnswer", f"the list of {resource.name} cannot be read: {error}") from error
    meta = page.metadata
    return Page(resource, meta.resource_version, meta.continue_, meta.remaining_item_count, tuple(page.items or ()))


def _complete(item: Manifest, resource: Resource) -> Manifest:
    """Items of built-in lists come without their type; the list says it for all of them."""
    item["apiVersion"] = sys.intern(resource.api_version)
    item["kind"] = sys.intern(resource.kind)
    return item


class WatchEvent(Struct, frozen=True):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; a bookmark's object has nothing but its resourceVersion."""

    type: str
    object: Manifest


def decode_event(line: bytes) -> WatchEvent:
    """One line of a watch. An ERROR event is raised as the ApiError that its Status says (410: relist)."""
    try:
        event = _event_decoder.decode(line)
        manifest = _manifest_decoder.decode(event.object)
    except msgspec.DecodeError as error:
        raise ApiError(200, "InvalidAnswer", f"a watch event cannot be read: {error}") from error
    if event.type == ERROR:
        raise error_from_status(manifest, code=500)
    return WatchEvent(sys.intern(event.type), manifest)


LONGEST_TEXT = 256 * 1024
"""Bytes of a line of text that are kept: a program may write for ever without ending a line."""


async def split_texts(chunks: AsyncIterable[bytes], longest: int = LONGEST_TEXT) -> AsyncIterator[bytes]:
    """Lines of somebody's text without their ends: the last one also where nothing ends it, and of each so many bytes."""
    line = bytearray()
    begun = False
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line += part[: longest - len(line)]
            yield bytes(line)
            line.clear()
            begun = False
        line += rest[: longest - len(line)]
        begun = begun or bool(rest)
    if begun:
        yield bytes(line)


async def split_lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Lines without their ends. A line that the connection's end cut off is dropped: it will come again."""
    parts: list[bytes] = []
    async for chunk in chunks:
        first, newline, rest = chunk.partition(b"\n")
        if not newline:
            parts.append(chunk)
            continue
        parts.append(first)
        if line := b"".join(parts).strip():
            yield line
        *lines, last = rest.split(b"\n")
        for line in lines:
            if line := line.strip():
                yield line
        parts = [last] if last else []
