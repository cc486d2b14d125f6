"""From Kubernetes' protobuf to the manifest that the same object is in JSON.

The manifest is what Go's JSON makes of the same struct, zero values and nulls included, so that a protobuf body means what the
typed client's JSON would. Types with a JSON form of their own (times, quantities, int-or-string, raw extensions) have a
reader each.
https://github.com/kubernetes/apimachinery/blob/master/pkg/runtime/serializer/protobuf/protobuf.go
"""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from trueup.embedded.api.protobuf.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Malformed,
    UnknownWireType,
    Value,
    fields,
    signed,
    varints,
    wire_type_of,
)
from trueup.embedded.schema import BuiltinSchemas
from trueup.model.manifest import Manifest
from trueup.model.refs import split_api_version

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
_META = "k8s.io.apimachinery.pkg.apis.meta.v1"
_EXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
_DEPTH = 100
_LISTS = frozenset(
    {f"{_META}.Verbs", "k8s.io.api.authentication.v1.AttestationValue"}
    | {f"k8s.io.api.{name}.v1.ExtraValue" for name in ("authentication", "authorization", "certificates")}
)
"""Go lists of strings with a name of their own: to protobuf messages, to JSON lists."""
_ELSEWHERE = {  # kinds whose schema stands in another group's document
    ("policy/v1", "Eviction"): "k8s.io.api.policy.v1.Eviction",
    ("autoscaling/v1", "Scale"): "k8s.io.api.autoscaling.v1.Scale",
    ("authentication.k8s.io/v1", "TokenRequest"): "k8s.io.api.authentication.v1.TokenRequest",
}
_ZEROS: dict[str, Any] = {
    "string": "",
    "bytes": None,
    "bool": False,
    **dict.fromkeys(("int32", "int64", "uint32", "uint64"), 0),
    **dict.fromkeys(("double", "float"), 0.0),
}


class _Field(Struct, frozen=True, array_like=True):
    name: str
    type: str
    flags: str
    go_name: str = ""

    @property
    def shown(self) -> str:
        """As Go calls it."""
        return self.go_name or self.name[:1].upper() + self.name[1:]

    @property
    def wire_type(self) -> int:
        if "m" in self.flags or self.type not in _ZEROS or self.type in ("string", "bytes"):
            return BYTES
        return {"double": FIXED64, "float": FIXED32}.get(self.type, VARINT)


_Message: TypeAlias = Mapping[int, _Field]


