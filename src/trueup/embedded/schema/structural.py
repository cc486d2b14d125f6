"""Schemas of custom resources: the rules that make one structural, and its node.

Rules: k8s.io/apiextensions-apiserver, pkg/apiserver/schema/validation.go; https://kubernetes.io/docs/tasks/extend-kubernetes/
custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from trueup.embedded.schema import patterns
from trueup.embedded.schema.builtin import BuiltinSchemas
from trueup.embedded.schema.errors import FORBIDDEN, INVALID, REQUIRED, FieldError, field_error
from trueup.embedded.schema.node import Lookup, RawSchema, ResourceNode, SchemaNode

_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_ROOT, _ITEM, _FIELD = "root", "item", "field"
_MISSING_TYPE: Final = {
    _ROOT: "must not be empty at the root",
    _ITEM: "must not be empty for specified array items",
    _FIELD: "must not be empty for specified object fields",
}


class NotStructural(ValueError):
    """A schema that breaks the rules. The paths of `errors` begin with `openAPIV3Schema`."""

    def __init__(self, errors: list[FieldError]) -> None:
        self.errors = errors
        super().__init__("; ".join(map(str, errors)))


def structural(crd_schema: RawSchema, lookup: Lookup | None = None) -> SchemaNode:
    """The node of a version's `schema.openAPIV3Schema`. Raises NotStructural.

    `lookup` finds ObjectMeta; without one it comes from the built-in schemas.
    """
    if errors := structural_errors(crd_schema):
        raise NotStructural(errors)
    return ResourceNode(crd_schema, lookup or _builtins().definition)


@cache
def _builtins() -> BuiltinSchemas:
    return BuiltinSchemas.load()


def structural_errors(crd_schema: RawSchema, path: str = "openAPIV3Schema") -> list[FieldError]:
    """What keeps a schema from being structural, in the server's order."""
    errors: list[FieldError] = []
    _invariants(crd_schema, _ROOT, path, errors)
    _completeness(crd_schema, crd_schema, path, path, errors)
    return sorted(errors, key=str)


def _invariants(raw: RawSchema, level: str, path: str, errors: list[FieldError]) -> None:
    kind = raw.get("type") or ""
    properties: dict[str, RawSchema] = raw.get("properties") or {}
    items, extra = raw.get("items"), raw.get("additionalProperties")
    embedded = raw.get("x-kubernetes-embedded-resource") is True
    if kind == "array" and not isinstance(items, dict):
        errors.append(field_error(f"{path}.items", REQUIRED, detail="must be specified"))
    if isinstance(items, dict):
        _invariants(items, _ITEM, f"{path}.items", errors)
    for name, below in properties.items():
        _invariants(below, _FIELD, f"{path}.properties[{name}]", errors)
    if extra is not None and extra is not False:
        if level == _ROOT:
            errors.append(field_error(f"{path}.additionalProperties", FORBIDDEN, detail="must not be used at the root"))
        if isinstance(extra, dict):
            _invariants(extra, _FIELD, f"{path}.additionalProperties", errors)
    _extensions(raw, path, errors)
    _value_validation(raw, path, errors)
    _types(raw, kind, level, embedded, path, errors)
    if embedded and extra is not None:
        text = "must not be used if x-kubernetes-embedded-resource is set"
        errors.append(field_error(f"{path}.additionalProperties", FORBIDDEN, detail=text))
    if level == _ROOT or embedded:
        for name in ("kind", "apiVersion"):
            found = properties.get(name)
            if found is not None and found.get("type") != "string":
                value = found.get("type") or ""
                errors.append(field_error(f"{path}.properties[{name}].type", INVALID, value, "must be string"))
    if (metadata := properties.get("metadata")) is not None:
        _metadata(metadata, level, embedded, f"{path}.properties[metadata]", errors)
    if embedded and raw.get("x-kubernetes-preserve-unknown-fields") is not True and not properties:
        text = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        errors.append(field_error(f"{path}.properties", REQUIRED, detail=text))


def _types(raw: RawSchema, kind: str, level: str, embedded: bool, path: str, errors: list[FieldError]) -> None:
    if embedded and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        reason = INVALID if kind else REQUIRED
        errors.append(field_error(f"{path}.type", reason, kind, text))
    elif not kind and not _is(raw, "int-or-string") and not _is(raw, "preserve-unknown-fields"):
        errors.append(field_error(f"{path}.type", REQUIRED, detail=_MISSING_TYPE[level]))
    if level == _ROOT and kind and kind != "object":
        errors.append(field_error(f"{path}.type", INVALID, kind, "must be object at the root"))


def _is(raw: RawSchema, extension: str) -> bool:
    return raw.get(f"x-kubernetes-{extension}") is True


