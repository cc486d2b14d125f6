"""ConfigMaps and Secrets that resources refer to: read when needed, kept for a while, never written anywhere."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping

from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.canonical import keyed_digest

SECRET = ("", "Secret")
CONFIG_MAP = ("", "ConfigMap")


class ValueStore:
    """Reads by one GET each; equal reads at the same time are one. `seconds` bounds how old an answer may be."""

    def __init__(self, get: Callable[[ObjectRef], Awaitable[Manifest | None]], *, seconds: float = 600.0) -> None:
        self._get = get
        self._seconds = seconds
        self._known: dict[ObjectRef, tuple[float, Manifest | None]] = {}
        self._locks: dict[ObjectRef, asyncio.Lock] = {}

    async def get(self, ref: ObjectRef, *, fresh: bool = False) -> Manifest | None:
        """The object, or None. `fresh`: ask whatever is kept (credentials that were just refused)."""
        asked = asyncio.get_running_loop().time()
        async with self._locks.setdefault(ref, asyncio.Lock()):
            known = self._known.get(ref)
            # What was read while we waited for the lock is fresh enough for everybody.
            if known is not None and (known[0] >= asked or (not fresh and asked - known[0] < self._seconds)):
                return known[1]
            obj = await self._get(ref)
            if obj is None:
                self._known.pop(ref, None)  # it may come at any moment, and whoever needs it asks again
            else:
                self._known[ref] = (asyncio.get_running_loop().time(), obj)
            return obj

    def forget(self, ref: ObjectRef) -> None:
        """The next read asks the API server."""
        self._known.pop(ref, None)


def secret_data(obj: Manifest) -> dict[str, bytes]:
    """A Secret's `data`, decoded. Raises InvalidInput naming the key, never the value."""
    decoded: dict[str, bytes] = {}
    for key, value in _mapping(obj, "data").items():
        try:
            decoded[key] = base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(f"the key {key!r} of the Secret is not base64", field=f"data.{key}") from error
    return decoded


def variables_of(obj: Manifest) -> dict[str, str]:
    """The keys of a ConfigMap or Secret as text variables. Raises InvalidInput for a Secret value that is no text."""
    if obj.get("kind") == "Secret":
        variables: dict[str, str] = {}
        for key, raw in secret_data(obj).items():
            try:
                variables[key] = raw.decode()
            except UnicodeDecodeError as error:
                raise InvalidInput(f"the key {key!r} of the Secret is not UTF-8 text", field=f"data.{key}") from error
        return variables
    return {key: str(value) for key, value in _mapping(obj, "data").items()}


def data_digest(obj: Manifest, secret_key: bytes) -> str:
    """Keyed, over all data of a ConfigMap or Secret: it may be kept."""
    return keyed_digest([_mapping(obj, "data"), _mapping(obj, "binaryData")], secret_key)


def _mapping(obj: Manifest, name: str) -> Mapping[str, object]:
    value = obj.get(name)
    return value if isinstance(value, dict) else {}
