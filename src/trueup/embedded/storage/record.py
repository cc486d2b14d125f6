"""One stored version of one object, and its encodings, each made at most once.

A record never changes; a write makes a new one. Its manifest is shared with every reader: copy before changing. A record
that the journal read is decoded when somebody looks at it, so that a server with many objects starts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec

from trueup.embedded.storage.keys import Key, Resource
from trueup.model.manifest import Manifest, uid_of

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict).decode


class Record:
    """What the store holds of an object: `manifest` carries `metadata.resourceVersion` equal to `resource_version`."""

    __slots__ = ("_encodings", "_json", "_manifest", "key", "resource", "resource_version")

    def __init__(
        self, resource: Resource, key: Key, resource_version: int, manifest: Manifest | None, json: bytes = b""
    ) -> None:
        """`manifest` or `json` is given: the other is made of it when it is asked for."""
        self.resource = resource
        self.key = key
        self.resource_version = resource_version
        self._manifest = manifest
        self._json = json
        self._encodings: dict[Hashable, bytes] | None = None

    @property
    def manifest(self) -> Manifest:
        if self._manifest is None:
            self._manifest = _decode(self._json)
        return self._manifest

    @property
    def uid(self) -> str:
        return uid_of(self.manifest)

    @property
    def json(self) -> bytes:
        """The manifest as compact JSON, encoded once."""
        if not self._json:
            self._json = _encode(self.manifest)
        return self._json

    @property
    def size(self) -> int:
        """Bytes of the JSON."""
        return len(self.json)

    def encoded(self, form: Hashable, make: Callable[[Manifest], bytes]) -> bytes:
        """Another form of the object (another version, a table row, metadata only), made once however many ask."""
        if self._encodings is None:
            self._encodings = {}
        if (found := self._encodings.get(form)) is None:
            found = self._encodings[form] = make(self.manifest)
        return found

    def __repr__(self) -> str:
        return f"Record({self.resource}, {self.key.namespace}/{self.key.name}, {self.resource_version})"
