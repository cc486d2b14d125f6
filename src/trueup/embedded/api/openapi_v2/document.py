"""The served document: the built-in one as the real server publishes it, with every custom kind. Made when asked for, kept
until what is served changes.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.openapi_v2.definitions import definitions_of
from trueup.embedded.api.openapi_v2.gnostic import MEDIA_TYPE, OLD_MEDIA_TYPE, encode_document
from trueup.embedded.api.openapi_v2.paths import Paths

JSON = "application/json"
OFFERED = {JSON: JSON, OLD_MEDIA_TYPE: MEDIA_TYPE, MEDIA_TYPE: MEDIA_TYPE}
"""What may be asked for, and what the answer is then called."""


class Published(Struct, frozen=True):
    """One form of the document, gzipped."""

    content: bytes
    tag: str


class OpenApiV2:
    """The document of a registry. One change of custom kinds costs what those kinds cost, in either form."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._revision = -1
        self._tag = ""
        self._custom: dict[str, Any] = {}
        self._made: dict[str, bytes] = {}
        self._making = asyncio.Lock()

    def tag(self) -> str:
        """The ETag of both forms, the same after a restart with the same custom kinds."""
        if self._revision != self._registry.revision:
            self._revision = self._registry.revision
            self._custom = custom_part([kind for kinds in self._registry.custom() for kind in kinds])
            content = msgspec.json.encode(self._custom, order="deterministic") if self._custom["definitions"] else b""
            self._tag = f'"{hashlib.sha512(_packed_base() + content).hexdigest().upper()}"'
            self._made = {}
        return self._tag

    async def published(self, media_type: str) -> Published:
        """The document in a form of `OFFERED`. Encoding it from nothing takes a moment, so it does that in a thread."""
        async with self._making:
            tag, custom = self.tag(), self._custom
            form = OFFERED[media_type]
            if (found := self._made.get(form)) is None:
                make = _as_json if form == JSON else _as_message
                found = await asyncio.to_thread(make, custom)
                if tag == self._tag:
                    self._made[form] = found
            return Published(found, tag)


def custom_part(kinds: Sequence[Kind]) -> dict[str, Any]:
    """`paths` and `definitions` of custom kinds."""
    made: dict[str, Any] = {"paths": {}, "definitions": {}}
    if not kinds:
        return made
    document = base()
    paths, type_meta = Paths(document), _type_meta(document)
    for kind in kinds:
        made["paths"] |= paths.of(kind)
        made["definitions"] |= definitions_of(kind, type_meta)
    return made


def merged(document: dict[str, Any], custom: dict[str, Any]) -> dict[str, Any]:
    """The built-in document with the custom part, in the order of names, as all of it stands."""
    parts = {
        part: dict(sorted((document[part] | custom[part]).items())) for part in ("paths", "definitions") if custom[part]
    }
    return document | parts


def _as_json(custom: dict[str, Any]) -> bytes:
    if not custom["definitions"]:
        return _packed_base()
    return gzip.compress(msgspec.json.encode(merged(base(), custom)), 1, mtime=0)


def _as_message(custom: dict[str, Any]) -> bytes:
    own = encode_document({part: content for part, content in custom.items() if content})
    return gzip.compress(_base_message() + own, 1, mtime=0)


def base() -> dict[str, Any]:
    """The built-in document, decoded anew: large, and seldom needed."""
    found: dict[str, Any] = msgspec.json.decode(gzip.decompress(_packed_base()))
    return found


@cache
def _packed_base() -> bytes:
    return resources.files("trueup.embedded.schema").joinpath("data", "openapi-v2.json.gz").read_bytes()


@cache
def _base_message() -> bytes:
    return encode_document(base())


def _type_meta(document: dict[str, Any]) -> dict[str, Any]:
    properties = document["definitions"]["io.k8s.api.apps.v1.Deployment"]["properties"]
    return {name: properties[name] for name in ("apiVersion", "kind")}
