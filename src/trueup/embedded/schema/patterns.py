"""Regular expressions of schemas, in the syntax and with the linear time of the real server's (RE2)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20


class BadPattern(ValueError):
    """Not a regular expression."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """Raises BadPattern with RE2's own words."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise BadPattern(f"error parsing regexp: {text}") from error


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return compiled(pattern).search(text) is not None
