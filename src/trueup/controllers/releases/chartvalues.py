"""A release's values: its references followed to ConfigMaps and Secrets, read as the controller, merged by the engine later."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple, Protocol

from msgspec import Struct, field

from trueup.controllers.values import SECRET, ValueStore, data_digest
from trueup.model.errors import InvalidInput, Transient
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.release import ReleaseSpec, ValuesSource
from trueup.render.releases import Values, ValuesLayer


class ValuesMissing(Transient):
    """A ConfigMap, Secret or key that values come from is not there (yet)."""

    reason = "ValuesError"


class ReadsValues(Protocol):
    """What is needed of a shell: where objects are read, and the key under which they are told apart."""

    @property
    def values(self) -> ValueStore: ...
    @property
    def secret_key(self) -> bytes: ...


class ValuesFrom(NamedTuple):
    """`ReadsValues` for whoever has no shell."""

    values: ValueStore
    secret_key: bytes


class Gathered(Struct, frozen=True, kw_only=True):
    """`seen`: a keyed digest of each object that was read; empty text: it is optional and not there."""

    values: Values
    seen: dict[ObjectRef, str] = field(default_factory=dict)


async def gather_values(spec: ReleaseSpec, shell: ReadsValues, *, fresh: bool) -> Gathered:
    """`fresh`: read again, whatever is kept. Raises ValuesMissing and InvalidInput, neither with a value in it."""
    layers: list[ValuesLayer] = []
    seen: dict[ObjectRef, str] = {}
    for source in spec.values_from:
        obj = await shell.values.get(source.ref, fresh=fresh)
        if obj is None:
            if not source.optional:
                raise ValuesMissing(
                    f"{source.ref} is not there, and valuesFrom needs it", hint="create it, or set optional: true"
                )
            seen[source.ref] = ""
            continue
        seen[source.ref] = data_digest(obj, shell.secret_key)
        if (text := _text(obj, source)) is None:
            continue
        layers.append(
            ValuesLayer(
                name=f"the key {source.key} of {source.ref}",
                text=text,
                target_path=source.target_path,
                literal=source.literal,
                secret=(source.ref.group, source.ref.kind) == SECRET,
            )
        )
    return Gathered(values=Values(layers=tuple(layers), inline=spec.values), seen=seen)


def _text(obj: Manifest, source: ValuesSource) -> str | None:
    """None: an optional entry, whose key may be missing too, as in Flux's code (its documentation has it otherwise)."""
    data = obj.get("data")
    value = data.get(source.key) if isinstance(data, dict) else None
    if value is None:
        if source.optional:
            return None
        raise ValuesMissing(
            f"{source.ref} has no key {source.key!r}, and valuesFrom needs it",
            hint="name the key that holds the values with valuesKey",
        )
    if (source.ref.group, source.ref.kind) != SECRET:
        return str(value)
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidInput(f"the key {source.key!r} of {source.ref} is no text", field="spec.valuesFrom") from None
