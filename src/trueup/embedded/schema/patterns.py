"""Regular expressions of schemas, in the syntax and with the linear time of the real server's (RE2)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 8 << 20


# What RE2 in C++ says, as Go's regexp says it.
_GO_WORDS: Final = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid group name": "invalid named capture",
    "invalid named capture group": "invalid named capture",
}


class BadPattern(ValueError):
    """Not a regular expression."""


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Any:
    """Raises BadPattern."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else str(error)
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        what, _, where = text.partition(": ")
        raise BadPattern(f"error parsing regexp: {_GO_WORDS.get(what, what)}: `{where}`") from error


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return compiled(pattern).search(text) is not None
