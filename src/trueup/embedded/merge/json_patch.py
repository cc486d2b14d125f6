"""JSON patch, RFC 6902, with JSON pointers (RFC 6901). Nothing given is changed.

What cannot be carried out is answered as kube-apiserver does: 422 with a constant text; why is in `detail`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

from trueup.embedded.merge.compare import same
from trueup.embedded.merge.errors import BAD_REQUEST, UNPROCESSABLE, PatchError
from trueup.embedded.schema.node import MISSING
from trueup.model.manifest import Manifest

MAX_OPERATIONS: Final = 10_000


class Inapplicable(PatchError):
    """An operation that does not fit the object. `detail` says which and why."""

    def __init__(self, detail: str) -> None:
        super().__init__("the server rejected our request due to an error in our request", UNPROCESSABLE)
        self.detail = detail


def json_patch(live: Manifest, ops: Sequence[Any]) -> Manifest:
    """The live object after the operations, in their order. Raises PatchError."""
    if not isinstance(ops, list | tuple) or not all(isinstance(op, dict) for op in ops):
        raise PatchError("a JSON patch must be an array of operations", BAD_REQUEST)
    if len(ops) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}"
        raise PatchError(message, 413)
    document: Any = copy.deepcopy(live)
    for op in ops:
        document = _carry_out(document, op)
    if not isinstance(document, dict):
        raise Inapplicable("the patched document is not an object")
    return document


def _carry_out(document: Any, op: dict[str, Any]) -> Any:
    path = _pointer(op, "path")
    match op.get("op"):
        case "add":
            return _add(document, path, copy.deepcopy(_value(op)))
        case "remove":
            return _remove(document, path)
        case "replace":
            return _replace(document, path, copy.deepcopy(_value(op)))
        case "move":
            source = _pointer(op, "from")
            if path[: len(source)] == source and path != source:
                raise Inapplicable(f"move operation: {op['path']} lies within {op['from']}")
            value = _get(document, source)
            return _add(_remove(document, source), path, value)
        case "copy":
            return _add(document, path, copy.deepcopy(_get(document, _pointer(op, "from"))))
        case "test":
            found = _find(document, path)
            if not same(None if found is MISSING else found, op.get("value")):
                raise Inapplicable(f"testing value {op['path']} failed: test failed")
            return document
        case other:
            raise Inapplicable(f"unexpected kind: {other}")


def _pointer(op: dict[str, Any], key: str) -> list[str]:
    text = op.get(key)
    if not isinstance(text, str):
        raise Inapplicable(f"{op.get('op')} operation: {key} is missing")
    if text == "":
        return []
    if not text.startswith("/"):
        raise Inapplicable(f"{op.get('op')} operation does not apply: doc is missing path: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _value(op: dict[str, Any]) -> Any:
    if "value" not in op:
        raise Inapplicable(f"{op.get('op')} operation: value is missing")
    return op["value"]


def _index(text: str, length: int, *, for_add: bool = False) -> int:
    """A place in a list; `-` is its end, where something can only be added."""
    if text == "-" and for_add:
        return length
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or (len(digits) > 1 and digits[0] == "0"):
        raise Inapplicable(f"{text!r} is not an index")
    index = int(text)
    # The peer counts negative indexes from the end.
    place = index + length + (1 if for_add else 0) if index < 0 else index
    if not 0 <= place < length + (1 if for_add else 0):
        raise Inapplicable(f"index {text} is out of bounds")
    return place


def _find(document: Any, path: list[str]) -> Any:
    value = document
    for part in path:
        if isinstance(value, dict):
            value = value.get(part, MISSING)
        elif isinstance(value, list):
            try:
                value = value[_index(part, len(value))]
            except Inapplicable:
                return MISSING
        else:
            return MISSING
    return value


def _get(document: Any, path: list[str]) -> Any:
    value = _find(document, path)
    if value is MISSING:
        raise Inapplicable(f"doc is missing path: /{'/'.join(path)}")
    return value


def _parent(document: Any, path: list[str], operation: str) -> Any:
    """What holds the last part of a path."""
    parent = _find(document, path[:-1])
    if parent is MISSING:
        place = f"/{'/'.join(path)}"
        raise Inapplicable(f'{operation} operation does not apply: doc is missing path: "{place}": missing value')
    return parent


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _parent(document, path, "add")
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        parent.insert(_index(path[-1], len(parent), for_add=True), value)
    else:
        raise Inapplicable(f"add operation does not apply: /{'/'.join(path[:-1])} holds no fields")
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _parent(document, path, "remove")
    if isinstance(parent, dict) and path[-1] in parent:
        del parent[path[-1]]
    elif isinstance(parent, list):
        del parent[_index(path[-1], len(parent))]
    else:
        place, key = "/".join(path), path[-1]
        raise Inapplicable(
            f"error in remove for path: '/{place}': unable to remove nonexistent key: {key}: missing value"
        )
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _parent(document, path, "replace")
    if isinstance(parent, dict):
        parent[path[-1]] = value  # the real server's library does not mind that there was nothing to replace
    elif isinstance(parent, list):
        parent[_index(path[-1], len(parent))] = value
    else:
        raise Inapplicable(f"replace operation does not apply: doc is missing key: /{'/'.join(path)}")
    return document
