"""Request bodies: read with a limit, decoded by content type, with what a strict reader would complain about.

JSON, YAML and Kubernetes' protobuf are read. A YAML body goes through the same JSON reader, as the real server does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from trueup.embedded.api.gojson import syntax_error
from trueup.embedded.api.negotiation import JSON, YAML
from trueup.embedded.api.protobuf import decode as protobuf
from trueup.embedded.api.refusals import GroupKind, bad_request, unsupported_media_type, wrong_kind
from trueup.embedded.api.yamlkeys import keys_twice
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest

LIMIT = 3 * 1024 * 1024
ACCEPTED = (JSON, YAML, protobuf.MEDIA_TYPE)

_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_decode = msgspec.json.Decoder().decode


class Body(Struct, frozen=True):
    """A decoded object, and the paths of keys that stood twice (found only when asked for)."""

    manifest: Manifest
    duplicates: tuple[str, ...] = ()


def media_type_of(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower() or JSON


def decode_any(raw: bytes, media_type: str = JSON) -> Any:
    """Any JSON value; raises 400 with the reader's words."""
    if media_type == YAML:
        return _from_yaml(raw)
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"error decoding the request body: {error}") from error


def decode_object(raw: bytes, content_type: str, *, find_duplicates: bool, wanted: str = "Object") -> Body:
    """An object from a create or update, of the kind `wanted`; raises 400 or 415."""
    media_type = media_type_of(content_type)
    if media_type not in ACCEPTED:
        raise unsupported_media_type(ACCEPTED)
    if media_type == protobuf.MEDIA_TYPE:
        return Body(_from_protobuf(raw, wanted))
    head = f"the object provided is unrecognized (must be of type {wanted})"
    unread = f"{head}: couldn't get version/kind; json parse error"
    try:
        value = decode_any(raw, media_type)
    except ApiError as error:
        if media_type == YAML:
            raise bad_request(f"{head}: {error.message} ({_beginning(raw)})") from error
        reason = syntax_error(raw) or error.message
        raise bad_request(f"{unread}: {reason} ({_beginning(raw)})") from error
    if value is None and raw.strip():
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
    duplicates: tuple[str, ...] = ()
    if find_duplicates and media_type == JSON:
        duplicates = duplicate_keys(raw)
    elif find_duplicates and (lines := keys_twice(raw)):
        duplicates = ("yaml: unmarshal errors:\n  " + "\n  ".join(lines),)
    return Body(value, duplicates)


def check_type_named(manifest: Manifest, raw: bytes, wanted: str, api_version: str) -> None:
    """A custom resource must say what it is; raises 400."""
    if not manifest.get("kind"):
        text = raw.decode(errors="replace")
        start = text if len(text) <= 30 else f"{text[:30]} ..."
        raise bad_request(
            f"the object provided is unrecognized (must be of type {wanted}): Object 'Kind' is missing in '{text}' ({start})"
        )
    if not manifest.get("apiVersion"):
        raise bad_request(f"the API version in the data () does not match the expected API version ({api_version})")


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
    return (start.decode(errors="replace") if raw.startswith(b"{") else start.hex()) + more


def _json_type(value: Any) -> str:
    names = {list: "array", str: "string", dict: "object", bool: "bool", type(None): "null"}
    return names.get(type(value), "number")


class _Loader(yaml.CSafeLoader):
    """Timestamps stay text, as they do in every Kubernetes reader."""


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for sign, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))  # as Go's reader has it
_Loader.bool_values = {**yaml.CSafeLoader.bool_values, "y": True, "n": False}


def _from_yaml(raw: bytes) -> Any:
    if raw.lstrip()[:1] == b"{":  # JSON is YAML, and what nearly all clients send under that name
        try:
            return _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    try:
        # An alias multiplies memory, and no client writes one in a request.
        if b"*" in raw and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(raw, Loader=_Loader)):
            raise bad_request("YAML aliases are not accepted in request bodies: write the value out")
        value = yaml.load(raw, Loader=_Loader)  # noqa: S506 (a SafeLoader)
        return _decode(msgspec.json.encode(value))
    except yaml.MarkedYAMLError as error:
        raise bad_request(f"yaml: {_yaml_problem(error)}") from error
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from error


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    """The problem with its line, as go-yaml tells it: the first line is not told, scanners count from one."""
    marks = (mark.line for mark in (error.context_mark, error.problem_mark) if mark is not None and mark.line)
    line = next(marks, 0)
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    return f"line {line}: {error.problem}" if line else str(error.problem)


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