@cache
def _messages() -> dict[str, dict[int, _Field]]:
    packed = resources.files("trueup.embedded.api.protobuf").joinpath("messages.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=dict[str, dict[int, _Field]])


@cache
def _schemas() -> BuiltinSchemas:
    return BuiltinSchemas.load()


class Unrecognized(Malformed):
    """The envelope is wrong, so that it cannot be told what the body is."""


class Unregistered(Malformed):
    """A kind that has no protobuf form here."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f'no kind "{kind}" is registered for version "{api_version}"')
        self.api_version = api_version
        self.kind = kind


class Undecodable(Malformed):
    """The object inside the envelope is wrong."""

    def __init__(self, api_version: str, kind: str, said: str) -> None:
        super().__init__(said)
        self.api_version = api_version
        self.kind = kind


def decode(body: bytes) -> Manifest:
    """The object of an enveloped body; raises Unrecognized, Unregistered or Undecodable."""
    if not body:
        raise Unrecognized("empty data")
    if not body.startswith(MAGIC):
        shown = " ".join(str(byte) for byte in MAGIC)
        raise Unrecognized(f"provided data does not appear to be a protobuf message, expected prefix [{shown}]")
    if body == MAGIC:
        raise Unrecognized("empty body")
    try:
        api_version, kind, raw = _opened(body[len(MAGIC) :])
    except Malformed as error:
        raise Unrecognized(str(error)) from error
    if (message := message_of(api_version, kind)) is None:
        raise Unregistered(api_version, kind)
    try:
        return {"kind": kind, "apiVersion": api_version} | _object(message, raw, 0)
    except (ValueError, OverflowError) as error:
        raise Undecodable(api_version, kind, str(error)) from error


_ENVELOPE = ("", "TypeMeta", "Raw", "ContentEncoding", "ContentType")


def _opened(body: bytes) -> tuple[str, str, bytes]:
    """apiVersion, kind and content of the envelope (`runtime.Unknown`)."""
    api_version = kind = ""
    raw = b""
    try:
        for number, value in fields(body, "Unknown", range(1, len(_ENVELOPE))):
            if number >= len(_ENVELOPE):
                continue
            content = _content(value, _ENVELOPE[number])
            if number == 1:
                for inner, text in fields(content, "TypeMeta"):
                    if inner == 1:
                        api_version = _text(_content(text, "APIVersion"))
                    elif inner == 2:
                        kind = _text(_content(text, "Kind"))
            elif number == 2:
                raw = content
    except UnknownWireType as error:
        if error.number < len(_ENVELOPE):
            raise _wrong_type(error.wire_type, _ENVELOPE[error.number]) from error
        raise
    return api_version, kind, raw


def _content(value: Value, field: str) -> bytes:
    if isinstance(value, int) or wire_type_of(value) != BYTES:
        raise _wrong_type(wire_type_of(value), field)
    return value


def _wrong_type(wire_type: int, field: str) -> Malformed:
    return Malformed(f"proto: wrong wireType = {wire_type} for field {field}")


def message_of(api_version: str, kind: str) -> str | None:
    """The message's full name: `k8s.io.api.apps.v1.Deployment`."""
    if kind == "DeleteOptions":  # known in every group
        return f"{_META}.DeleteOptions"
    if (found := _ELSEWHERE.get((api_version, kind))) is None:
        group, version = split_api_version(api_version)
        node = _schemas().node(group, version, kind)
        if node is None:
            return None
        found = node.name.removeprefix("io.").replace("-", "_")
        found = found if found.startswith("k8s.io.") else f"k8s.io.{found.removeprefix('k8s.')}"
    return found if found in _messages() else None


def _object(message: str, raw: bytes, depth: int) -> dict[str, Any]:
    """A message as the object that Go's JSON makes of the same struct."""
    if depth > _DEPTH:
        raise Malformed("the object is nested too deeply")
    known = _messages()[message]
    sent: dict[int, Any] = {}
    try:
        for number, value in fields(raw, message.rpartition(".")[2], known):
            if (field := known.get(number)) is not None:
                _take(field, value, sent, number, depth)
    except UnknownWireType as error:
        if (field := known.get(error.number)) is not None:
            raise _wrong_type(error.wire_type, field.shown) from error
        raise
    found: dict[str, Any] = {}
    for number, field in known.items():
        made = sent[number] if number in sent else _absent(field, depth)
        if "i" in field.flags:
            found |= made
        elif (number in sent and "p" in field.flags) or not _is_omitted(field, made, depth):
            found[field.name] = made
    return found


def _take(field: _Field, value: Value, sent: dict[int, Any], number: int, depth: int) -> None:
    """One field as it was sent, among those of its message."""
    is_list = "r" in field.flags
    if wire_type_of(value) != field.wire_type:
        if is_list and field.wire_type == VARINT and isinstance(value, bytes):
            sent.setdefault(number, []).extend(_value(field.type, each, depth) for each in varints(value))
            return
        raise _wrong_type(wire_type_of(value), field.shown)
    if "m" in field.flags:
        key, item = _entry(field, value, depth)
        sent.setdefault(number, {})[key] = item
    elif is_list:
        sent.setdefault(number, []).append(_value(field.type, value, depth))
    else:
        sent[number] = _value(field.type, value, depth)


def _absent(field: _Field, depth: int) -> Any:
    """What a Go field holds that was not sent."""
    if any(flag in field.flags for flag in "mrp"):
        return None
    if field.type in _ZEROS:
        return _ZEROS[field.type]
    return _value(field.type, b"", depth)


def _is_omitted(field: _Field, value: Any, depth: int) -> bool:
    """Whether Go's JSON leaves the field out: empty lists and zero scalars if it is told to, structs only with `omitzero`."""
    if "z" in field.flags and value == _absent(field, depth):
        return True
    can_be_empty = any(flag in field.flags for flag in "mrp") or field.type in _ZEROS or field.type in _LISTS
    return "o" in field.flags and can_be_empty and not value


def _entry(field: _Field, raw: int | bytes, depth: int) -> tuple[Any, Any]:
    if not isinstance(raw, bytes):
        raise Malformed(f"{field.name} is no map")
    key_type, _, value_type = field.type.partition(",")
    pair = dict(fields(raw))
    key = _value(key_type, pair.get(1, b""), depth)
    if 2 in pair:
        value = _value(value_type, pair[2], depth)
    else:
        value = _ZEROS[value_type] if value_type in _ZEROS else _value(value_type, b"", depth)
    return key, value


def _value(type_: str, raw: int | bytes, depth: int) -> Any:
    reader = _SCALARS.get(type_)
    if reader is not None:
        return reader(raw)
    if not isinstance(raw, bytes):
        raise Malformed(f"a number stands where {type_} is expected")
    special = _SPECIAL.get(type_)
    return special(raw, depth) if special else _object(type_, raw, depth + 1)


def _text(raw: int | bytes) -> str:
    if not isinstance(raw, bytes):
        raise Malformed("a number stands where text is expected")
    return raw.decode(errors="replace")  # Go strings may hold anything; its JSON replaces it too


def _number(bits: int) -> Callable[[int | bytes], int]:
    def read(raw: int | bytes) -> int:
        if not isinstance(raw, int):
            raise Malformed("text stands where a number is expected")
        return signed(raw, bits)

    return read


def _real(form: str) -> Callable[[int | bytes], float]:
    def read(raw: int | bytes) -> float:
        if not isinstance(raw, bytes) or len(raw) != struct.calcsize(form):
            raise Malformed("a real number has the wrong size")
        return float(struct.unpack(form, raw)[0])

    return read


def _base64(raw: int | bytes) -> str:
    if not isinstance(raw, bytes):
        raise Malformed("a number stands where bytes are expected")
    return base64.b64encode(raw).decode()


_SCALARS: dict[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "bytes": _base64,
    "bool": lambda raw: bool(raw),
    "int32": _number(32),
    "int64": _number(64),
    "uint32": lambda raw: raw,
    "uint64": lambda raw: raw,
    "double": _real("<d"),
    "float": _real("<f"),
}


def _parts(raw: bytes) -> dict[int, Any]:
    return dict(fields(raw))


def _moment(raw: bytes) -> datetime | None:
    parts = _parts(raw)
    if not parts:
        return None
    seconds = signed(_number_of(parts.get(1, 0)), 64)
    if seconds <= -62135596800:  # Go's zero time
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(
        seconds=seconds, microseconds=signed(_number_of(parts.get(2, 0)), 32) // 1000
    )


def _time(raw: bytes, _: int) -> Any:
    moment = _moment(raw)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(raw: bytes, _: int) -> Any:
    moment = _moment(raw)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _duration(raw: bytes, _: int) -> str:
    """As Go's `time.Duration` writes itself: `1h30m1.5s`."""
    nanoseconds = signed(_number_of(_parts(raw).get(1, 0)), 64)
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if left >= size:
                return f"{sign}{_decimal(left, size)}{unit}"
        return "0s"
    minutes, seconds = divmod(left, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, 10**9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else str(whole)


def _number_of(raw: int | bytes) -> int:
    if not isinstance(raw, int):
        raise Malformed("text stands where a number is expected")
    return raw


def _quantity(raw: bytes, _: int) -> str:
    return _text(_parts(raw).get(1, b"")) or "0"


def _int_or_string(raw: bytes, _: int) -> int | str:
    parts = _parts(raw)
    return _text(parts.get(3, b"")) if parts.get(1, 0) else signed(_number_of(parts.get(2, 0)), 32)


def _json(raw: bytes, _: int) -> Any:
    inner = _content(_parts(raw).get(1, b""), "Raw")
    if not inner:
        return None
    if inner.startswith(MAGIC):
        return decode(inner)
    return msgspec.json.decode(inner)


def _items(item: str) -> Callable[[bytes, int], list[Any] | None]:
    def read(raw: bytes, depth: int) -> list[Any] | None:
        return [_value(item, value, depth) for number, value in fields(raw) if number == 1] or None

    return read


def _schema_or(raw: bytes, depth: int) -> Any:
    """JSONSchemaPropsOrBool: a schema, or whether anything is allowed."""
    parts = _parts(raw)
    if 2 in parts:
        return _object(f"{_EXTENSIONS}.JSONSchemaProps", _content(parts[2], "Schema"), depth + 1)
    return bool(parts.get(1, 0))


def _schema_or_list(raw: bytes, depth: int) -> Any:
    """JSONSchemaPropsOrArray."""
    many = []
    for number, value in fields(raw):
        if isinstance(value, bytes):
            made = _object(f"{_EXTENSIONS}.JSONSchemaProps", value, depth + 1)
            if number == 1:
                return made
            many.append(made)
    return many or None


def _schema_or_names(raw: bytes, depth: int) -> Any:
    """JSONSchemaPropsOrStringArray."""
    names = []
    for number, value in fields(raw):
        if isinstance(value, bytes):
            if number == 1:
                return _object(f"{_EXTENSIONS}.JSONSchemaProps", value, depth + 1)
            names.append(_text(value))
    return names or None


_SPECIAL: dict[str, Callable[[bytes, int], Any]] = {
    f"{_META}.Time": _time,
    f"{_META}.Timestamp": _time,
    f"{_META}.MicroTime": _micro_time,
    f"{_META}.Duration": _duration,
    f"{_META}.FieldsV1": _json,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _json,
    f"{_EXTENSIONS}.JSON": _json,
    f"{_EXTENSIONS}.JSONSchemaPropsOrBool": _schema_or,
    f"{_EXTENSIONS}.JSONSchemaPropsOrArray": _schema_or_list,
    f"{_EXTENSIONS}.JSONSchemaPropsOrStringArray": _schema_or_names,
    **dict.fromkeys(_LISTS, _items("string")),
}
