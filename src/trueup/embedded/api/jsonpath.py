"""The simple JSON paths of CustomResourceDefinitions: fields, indices, wildcards, slices and filters on equality.

Kubernetes' dialect: https://kubernetes.io/docs/reference/kubectl/jsonpath/ . Ranges and templates have no place in a CRD.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

_STEP = re.compile(
    r"""\.(?P<recursive>\.)?(?P<field>(?:\\.|[^.\[\\])+)      # .name, with \. for a dot in it
      | \[(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\]
      | \[(?P<index>-?\d+)\]
      | \[(?P<start>-?\d*):(?P<end>-?\d*)\]
      | \[(?P<all>\*)\]
      | \[\?\(\s*@(?P<left>(?:\.(?:\\.|[^.\[\\\s=!<>)])+)+)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>[^)]*?))?\s*\)\]
    """,
    re.VERBOSE,
)


class BadPath(ValueError):
    """The text is no JSON path of the kind that CRDs may hold."""


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[dict[str, str | None], ...]:
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    text = text.removeprefix("$")
    if text and text[0] not in ".[":
        text = "." + text
    steps, position = [], 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise BadPath(f"cannot be read from {text[position:]!r}")
        steps.append(found.groupdict())
        position = found.end()
    return tuple(steps)


def check(path: str) -> None:
    """Raises BadPath."""
    _steps(path)


def find(path: str, value: Any) -> list[Any]:
    """Every value at a path, none when there is none; a path that cannot be read finds nothing."""
    try:
        steps = _steps(path)
    except BadPath:
        return []
    found = [value]
    for step in steps:
        found = [below for each in found for below in _below(step, each)]
    return found


def _below(step: dict[str, str | None], value: Any) -> list[Any]:
    name = step["field"] or step["quoted"] or step["double"]
    if name is not None:
        name = re.sub(r"\\(.)", r"\1", name)
        if step["recursive"]:
            return _recursive(name, value)
        if name == "*":
            return _all(value)
        return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []
    if step["all"]:
        return _all(value)
    if not isinstance(value, list):
        return []
    if step["index"] is not None:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    if step["left"] is not None:
        return [item for item in value if _passes(step, item)]
    return value[slice(*(int(step[side] or 0) if step[side] else None for side in ("start", "end")))]


def _all(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


def _recursive(name: str, value: Any) -> list[Any]:
    found = [value[name]] if isinstance(value, dict) and value.get(name) is not None else []
    for below in _all(value):
        found += _recursive(name, below)
    return found


def _passes(step: dict[str, str | None], item: Any) -> bool:
    found = find(step["left"] or "", item)
    if step["operator"] is None:
        return bool(found)
    if not found:
        return False
    left, right = found[0], _literal(step["right"] or "")
    match step["operator"]:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
    if isinstance(left, str) is not isinstance(right, str):
        return False
    try:
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[step["operator"]])
    except TypeError:
        return False


def _literal(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def text(value: Any) -> str:
    """A value as a table cell shows it."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, order="deterministic").decode()
