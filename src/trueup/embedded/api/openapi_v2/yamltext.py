"""Small values as block YAML, in the words that Go's yaml.v3 chooses for them. For vendor extensions, not for manifests."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

_PLAIN = re.compile(r"[A-Za-z_./(^$][A-Za-z0-9_.,/+=()<>^$ -]*(?<! )")
_OTHERS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
"""Plain words that mean something else to one reader or another."""
_RAW_TROUBLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON allows in a text as it is, and YAML does not, or folds."""


def yaml_text(value: Any) -> str:
    """`{"kind": "Pod", "tags": ["a"]}` -> `kind: Pod\\ntags:\\n  - a\\n`."""
    if isinstance(value, dict | list) and value:
        return "\n".join(_block(value)) + "\n"
    return _scalar(value) + "\n"


def _block(value: dict[str, Any] | list[Any]) -> list[str]:
    lines: list[str] = []
    if isinstance(value, list):
        for item in value:
            lines += _hung("-", item, lines_of_list=True)
        return lines
    for key, item in value.items():
        lines += _hung(f"{_scalar(key)}:", item, lines_of_list=False)
    return lines


def _hung(head: str, value: Any, *, lines_of_list: bool) -> list[str]:
    if not isinstance(value, dict | list) or not value:
        return [f"{head} {_scalar(value)}"]
    inner = _block(value)
    if lines_of_list:
        return [f"{head} {inner[0]}", *(f"  {line}" for line in inner[1:])]
    return [head, *(f"  {line}" for line in inner)]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    return msgspec.json.encode(value).decode()


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _OTHERS and value[0] != ".":
        return value
    if value and value.isprintable() and not _RAW_TROUBLE.search(value):
        return "'" + value.replace("'", "''") + "'"
    quoted = msgspec.json.encode(value).decode()
    return _RAW_TROUBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
