"""An OpenAPI v2 document as the protobuf message `openapi.v2.Document`, which Go clients of Kubernetes read.

The field numbers are those of the public schema: https://github.com/google/gnostic-models/blob/main/openapiv2/OpenAPIv2.proto
What a document of Kubernetes never holds (files, OAuth, XML) is not in the tables; vendor extensions (`x-...`) all are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from trueup.embedded.api.openapi_v2.yamltext import yaml_text
from trueup.embedded.api.protobuf.write import (
    Message,
    Put,
    boolean,
    double,
    integer,
    message,
    messages,
    named,
    text,
    texts,
)

MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
OLD_MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
"""What clients ask for to this day; the answer names the other."""

_YAML = text(2)


def _any(value: Any) -> bytes:
    """`Any`: a value of any form travels as YAML text."""
    return _YAML(yaml_text(value))


def _extensions(number: int) -> Callable[[str], tuple[int, Put] | None]:
    field = (number, named(number, _any))
    return lambda key: field if key.startswith("x-") else None


def _numbered(**puts: Callable[[int], Put]) -> dict[str, tuple[int, Put]]:
    """Fields that are numbered from one in the order in which they stand."""
    return {name: (number, make(number)) for number, (name, make) in enumerate(puts.items(), 1)}


def _anys(number: int) -> Put:
    return messages(number, _any)


def _schema(value: Mapping[str, Any]) -> bytes:
    return _SCHEMA(value)


def _additional(value: Any) -> bytes:
    return _SCHEMA_OR_BOOL({"boolean" if isinstance(value, bool) else "schema": value})


def _types(value: str | list[str]) -> bytes:
    return _ONE_OF_TEXTS([value] if isinstance(value, str) else value)


def _items(value: Any) -> bytes:
    return _ITEMS([value] if isinstance(value, dict) else value)


def _put(make: Callable[[int, Any], Put], encode: Any) -> Callable[[int], Put]:
    return lambda number: make(number, encode)


_ONE_OF_TEXTS = texts(1)
_ITEMS = messages(1, _schema)
# A member of a oneof is sent even when it is false.
_SCHEMA_OR_BOOL = Message(
    {"schema": (1, message(1, _schema)), "boolean": (2, lambda value: bytes((2 << 3, int(value))))}
)
_DOCS = Message(_numbered(description=text, url=text), _extensions(3))
_PROPERTIES = named(1, _schema)

_SCHEMA_FIELDS: dict[str, Callable[[int], Put]] = {
    "$ref": text,
    "format": text,
    "title": text,
    "description": text,
    "default": _put(message, _any),
    "multipleOf": double,
    "maximum": double,
    "exclusiveMaximum": boolean,
    "minimum": double,
    "exclusiveMinimum": boolean,
    "maxLength": integer,
    "minLength": integer,
    "pattern": text,
    "maxItems": integer,
    "minItems": integer,
    "uniqueItems": boolean,
    "maxProperties": integer,
    "minProperties": integer,
    "required": texts,
    "enum": _anys,
    "additionalProperties": _put(message, _additional),
    "type": _put(message, _types),
    "items": _put(message, _items),
    "allOf": _put(messages, _schema),
    "properties": _put(message, _PROPERTIES),
    "discriminator": text,
    "readOnly": boolean,
    "xml": lambda _number: lambda _value: b"",
    "externalDocs": _put(message, _DOCS),
    "example": _put(message, _any),
}
_SCHEMA = Message(_numbered(**_SCHEMA_FIELDS), _extensions(31))


# Parameters that are no body: the four kinds differ in one field, which moves the numbers behind it.
def _primitive(*, may_be_empty: bool, first: tuple[str, ...] = ("required", "in", "description", "name")) -> Message:
    simple: dict[str, Callable[[int], Put]] = {name: boolean if name == "required" else text for name in first}
    if may_be_empty:
        simple["allowEmptyValue"] = boolean
    simple |= {
        "type": text,
        "format": text,
        "items": _put(message, lambda value: _PRIMITIVE_ITEMS(value)),
        "collectionFormat": text,
        "default": _put(message, _any),
        "maximum": double,
        "exclusiveMaximum": boolean,
        "minimum": double,
        "exclusiveMinimum": boolean,
        "maxLength": integer,
        "minLength": integer,
        "pattern": text,
        "maxItems": integer,
        "minItems": integer,
        "uniqueItems": boolean,
        "enum": _anys,
        "multipleOf": double,
    }
    return Message(_numbered(**simple), _extensions(len(simple) + 1))


_PRIMITIVE_ITEMS = _primitive(may_be_empty=False, first=())
_PLACES = {
    "header": message(1, _primitive(may_be_empty=False)),
    "formData": message(2, _primitive(may_be_empty=True)),
    "query": message(3, _primitive(may_be_empty=True)),
    "path": message(4, _primitive(may_be_empty=False)),
}
_BODY = message(
    1,
    Message(
        {
            "description": (1, text(1)),
            "name": (2, text(2)),
            "in": (3, text(3)),
            "required": (4, boolean(4)),
            "schema": (5, message(5, _schema)),
        },
        _extensions(6),
    ),
)
_NOT_BODY = message(2, lambda value: _PLACES[value["in"]](value))
_REFERENCE = message(2, Message({"$ref": (1, text(1)), "description": (2, text(2))}))


def _parameter(value: Mapping[str, Any]) -> bytes:
    return _BODY(value) if value["in"] == "body" else _NOT_BODY(value)


_PARAMETER = message(1, _parameter)


def _parameter_or_reference(value: Mapping[str, Any]) -> bytes:
    return _REFERENCE(value) if "$ref" in value else _PARAMETER(value)


_RESPONSE = message(
    1,
    Message(
        {"description": (1, text(1)), "schema": (2, message(2, message(1, _schema)))},
        _extensions(5),
    ),
)


def _response(value: Mapping[str, Any]) -> bytes:
    return _REFERENCE(value) if "$ref" in value else _RESPONSE(value)


_CODE = re.compile(r"[0-9]{3}|default")
_BY_CODE = (1, named(1, _response))
_RESPONSES = Message({}, lambda key: _BY_CODE if _CODE.fullmatch(key) else _extensions(2)(key))
_OPERATION = Message(
    {
        "tags": (1, texts(1)),
        "summary": (2, text(2)),
        "description": (3, text(3)),
        "externalDocs": (4, message(4, _DOCS)),
        "operationId": (5, text(5)),
        "produces": (6, texts(6)),
        "consumes": (7, texts(7)),
        "parameters": (8, messages(8, _parameter_or_reference)),
        "responses": (9, message(9, _RESPONSES)),
        "schemes": (10, texts(10)),
        "deprecated": (11, boolean(11)),
    },
    _extensions(13),
)
_PATH = Message(
    {
        "$ref": (1, text(1)),
        **{
            verb: (number, message(number, _OPERATION))
            for number, verb in enumerate(("get", "put", "post", "delete", "options", "head", "patch"), 2)
        },
        "parameters": (9, messages(9, _parameter_or_reference)),
    },
    _extensions(10),
)
_BY_PATH = (2, named(2, _PATH))
_PATHS = Message({}, lambda _path: _BY_PATH)
_INFO = Message({"title": (1, text(1)), "version": (2, text(2)), "description": (3, text(3))}, _extensions(7))
_API_KEY = message(2, Message(_numbered(type=text, name=text, **{"in": text}, description=text), _extensions(5)))
_DOCUMENT = Message(
    {
        "swagger": (1, text(1)),
        "info": (2, message(2, _INFO)),
        "paths": (8, message(8, _PATHS)),
        "definitions": (9, message(9, named(1, _schema))),
        "parameters": (10, message(10, named(1, _parameter))),
        "security": (12, messages(12, named(1, texts(1)))),
        "securityDefinitions": (13, message(13, named(1, _API_KEY))),
    },
    _extensions(16),
)


def encode_document(document: Mapping[str, Any]) -> bytes:
    """The message. Two messages one behind the other are one that has what both have, as protobuf merges messages."""
    return _DOCUMENT(document)
