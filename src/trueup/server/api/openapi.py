"""The OpenAPI 3.1 document, made from the table of operations. Pure. https://spec.openapis.org/oas/v3.1.0"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from trueup.server.api.operation import FIELDS, SINCE, Access, Listed, Needs, Operation, Public, Surface
from trueup.server.api.problems import MEDIA_TYPE, Problem
from trueup.server.api.why import HEADER as WHY
from trueup.version import __version__

_REFS = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_WORDS = {200: "OK", 201: "Created", 202: "Accepted", 204: "Nothing to say"}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Of our own surface; Argo CD's has a document of its own, Argo CD's."""
    ours = [operation for operation in operations if operation.surface is Surface.TRUEUP]
    types: list[Any] = [Problem]
    for operation in ours:
        types += [type_ for type_ in (operation.body, operation.answer, operation.query) if type_ is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFS)
    by_type = dict(zip(map(_key, types), schemas, strict=True))
    queries = {_component(by_type, operation.query) for operation in ours if operation.query is not None}
    paths: dict[str, Any] = {}
    for operation in sorted(ours, key=lambda one: (one.path, one.method)):
        path = _IN_PATH.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Trueup",
            "version": __version__,
            "description": "What Git declares is what runs, and you can prove it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in sorted(components.items()) if name not in queries},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "trueup"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"token": []}],
        "tags": [{"name": part} for part in sorted({operation.part for operation in ours})],
    }


def _key(type_: Any) -> str:
    return repr(type_)


def _operation(operation: Operation, by_type: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.part],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, by_type, components)],
        "responses": _responses(operation, by_type),
        "x-trueup-access": _access(operation.access),
    }
    if operation.description:
        made["description"] = operation.description
    if operation.changes:
        made["parameters"].append(_WHY)
    if operation.takes_key:
        made["parameters"].append(_IDEMPOTENCY | {"description": _ONCE if operation.secret_answer else _TWICE})
    made["parameters"] += [_FRAMES[name] for name in sorted(operation.frame_parameters)]
    if operation.body is not None:
        made["requestBody"] = {
            "required": not operation.body_optional,
            "content": {media: {"schema": by_type[_key(operation.body)]} for media in operation.body_media_types},
        }
    if isinstance(operation.access, Public):
        made["security"] = []
    return made


_WHY = {
    "name": WHY,
    "in": "header",
    "required": False,
    "description": "Why, for the audit log; percent-encoded where it is more than ASCII.",
    "schema": {"type": "string", "maxLength": 4500, "pattern": "^[\\x20-\\x7e]*$"},
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}
_TWICE = "Sent twice with the same key, the call is carried out once, and answered twice with the same words."
_ONCE = "Sent twice with the same key, the call is carried out once; its answer is told once (409, AnswerNotKept)."
_FRAMES: dict[str, dict[str, Any]] = {
    SINCE: {
        "name": SINCE,
        "in": "query",
        "required": False,
        "description": "The id of the last event that was seen; as the header Last-Event-ID.",
        "schema": {"type": "string"},
    },
    FIELDS: {
        "name": FIELDS,
        "in": "query",
        "required": False,
        "description": "Only these parts of the answer: items.name,next; or with a leading - all but these.",
        "schema": {"type": "string"},
    },
}


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _IN_PATH.findall(operation.path)
    ]


def _component(by_type: dict[str, Any], type_: Any) -> str:
    """The name of a struct's schema. Two structs of one name have longer ones, so it is never the struct's own."""
    reference: str = by_type[_key(type_)]["$ref"]
    return reference.removeprefix(_REFS.format(name=""))


def _query_parameters(
    operation: Operation, by_type: dict[str, Any], components: dict[str, Any]
) -> Sequence[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = components[_component(by_type, operation.query)]
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema.get("properties", {}).items()
    ]


def _responses(operation: Operation, by_type: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": _WORDS.get(operation.status, "OK")}
    if operation.streams:
        kinds = (*(("text/event-stream",) if operation.followed else ()), *operation.downloads)
        good["content"] = {kind: {"schema": {"type": "string"}} for kind in kinds}
    elif operation.answer is not None:
        good["content"] = {"application/json": {"schema": by_type[_key(operation.answer)]}}
    problem = {
        "description": "What was wrong, and what to do",
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REFS.format(name="Problem")}}},
    }
    return {str(operation.status): good, "default": problem}


def _access(access: Access) -> dict[str, str]:
    match access:
        case Needs():
            return {"kind": "needs", "resource": access.resource, "action": access.action}
        case Listed():
            return {"kind": "listed", "resource": access.resource, "action": access.action}
        case Public():
            return {"kind": "public"}
    return {"kind": "signed-in"}
