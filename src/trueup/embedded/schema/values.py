"""Checks of values against one schema, each in the words of kube-apiserver.

Rules: k8s.io/kube-openapi, pkg/validation/validate. Whether items are told apart is `duplicates`' question.
"""

from __future__ import annotations

import math
from typing import Any, Final

from trueup.embedded.gowords import go_float, quoted, shown
from trueup.embedded.schema import formats, patterns
from trueup.embedded.schema.errors import (
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    TOO_LONG,
    TOO_MANY,
    TYPE_INVALID,
    FieldError,
    field_error,
)
from trueup.embedded.schema.node import MISSING, RawSchema, SchemaNode

META: Final = ("apiVersion", "kind", "metadata")


class Result:
    """Errors, and how many checks were made: the alternative with the most checks explains a failed `oneOf` best."""

    __slots__ = ("checks", "errors")

    def __init__(self, *errors: FieldError) -> None:
        self.errors: list[FieldError] = list(errors)
        self.checks = 0

    def merge(self, other: Result | None) -> None:
        if other is not None:
            self.errors += other.errors
            self.checks += other.checks


def check(value: Any, raw: RawSchema, node: SchemaNode | None, path: str, old: Any = MISSING) -> Result:
    """`node` gives the children of a full schema; None inside `allOf`, `oneOf`, `anyOf` and `not`, which refer to nothing.

    `old`: what stood here before, if it can be told. What did not change is not judged again: the schema may have become
    stricter since (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting).
    """
    result = Result()
    if old is not MISSING and _equal(value, old):
        return result
    if node is not None and (node.raw_extension or node.quantity or (node.int_or_string and node.name)):
        return result
    if value is None:
        result.merge(_check_type(value, raw, path))
        result.merge(_check_enum(value, raw, path))
        return result
    checks: list[Result | None] = []
    if raw.get("type") or raw.get("format") or raw.get("x-kubernetes-int-or-string") is True:
        checks.append(_check_type(value, raw, path))
    checks.append(_check_combinations(value, raw, path))
    if isinstance(value, str):
        checks.append(_check_string(value, raw, path))
        if formats.is_known(raw.get("format") or ""):
            checks.append(_check_format(value, raw, path))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        checks.append(_check_number(value, raw, path))
    elif isinstance(value, list):
        checks.append(_check_list(value, raw, node, path, old))
    checks.append(_check_enum(value, raw, path))
    if isinstance(value, dict):
        checks.append(_check_map(value, raw, node, path, old))
    for check in checks:
        result.merge(check)
        result.checks += 1
    result.checks += 1
    return result


def _wrong(path: str, value: Any, text: str) -> FieldError:
    return field_error(path, INVALID, value, f"{path} in body {text}")


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() if -_INT64 <= value < _INT64:
            return "integer"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _check_type(value: Any, raw: RawSchema, path: str) -> Result:
    wanted, found, format_ = raw.get("type") or "", _type_of(value), raw.get("format") or ""
    if raw.get("x-kubernetes-int-or-string") is True:
        wanted = "integer,string" if found not in ("integer", "string") else found
    if value is None:
        fits = not wanted or raw.get("nullable") is True
    else:
        fits = (
            wanted == found
            or (wanted == "number" and found == "integer")
            or (wanted == "integer" and found == "number" and float(value).is_integer() and abs(value) < _EXACT)
            or (not wanted and found != "string")
            or (bool(format_) and found in ("string", "array") and wanted not in ("number", "integer"))
        )
    if fits:
        result = Result()
        result.checks = 1
        return result
    if format_ and found not in ("string", "array", "null"):
        wanted, found = format_, {"integer": "int64", "number": "float64"}.get(found, "")
    detail = f"{path} in body must be of type {wanted}: {quoted(found)}"
    return Result(field_error(path, TYPE_INVALID, found, detail))


def _check_enum(value: Any, raw: RawSchema, path: str) -> Result | None:
    allowed = raw.get("enum")
    if not allowed or any(_equal(value, one) for one in allowed) or (value is None and raw.get("nullable")):
        return None
    texts = ", ".join(quoted(one if isinstance(one, str) else shown(one)) for one in allowed)
    return Result(field_error(path, NOT_SUPPORTED, value, f"supported values: {texts}"))