def _extensions(raw: RawSchema, path: str, errors: list[FieldError]) -> None:
    if _is(raw, "int-or-string"):
        for name in ("preserve-unknown-fields", "embedded-resource"):
            if _is(raw, name):
                text = "must be false if x-kubernetes-int-or-string is true"
                errors.append(field_error(f"{path}.x-kubernetes-{name}", INVALID, True, text))


def _metadata(raw: RawSchema, level: str, embedded: bool, path: str, errors: list[FieldError]) -> None:
    kind = raw.get("type") or ""
    if (level == _ROOT or embedded) and kind != "object":
        errors.append(field_error(f"{path}.type", INVALID, kind, "must be object"))
    if level == _ROOT:
        names = set(raw.get("properties") or ())
        rest = {key for key in raw if key not in ("type", "description", "properties", "default")}
        if rest or names - {"name", "generateName"}:
            text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            errors.append(field_error(path, FORBIDDEN, detail=text))


def _value_validation(
    raw: RawSchema, path: str, errors: list[FieldError], *, skip_any_of: bool = False, skip_first_all_of: bool = False
) -> None:
    any_of, all_of = raw.get("anyOf") or [], raw.get("allOf") or []
    if not (skip_any_of or any_of == _INT_OR_STRING):
        for index, part in enumerate(any_of):
            _nested(part, f"{path}.anyOf[{index}]", errors)
    for index, part in enumerate(all_of):
        skip = index == 0 and (skip_first_all_of or part.get("anyOf") == _INT_OR_STRING)
        _nested(part, f"{path}.allOf[{index}]", errors, skip_any_of=skip, validations_allowed=True)
    for index, part in enumerate(raw.get("oneOf") or []):
        _nested(part, f"{path}.oneOf[{index}]", errors)
    if isinstance(raw.get("not"), dict):
        _nested(raw["not"], f"{path}.not", errors)
    if pattern := raw.get("pattern"):
        try:
            patterns.compiled(pattern)
        except patterns.BadPattern as error:
            text = f"must be a valid regular expression, but isn't: {error}"
            errors.append(field_error(f"{path}.pattern", INVALID, pattern, text))


_FORBIDDEN_NESTED: Final = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
)


def _nested(
    raw: RawSchema,
    path: str,
    errors: list[FieldError],
    *,
    skip_any_of: bool = False,
    validations_allowed: bool = False,
) -> None:
    """The rules inside allOf, anyOf, oneOf and not: they may judge values but not say what a place is."""
    if skip_any_of:
        raw = {key: value for key, value in raw.items() if key != "anyOf"}
    _value_validation(raw, path, errors)
    if isinstance(raw.get("items"), dict):
        _nested(raw["items"], f"{path}.items", errors)
    for name, below in (raw.get("properties") or {}).items():
        _nested(below, f"{path}.properties[{name}]", errors)
    for key, text in _FORBIDDEN_NESTED:
        if raw.get(key):
            errors.append(field_error(f"{path}.{key}", FORBIDDEN, detail=text))
    if raw.get("x-kubernetes-validations") and not validations_allowed:
        errors.append(
            field_error(f"{path}.x-kubernetes-validations", FORBIDDEN, detail="must be empty to be structural")
        )
    if "metadata" in (raw.get("properties") or {}):
        text = "must not be specified in a nested context"
        errors.append(field_error(f"{path}.properties[metadata]", FORBIDDEN, detail=text))


def _completeness(nested: RawSchema, full: RawSchema | None, base: str, path: str, errors: list[FieldError]) -> None:
    """Every place that a nested schema at `path` speaks of must be declared outside of it, at `base`."""
    if isinstance(nested.get("not"), dict):
        _declared(nested["not"], full, base, f"{path}.not", errors)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(nested.get(keyword) or []):
            _declared(part, full, base, f"{path}.{keyword}[{index}]", errors)


def _declared(nested: RawSchema, full: RawSchema | None, base: str, path: str, errors: list[FieldError]) -> None:
    if full is None:
        errors.append(field_error(base, REQUIRED, detail=f"because it is defined in {path}"))
        return
    _completeness(nested, full, base, path, errors)
    if isinstance(nested.get("items"), dict):
        items = full.get("items")
        below = items if isinstance(items, dict) else None
        _declared(nested["items"], below, f"{base}.items", f"{path}.items", errors)
    declared: dict[str, Any] = full.get("properties") or {}
    for name, below in (nested.get("properties") or {}).items():
        place = f".properties[{name}]"
        if name in declared:
            _declared(below, declared[name], base + place, path + place, errors)
        else:
            errors.append(field_error(base + place, REQUIRED, detail=f"because it is defined in {path}{place}"))
