"""Request bodies: read with a limit, decoded by content type, with what a strict reader would complain about.

JSON, YAML and Kubernetes' protobuf are read. A YAML body goes through the same JSON reader, as the real server does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from trueup.embedded.api import mediatypes
from trueup.embedded.api.jsonbody import Document, NotJson, go_text, read_json, read_plain
from trueup.embedded.api.negotiation import JSON, YAML
from trueup.embedded.api.protobuf import decode as protobuf
from trueup.embedded.api.refusals import GroupKind, bad_request, unsupported_media_type, wrong_kind
from trueup.embedded.api.yamlbody import NotYaml, read_yaml
from trueup.model.manifest import Manifest

LIMIT = 3 * 1024 * 1024
ACCEPTED = (JSON, YAML, protobuf.MEDIA_TYPE)

_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_decode = msgspec.json.Decoder().decode


class Body(Struct, frozen=True):
    """A decoded object, the paths of keys that stood twice (found only when asked for), the texts of its odd numbers, and
    that of one that fits no float."""

    manifest: Manifest
    duplicates: tuple[str, ...] = ()
    literals: Mapping[float, str] = {}
    too_large: str = ""


def decode_object(raw: bytes, content_type: str, *, find_duplicates: bool, wanted: str = "Object") -> Body:
    """An object from a create or update, of the kind `wanted`; raises 400 or 415."""
    media_type = mediatypes.media_type(content_type) if content_type else JSON
    if media_type not in ACCEPTED:
        raise unsupported_media_type(ACCEPTED)
    if media_type == protobuf.MEDIA_TYPE:
        return Body(_from_protobuf(raw, wanted))
    head = f"the object provided is unrecognized (must be of type {wanted})"
    unread = f"{head}: couldn't get version/kind; json parse error"
    twice: tuple[str, ...] = ()
    try:
        if media_type == YAML:
            read, twice = from_yaml(raw)
        else:
            read = read_json(raw)
    except NotYaml as error:
        raise bad_request(f"{head}: {error} ({_beginning(raw)})") from error
    except NotJson as error:
        raise bad_request(f"{unread}: {error} ({_beginning(raw)})") from error
    value = read.value
    if value is None and (raw.strip() or media_type == YAML):
        value = {}
    if not isinstance(value, dict):
        said = f"json: cannot unmarshal {_json_type(value)} into Go value of type {_TYPE_META}"
        raise bad_request(f"{unread}: {said} ({_beginning(raw)})")
    for field in ("kind", "apiVersion"):
        if not isinstance(value.get(field), str | None):
            said = f"json: cannot unmarshal {_json_type(value[field])} into Go struct field .{field} of type string"
            raise bad_request(f"{unread}: {said} ({_beginning(raw)})")
    if (version := value.get("apiVersion") or "").count("/") > 1:
        raise bad_request(f"{head}: unexpected GroupVersion string: {version} ({_beginning(raw)})")
    if find_duplicates and media_type == JSON:
        twice = duplicate_keys(raw)
    return Body(value, twice if find_duplicates else (), read.literals, read.too_large)


_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escape for half a character, which JSON has and YAML has not."""


def looks_like_json(raw: bytes) -> bool:
    """By its first sign, as the real server guesses."""
    return raw.lstrip()[:1] == b"{"


def from_yaml(raw: bytes) -> tuple[Document, tuple[str, ...]]:
    """A YAML body, and its keys that stand twice. JSON is YAML, and what nearly all clients send under that name."""
    if (
        looks_like_json(raw)
        and not _HALF.search(raw)
        and (read := read_plain(raw)) is not None
        and not duplicate_keys(raw)
    ):
        return read, ()
    document = read_yaml(raw)
    return document, document.twice


def check_type_named(manifest: Manifest, raw: bytes, wanted: str, api_version: str) -> None:
    """A custom resource must say what it is; raises 400."""
    if not manifest.get("kind"):
        text = go_text(raw)
        start = text if len(text) <= 30 else f"{text[:30]} ..."
        raise bad_request(
            f"the object provided is unrecognized (must be of type {wanted}): Object 'Kind' is missing in '{text}' ({start})"
        )
    if not manifest.get("apiVersion"):
        raise bad_request(f"the API version in the data () does not match the expected API version ({api_version})")


def check_numbers(read: Body, wanted: str, version: str) -> None:
    """A custom resource's numbers must be some, wherever they stand; raises 400."""
    if read.too_large:
        said = f"json: cannot unmarshal number {read.too_large} into Go value of type float64"
        raise bad_request(f'{wanted} in version "{version}" cannot be handled as a {wanted}: {said}')


def _from_protobuf(raw: bytes, wanted: str) -> Manifest:
    try:
        return protobuf.decode(raw)
    except protobuf.Unregistered as error:
        kind = GroupKind("", wanted)
        raise wrong_kind(kind, error.api_version, error.kind, is_known=False) from error
    except protobuf.Undecodable as error:
        version = error.api_version.rpartition("/")[2]
        said = f'{error.kind} in version "{version}" cannot be handled as a {wanted}: {error}'
        raise bad_request(said) from error
    except ValueError as error:
        said = f"the object provided is unrecognized (must be of type {wanted}): {error} ({_beginning(raw)})"
        raise bad_request(said) from error


def _beginning(raw: bytes) -> str:
    """The first bytes for a message: as text when they may be JSON, else in hexadecimal."""
    if not raw:
        return "<empty>"
    start, more = raw[:30], " ..." if len(raw) > 30 else ""
    return (go_text(start) if raw.startswith(b"{") else start.hex()) + more


def _json_type(value: Any) -> str:
    names = {list: "array", str: "string", dict: "object", bool: "bool", type(None): "null"}
    return names.get(type(value), "number")


def duplicate_keys(raw: bytes) -> tuple[str, ...]:
    """Paths of the keys that an object of the document holds more than once, such as `spec.replicas`."""
    if _has_no_duplicates(raw):
        return ()
    # The hook sees inner objects first, so each is remembered by identity until its parent gives it a path.
    found: dict[int, tuple[object, list[str]]] = {}

    def hook(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        twice: list[str] = []
        seen: set[str] = set()
        for key, value in pairs:
            if key in seen:
                twice.append(key)
            seen.add(key)
            twice += [f"{key}{'' if path.startswith('[') else '.'}{path}" for path in _inside(value, found)]
        if twice:
            found[id(made)] = (made, twice)
        return made

    try:
        root = json.loads(raw, object_pairs_hook=hook)
    except (ValueError, RecursionError):
        return ()
    return tuple(dict.fromkeys(_inside(root, found)))


_KEY_END = re.compile(rb'(?<!\\)"\s*:')


def _has_no_duplicates(raw: bytes) -> bool:
    """Whether there are as many keys in the text as in what was read of it. False may also mean that this cannot be told:
    texts that look like keys, and keys that end in a backslash."""
    if b'\\\\"' in raw:
        return False
    try:
        return _count_keys(_decode(raw)) == len(_KEY_END.findall(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        count = len(value)
        for item in value.values():
            if isinstance(item, dict | list):
                count += _count_keys(item)
        return count
    if isinstance(value, list):
        return sum([_count_keys(item) for item in value if isinstance(item, dict | list)])
    return 0


def _inside(value: Any, found: dict[int, tuple[object, list[str]]]) -> list[str]:
    if isinstance(value, dict):
        return found[id(value)][1] if id(value) in found else []
    if isinstance(value, list):
        paths = []
        for index, item in enumerate(value):
            paths += [f"[{index}]{'' if path.startswith('[') else '.'}{path}" for path in _inside(item, found)]
        return paths
    return []