def _equal(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _check_string(value: str, raw: RawSchema, path: str) -> Result | None:
    longest, shortest, pattern = raw.get("maxLength"), raw.get("minLength"), raw.get("pattern")
    if longest is not None and len(value) > longest:
        return Result(field_error(path, TOO_LONG, None, f"may not be more than {longest} byte{_s(longest)}"))
    if shortest is not None and len(value) < shortest:
        return Result(_wrong(path, value, f"should be at least {shortest} chars long"))
    if pattern:
        try:
            found = patterns.matches(pattern, value)
        except patterns.BadPattern as error:
            return Result(_wrong(path, value, f"should match '{pattern}, but pattern is invalid: {error}'"))
        if not found:
            return Result(_wrong(path, value, f"should match '{pattern}'"))
    return None


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def _check_format(value: str, raw: RawSchema, path: str) -> Result | None:
    name = raw["format"]
    if formats.is_format(name, value):
        return None
    return Result(field_error(path, TYPE_INVALID, value, f"{path} in body must be of type {name}: {quoted(value)}"))


_INT64: Final = 1 << 63
_EXACT: Final = 1 << 53
"""Up to here floats are as exact as integers; a greater one is no integer."""
RANGES: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}


def _check_number(value: float, raw: RawSchema, path: str) -> Result:
    result = Result()
    if raw.get("type") == "integer":
        name = raw.get("format") or ""
        low, high = RANGES["int32" if name == "int32" else "int64"]
        if not (float(value).is_integer() and low <= value <= high):
            text = f"with format {name}" if name else "(default format)"
            # The peer does not say of which field this is.
            detail = f"Checked value must be of type integer {text} in {path}"
            result.errors.append(field_error("", INVALID, "", detail))
    factor = raw.get("multipleOf")
    if factor is not None and isinstance(value, int) and int(factor) <= 0:
        # The peer compares integers with integers, whatever the factor was.
        detail = f"factor MultipleOf declared for {path} must be positive: {int(factor)}"
        result.errors.append(field_error(path, INVALID, int(factor), detail))
    elif factor is not None and not _is_multiple(value, factor):
        result.errors.append(_wrong(path, value, f"should be a multiple of {go_float(factor)}"))
    if (least := raw.get("minimum")) is not None:
        exclusive = raw.get("exclusiveMinimum") is True
        if value < least or (exclusive and value == least):
            words = "greater than" if exclusive else "greater than or equal to"
            result.errors.append(_wrong(path, value, f"should be {words} {_limit(value, least)}"))
    if (most := raw.get("maximum")) is not None:
        exclusive = raw.get("exclusiveMaximum") is True
        if value > most or (exclusive and value == most):
            words = "less than" if exclusive else "less than or equal to"
            result.errors.append(_wrong(path, value, f"should be {words} {_limit(value, most)}"))
    result.checks += 1
    return result


def _limit(value: float, limit: float) -> str:
    """The peer compares integers with integers, and other numbers with other numbers."""
    return str(int(limit)) if isinstance(value, int) else go_float(limit)


def _is_multiple(value: float, factor: float) -> bool:
    if isinstance(value, int):
        return value % int(factor) == 0
    quotient = value / factor
    return math.isclose(quotient, round(quotient), rel_tol=1e-9, abs_tol=1e-9)


def _check_list(value: list[Any], raw: RawSchema, node: SchemaNode | None, path: str, old: Any) -> Result:
    result = Result()
    items = raw.get("items")
    if isinstance(items, dict):
        before = _by_keys(old, raw)
        for index, item in enumerate(value):
            was = before.get(_keys_of(item, raw), MISSING) if before else MISSING
            result.merge(_check_child(item, items, node.items if node else None, f"{path}[{index}]", was))
    least, most = raw.get("minItems"), raw.get("maxItems")
    if least is not None and len(value) < least:
        result.errors.append(
            field_error(path, INVALID, len(value), f"{path} in body should have at least {least} items")
        )
    if most is not None and len(value) > most:
        result.errors.append(field_error(path, TOO_MANY, len(value), f"must have at most {most} item{_s(most)}"))
    if raw.get("uniqueItems") and any(_equal(a, b) for at, a in enumerate(value) for b in value[:at]):
        result.errors.append(field_error(path, INVALID, "", f"{path} in body shouldn't contain duplicates"))
    result.checks += 1
    return result


