"""All that the schema of a CustomResourceDefinition must and must not say, beyond being structural.

Rules: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation (ValidateCustomResourceDefinitionOpenAPISchema) and
pkg/apiserver/schema/defaulting/validation.go. The rules in `x-kubernetes-validations` are looked at, not compiled.
"""

from __future__ import annotations

from typing import Any, Final

from trueup.embedded.schema.errors import FORBIDDEN, INVALID, NOT_SUPPORTED, REQUIRED, FieldError, field_error
from trueup.embedded.schema.node import RawSchema, SchemaNode
from trueup.embedded.schema.prune import prune
from trueup.embedded.schema.structural import structural, structural_errors
from trueup.embedded.schema.validate import validate_default

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_META: Final = ("apiVersion", "kind", "metadata")
_NOT_SUPPORTED: Final = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_ROOT_WITH_STATUS: Final = (
    *("description", "type", "format", "title", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    *("maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "required", "items"),
    *("properties", "externalDocs", "example", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
)
_MAP_KEYS: Final = "x-kubernetes-list-map-keys"


def crd_schema_errors(
    crd_schema: RawSchema, path: str = "openAPIV3Schema", *, status_subresource: bool = False
) -> list[FieldError]:
    """What kube-apiserver refuses in a version's `schema.openAPIV3Schema`; `path` is where that stands."""
    errors: list[FieldError] = []
    if status_subresource and crd_schema.get("type") != "object":
        text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        errors.append(field_error(f"{path}.type", INVALID, crd_schema.get("type") or "", text))
    if status_subresource and any(key not in _ROOT_WITH_STATUS for key in crd_schema):
        names = " ".join(_go_name(name) for name in _ROOT_WITH_STATUS)
        text = f"only [{names}] fields are allowed at the root of the schema if the status subresource is enabled"
        errors.append(field_error(path, INVALID, crd_schema, text))
    if crd_schema.get("nullable") is True:
        errors.append(field_error(f"{path}.nullable", FORBIDDEN, detail="nullable cannot be true at the root"))
    if _says_unsupported(crd_schema):
        pass  # told below; whether the rest is structural cannot be said
    elif found := structural_errors(crd_schema, path):
        errors += found
    else:
        _defaults(crd_schema, structural(crd_schema), path, errors)
    _openapi(crd_schema, path, errors, root=True)
    return errors


def _says_unsupported(raw: RawSchema) -> bool:
    below = [value for key in ("not", "items", "additionalProperties") if isinstance(value := raw.get(key), dict)]
    below += [part for key in ("allOf", "anyOf", "oneOf") for part in raw.get(key) or []]
    below += (raw.get("properties") or {}).values()
    return (
        any(raw.get(key) for key in _NOT_SUPPORTED)
        or isinstance(raw.get("items"), list)
        or any(map(_says_unsupported, below))
    )


def _go_name(keyword: str) -> str:
    """`x-kubernetes-validations` -> `XValidations`, as Go names the field."""
    words = keyword.replace("x-kubernetes-", "x-").split("-")
    return "".join(word[:1].upper() + word[1:] for word in words)


def _openapi(
    raw: RawSchema,
    path: str,
    errors: list[FieldError],
    *,
    root: bool = False,
    in_meta: bool = False,
    no_default: str = "",
) -> None:
    _keywords(raw, path, errors, in_meta, no_default)
    if raw.get("uniqueItems") is True:
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(field_error(f"{path}.uniqueItems", FORBIDDEN, detail=text))
    extra, properties = raw.get("additionalProperties"), raw.get("properties") or {}
    if extra is not None:
        if properties and extra is not True:
            text = "additionalProperties and properties are mutual exclusive"
            errors.append(field_error(f"{path}.additionalProperties", FORBIDDEN, detail=text))
        if isinstance(extra, dict):
            why = "inside additionalProperties applying to object metadata" if in_meta else no_default
            _openapi(extra, f"{path}.additionalProperties", errors, in_meta=in_meta, no_default=why)
    for name, below in properties.items():
        meta = (root or raw.get("x-kubernetes-embedded-resource") is True) and name in _META
        why = f"in top-level {name}" if meta and root else no_default
        _openapi(below, f"{path}.properties[{name}]", errors, in_meta=in_meta or meta, no_default=why)
    for keyword in ("not", "items"):
        if isinstance(raw.get(keyword), dict):
            _openapi(raw[keyword], f"{path}.{keyword}", errors, in_meta=in_meta, no_default=no_default)
    for keyword in ("allOf", "oneOf", "anyOf"):
        for index, below in enumerate(raw.get(keyword) or []):
            _openapi(below, f"{path}.{keyword}[{index}]", errors, in_meta=in_meta, no_default=no_default)
    _extensions(raw, path, errors)
    _list_map(raw, path, errors)
    _identifying(raw, path, errors)
    _validations(raw, path, errors)


def _keywords(raw: RawSchema, path: str, errors: list[FieldError], in_meta: bool, no_default: str) -> None:
    kind = raw.get("type") or ""
    if kind and kind not in _TYPES:
        texts = ", ".join(f'"{one}"' for one in _TYPES)
        errors.append(field_error(f"{path}.type", NOT_SUPPORTED, kind, f"supported values: {texts}"))
    if raw.get("default") is not None and no_default:
        errors.append(field_error(f"{path}.default", FORBIDDEN, detail=f"must not be set {no_default}"))
    errors += [
        field_error(f"{path}.{keyword}", FORBIDDEN, detail=f"{keyword} is not supported")
        for keyword in _NOT_SUPPORTED
        if raw.get(keyword)
    ]
    if kind == "null":
        text = "type cannot be set to null, use nullable as an alternative"
        errors.append(field_error(f"{path}.type", FORBIDDEN, detail=text))
    if isinstance(raw.get("items"), list):
        errors.append(field_error(f"{path}.items", FORBIDDEN, detail="items must be a schema object and not an array"))
    if in_meta and raw.get("x-kubernetes-embedded-resource") is True:
        text = "must not be used inside of resource meta"
        errors.append(field_error(f"{path}.x-kubernetes-embedded-resource", FORBIDDEN, detail=text))


def _extensions(raw: RawSchema, path: str, errors: list[FieldError]) -> None:
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        errors.append(field_error(where, INVALID, False, "must be true or undefined"))
    kind = raw.get("type") or ""
    for keyword, wanted, values in (
        ("x-kubernetes-map-type", "object", ("atomic", "granular")),
        ("x-kubernetes-list-type", "array", ("atomic", "set", "map")),
    ):
        value = raw.get(keyword)
        if value is None:
            continue
        if kind != wanted:
            text = f"must be {wanted} if {keyword} is specified"
            errors.append(field_error(f"{path}.type", INVALID if kind else REQUIRED, kind, text))
        elif value == "set":
            _set_items(raw.get("items") or {}, path, errors)
        if value not in values:
            texts = ", ".join(f'"{one}"' for one in values)
            errors.append(field_error(f"{path}.{keyword}", NOT_SUPPORTED, value, f"supported values: {texts}"))


def _set_items(items: RawSchema, path: str, errors: list[FieldError]) -> None:
    text = "must be atomic as item of a list with x-kubernetes-list-type=set"
    list_type = items.get("x-kubernetes-list-type")
    if items.get("type") == "array" and list_type not in (None, "atomic"):
        errors.append(field_error(f"{path}.items.x-kubernetes-list-type", INVALID, list_type, text))
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        errors.append(field_error(f"{path}.items.x-kubernetes-map-type", INVALID, list_type, text))


def _list_map(raw: RawSchema, path: str, errors: list[FieldError]) -> None:
    keys, list_type, items = raw.get(_MAP_KEYS) or [], raw.get("x-kubernetes-list-type"), raw.get("items")
    if keys and list_type != "map":
        text = f"must be map if {_MAP_KEYS} is non-empty"
        reason = REQUIRED if list_type is None else INVALID
        errors.append(field_error(f"{path}.x-kubernetes-list-type", reason, list_type, text))
    if list_type != "map":
        return
    if not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        errors.append(field_error(f"{path}.{_MAP_KEYS}", REQUIRED, detail=text))
    if not isinstance(items, dict):
        text = "must have a schema if x-kubernetes-list-type is map"
        errors.append(field_error(f"{path}.items", REQUIRED, detail=text))
        return
    if items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        errors.append(field_error(f"{path}.items.type", INVALID, items.get("type") or "", text))
        return
    properties: dict[str, Any] = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            text = "entries must all be names of item properties"
            errors.append(field_error(f"{path}.{_MAP_KEYS}", INVALID, keys, text))
        elif properties[key].get("type") in ("array", "object"):
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(field_error(f"{path}.items.properties[{key}].type", INVALID, "object", text))
        if key in keys[:index]:
            errors.append(field_error(f"{path}.{_MAP_KEYS}", INVALID, keys, "must not contain duplicate entries"))


def _identifying(raw: RawSchema, path: str, errors: list[FieldError]) -> None:
    """What tells items apart must always be there."""
    items, list_type = raw.get("items"), raw.get("x-kubernetes-list-type")
    if not isinstance(items, dict) or list_type not in ("set", "map"):
        return
    if items.get("nullable") is True:
        text = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        errors.append(field_error(f"{path}.items.nullable", FORBIDDEN, detail=text))
    if list_type == "set":
        return
    properties: dict[str, Any] = items.get("properties") or {}
    for key in raw.get(_MAP_KEYS) or []:
        if (field := properties.get(key)) is None:
            continue
        where = f"{path}.items.properties[{key}]"
        if key not in (items.get("required") or []) and field.get("default") is None:
            text = f"this property is in {_MAP_KEYS}, so it must have a default or be a required property"
            errors.append(field_error(f"{where}.default", REQUIRED, detail=text))
        if field.get("nullable") is True:
            text = f"this property is in {_MAP_KEYS}, so it cannot be nullable"
            errors.append(field_error(f"{where}.nullable", FORBIDDEN, detail=text))


def _validations(raw: RawSchema, path: str, errors: list[FieldError]) -> None:
    for index, rule in enumerate(raw.get("x-kubernetes-validations") or []):
        where = f"{path}.x-kubernetes-validations[{index}]"
        text, message = str(rule.get("rule") or "").strip(), str(rule.get("message") or "")
        if not text:
            errors.append(field_error(f"{where}.rule", REQUIRED, detail="rule is not specified"))
        elif message and not message.strip():
            errors.append(field_error(f"{where}.message", INVALID, message, "must be non-empty if specified"))
        elif "\n" in message.strip():
            errors.append(field_error(f"{where}.message", INVALID, message, "must not contain line breaks"))
        elif "\n" in text and not message.strip():
            detail = "message must be specified if rule contains line breaks"
            errors.append(field_error(f"{where}.message", REQUIRED, detail=detail))


def _defaults(raw: RawSchema, node: SchemaNode, path: str, errors: list[FieldError]) -> None:
    """A default must itself fit the schema of its place."""
    default = raw.get("default")
    if default is not None:
        where = f"{path}.default"
        if isinstance(default, dict | list) and prune(node, default)[0] != default:  # type: ignore[arg-type]
            errors.append(field_error(where, INVALID, default, "must not have unknown fields"))
        errors += validate_default(node, default, at=where)
    for name, below in (raw.get("properties") or {}).items():
        child = node.properties.get(name)
        if child is not None and not (node.is_resource and name in _META):
            _defaults(below, child, f"{path}.properties[{name}]", errors)
    if isinstance(raw.get("items"), dict):
        _defaults(raw["items"], node.items, f"{path}.items", errors)
    extra = raw.get("additionalProperties")
    if isinstance(extra, dict) and node.additional is not None:
        _defaults(extra, node.additional, f"{path}.additionalProperties", errors)
