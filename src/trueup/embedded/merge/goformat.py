"""Values as Go prints them, for error messages that clients compare with the real server's."""

from __future__ import annotations

from typing import Any, Final

GO_TYPES: Final = {
    type(None): "<nil>",
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    dict: "map[string]interface {}",
    list: "[]interface {}",
}


def go_plain(value: Any) -> str:
    """A value as Go's `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_plain, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def go_literal(value: Any) -> str:
    """A value as Go's `%#v` prints it."""
    if isinstance(value, dict):
        inner = ", ".join(f'"{key}":{go_literal(value[key])}' for key in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(go_literal, value)) + "}"
    if isinstance(value, str):
        return f'"{value}"'
    return go_plain(value)
