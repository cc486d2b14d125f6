"""Items that stand twice in a list whose items must differ, by value or by keys.

Rules: k8s.io/apiextensions-apiserver, pkg/apiserver/schema/listtype.
"""

from __future__ import annotations

from typing import Any

from trueup.embedded.gowords import shown
from trueup.embedded.schema.errors import DUPLICATE, INVALID, FieldError, field_error
from trueup.embedded.schema.node import SchemaNode


def duplicates(value: Any, node: SchemaNode, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if isinstance(value, dict):
        for key, item in value.items():
            below = node.properties.get(key)
            if below is not None:
                errors += duplicates(item, below, f"{path}.{key}" if path else key)
            elif (extra := node.declared_additional) is not None:
                errors += duplicates(item, extra, f"{path}[{key}]")
    elif isinstance(value, list):
        errors += list_duplicates(value, node, path)
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                errors += duplicates(item, node.items, f"{path}[{index}]")
    return errors


def list_duplicates(value: list[Any], node: SchemaNode, path: str) -> list[FieldError]:
    match node.list_type:
        case "set":
            keys = value
        case "map":
            for index, item in enumerate(value):
                if item is not None and not isinstance(item, dict):
                    text = "must be an object for an array of list-type map"
                    return [field_error(f"{path}[{index}]", INVALID, item, text)]
            keys = [{name: (item or {})[name] for name in node.list_keys if name in (item or {})} for item in value]
        case _:
            return []
    seen: dict[str, int] = {}
    errors = []
    for index, key in enumerate(keys):
        text = f"{type(key).__name__} {shown(key)}"  # 1 and 1.0 are not the same to Go
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:  # told once, however often it comes again
            errors.append(field_error(f"{path}[{index}]", DUPLICATE, key))
    return errors
