"""From a served resource to a struct, and small readings that every dialect shares. Wrong shapes name their path."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from trueup.dialects.schema import Schema, schema_of
from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.manifest import Manifest, annotations_of, metadata_of, ref_of
from trueup.model.refs import ObjectRef

T = TypeVar("T", bound=msgspec.Struct)

OWN_ANNOTATIONS = "trueup.dev/"
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def read_struct(type_: type[T], value: object, *, ref: ObjectRef, root: str) -> T:
    """`value` as the struct. Unknown fields pass, for a newer schema may know them; null means unset, as in Kubernetes.

    Raises InvalidInput with the field's path (`spec.images[0].name`).
    """
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError:
        pass
    try:
        return msgspec.convert(_without_nulls(value), type_)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        path = path.strip("`")
        field = path.replace("$", root, 1) or root
        raise InvalidInput(
            message, ref=ref, field=field, hint=_advice(schema_of(type_, described=False), path)
        ) from error


def _advice(schema: Schema, path: str) -> str:
    """What may stand at a path such as `$.images[0].name`."""
    for name, number in _STEP.findall(path.removeprefix("$")):
        below = schema.get("items") if number else schema.get("properties", {}).get(name)
        schema = below or schema.get("additionalProperties") or {}
    if allowed := schema.get("enum"):
        return f"allowed: {', '.join(each or 'an empty text' for each in allowed)}"
    if "(ms|s|m" in schema.get("pattern", ""):
        return 'write a duration such as "10m" or "1h30m"'
    return "see `kubectl explain` for this field"


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def read_duration(text: str, *, ref: ObjectRef, field: str) -> timedelta:
    try:
        return parse_duration(text)
    except InvalidInput as error:
        raise InvalidInput(error.message, ref=ref, field=field, hint=error.hint) from error


def not_built(ref: ObjectRef, fields: list[str]) -> None:
    """Raises NotBuiltYet naming every field at once, so that a user sees the whole list; nothing when it is empty."""
    if not fields:
        return
    names = ", ".join(fields)
    is_are = "is" if len(fields) == 1 else "are"
    raise NotBuiltYet(
        f"{names} {is_are} not built yet; nothing was applied",
        ref=ref,
        field=fields[0].split("=")[0],
        hint="remove it, or keep this resource with its present controller until Trueup can do it",
    )


def digest_of(*values: object) -> str:
    """A stable short digest of JSON-like values; the order of keys plays no part."""
    return hashlib.sha256(msgspec.json.encode(values, order="sorted")).hexdigest()[:32]


def own_annotations(obj: Manifest) -> dict[str, str]:
    """The annotations of our own group (a pinned revision, for one): changing one is a request."""
    return {key: value for key, value in annotations_of(obj).items() if key.startswith(OWN_ANNOTATIONS)}


def format_time(value: datetime) -> str:
    """RFC 3339, UTC, whole seconds, as metav1.Time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: object) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def rows_of(value: object) -> list[dict[str, Any]]:
    """A list of objects as served; anything else in it is left out."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def finalizers_of(obj: Manifest) -> list[str]:
    value = metadata_of(obj).get("finalizers")
    return [str(item) for item in value] if isinstance(value, list) else []


def identity(obj: Manifest) -> ObjectRef:
    """The resource's ref; an error without a name would help nobody."""
    ref = ref_of(obj)
    if not ref.name:
        raise InvalidInput("the resource has no name", ref=ref, field="metadata.name")
    return ref
