"""Structural OpenAPI v3 schemas from msgspec structs: types, patterns, enums and, from the docstrings, descriptions.

Only what a CRD may say: no `$ref`, no `nullable`, a type at every node. Defaults of Python fields are ours and are left
out; a default that the API server shall write stands in the field's `extra_json_schema`.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from functools import cache
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

Schema: TypeAlias = dict[str, Any]

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}

Duration: TypeAlias = Annotated[str, Meta(pattern=DURATION_PATTERN)]
Time: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Int64: TypeAlias = Annotated[int, Meta(extra_json_schema={"format": "int64"})]
AnyObject: TypeAlias = Annotated[dict[str, Any], Meta(extra_json_schema=PRESERVE)]
"""An object whose inside is another schema's business; nothing in it is pruned."""


def schema_of(type_: type[msgspec.Struct], *, described: bool = True) -> Schema:
    """The schema of a struct, whole, with nested structs written out. Descriptions are read from sources, which takes its time."""
    return _schema(msgspec.inspect.type_info(type_), described)


def _schema(node: msgspec.inspect.Type, described: bool) -> Schema:
    match node:
        case msgspec.inspect.Metadata(type=inner, extra_json_schema=extra):
            return {**_schema(inner, described), **(extra or {})}
        case msgspec.inspect.UnionType(types=types):
            return _union([item for item in types if not isinstance(item, msgspec.inspect.NoneType)], described)
        case msgspec.inspect.StructType():
            return _struct(node, described)
        case msgspec.inspect.StrType():
            return _given(
                {"type": "string"}, pattern=node.pattern, minLength=node.min_length, maxLength=node.max_length
            )
        case msgspec.inspect.BoolType():
            return {"type": "boolean"}
        case msgspec.inspect.IntType():
            return _given({"type": "integer"}, minimum=node.ge, maximum=node.le)
        case msgspec.inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            return {"type": "array", "items": _schema(item, described)}
        case msgspec.inspect.DictType(value_type=value):
            if isinstance(value, msgspec.inspect.AnyType):
                return {"type": "object"}
            return {"type": "object", "additionalProperties": _schema(value, described)}
        case msgspec.inspect.AnyType():
            return dict(PRESERVE)
    raise TypeError(f"{node} has no place in a CRD schema")


def _union(types: list[msgspec.inspect.Type], described: bool) -> Schema:
    if len(types) == 1:
        return _schema(types[0], described)
    if {type(item) for item in types} == {msgspec.inspect.IntType, msgspec.inspect.StrType}:
        return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
    raise TypeError(f"a CRD schema cannot say {types}")


def _struct(node: msgspec.inspect.StructType, described: bool) -> Schema:
    docs = _field_docs(node.cls) if described else {}
    properties: Schema = {}
    for field in sorted(node.fields, key=lambda field: field.encode_name):
        schema = _schema(field.type, described)
        if doc := docs.get(field.name):
            schema = {"description": doc, **schema}
        properties[field.encode_name] = schema
    required = sorted(field.encode_name for field in node.fields if field.required)
    return _given({"type": "object", "properties": properties}, required=required or None)


def _given(schema: Schema, **more: object) -> Schema:
    return {**schema, **{key: value for key, value in more.items() if value is not None}}


@cache
def _field_docs(cls: type) -> dict[str, str]:
    """The strings that stand under the fields, by field; nothing where the source is not at hand (a frozen build)."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, msgspec.Struct) or base is msgspec.Struct:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for field, text in itertools.pairwise(body):
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            if (
                isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                docs[field.target.id] = inspect.cleandoc(text.value.value).replace("\n", " ")
    return docs