def _by_keys(old: Any, raw: RawSchema) -> dict[tuple[str, ...], Any]:
    """The items that stood in a list before, by their keys: only those of a list of type map can be found again."""
    if not isinstance(old, list) or raw.get("x-kubernetes-list-type") != "map":
        return {}
    return {_keys_of(item, raw): item for item in old}


def _keys_of(item: Any, raw: RawSchema) -> tuple[str, ...]:
    names = raw.get("x-kubernetes-list-map-keys") or ()
    return tuple(repr(item.get(name)) for name in names) if isinstance(item, dict) else ()


def _check_child(value: Any, raw: RawSchema, node: SchemaNode | None, path: str, old: Any) -> Result:
    return check(value, node.raw if node is not None else raw, node, path, old)


def _check_map(value: dict[str, Any], raw: RawSchema, node: SchemaNode | None, path: str, old: Any) -> Result:
    result = Result()
    before = old if isinstance(old, dict) else {}
    least, most = raw.get("minProperties"), raw.get("maxProperties")
    if least is not None and len(value) < least:
        result.errors.append(
            field_error(path, INVALID, len(value), f"{path} in body should have at least {least} properties")
        )
    if most is not None and len(value) > most:
        result.errors.append(field_error(path, TOO_MANY, len(value), f"must have at most {most} item{_s(most)}"))
    declared: dict[str, Any] = raw.get("properties") or {}
    extra = raw.get("additionalProperties")
    meta: tuple[str, ...] = META if node is not None and node.is_resource else ()
    for key, item in value.items():
        if key in declared or key in meta:
            continue
        if isinstance(extra, dict):
            below = node.additional if node is not None else None
            place = f"{path}.{key}" if path else f".{key}"
            result.merge(_check_child(item, extra, below, place, before.get(key, MISSING)))
        elif extra is False:
            text = f"{path}.{key} in body is a forbidden property"
            result.errors.append(field_error(path, INVALID, key, text))
    for key, schema in declared.items():
        if key in value and key == "metadata" and meta:
            # Of metadata a schema may limit the name, and says nothing else.
            place = f"{path}.{key}" if path else key
            result.merge(check(value[key], schema, None, place, before.get(key, MISSING)))
        elif key in value and key not in meta:
            below = node.properties.get(key) if node is not None else None
            place = f"{path}.{key}" if path else key
            result.merge(_check_child(value[key], schema, below, place, before.get(key, MISSING)))
    for key in raw.get("required") or ():
        if key not in value:
            result.errors.append(field_error(f"{path}.{key}" if path else key, REQUIRED))
    return result


def _check_combinations(value: Any, raw: RawSchema, path: str) -> Result:
    result = Result()
    if any_of := raw.get("anyOf"):
        result.merge(_any_of(value, any_of, path))
    if one_of := raw.get("oneOf"):
        result.merge(_one_of(value, one_of, path))
    if all_of := raw.get("allOf"):
        parts = [check(value, part, None, path) for part in all_of]
        for part in parts:
            result.merge(part)
        valid = sum(not part.errors for part in parts)
        if valid != len(parts):
            none = "" if valid else ". None validated"
            result.errors.append(_combined(path, f"must validate all the schemas (allOf){none}"))
    if (forbidden := raw.get("not")) is not None and not check(value, forbidden, None, path).errors:
        result.errors.append(_combined(path, "must not validate the schema (not)"))
    result.checks += 1
    return result


def _combined(path: str, text: str) -> FieldError:
    return field_error("", INVALID, "", f"{quoted(path)} {text}")


def _any_of(value: Any, schemas: list[RawSchema], path: str) -> Result:
    best: Result | None = None
    for schema in schemas:
        part = check(value, schema, None, path)
        if not part.errors:
            return part
        if best is None or part.checks > best.checks:
            best = part
    result = Result(_combined(path, "must validate at least one schema (anyOf)"))
    result.merge(best)
    return result


def _one_of(value: Any, schemas: list[RawSchema], path: str) -> Result:
    parts = [check(value, schema, None, path) for schema in schemas]
    valid = [part for part in parts if not part.errors]
    if len(valid) == 1:
        return valid[0]
    found = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
    result = Result(_combined(path, f"must validate one and only one schema (oneOf). {found}"))
    if not valid:
        result.merge(max(parts, key=lambda part: part.checks))
    return result
