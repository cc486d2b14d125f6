"""Patterns of rules: globs in which a `*` takes in slashes too, or regular expressions (RE2, unanchored).

`*/*` is any object of any project. Compiled once per pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache

import re2  # type: ignore[import-untyped]

from trueup.model import globs
from trueup.model.errors import InvalidInput

Matcher = Callable[[str], bool]
_LITERAL = re.compile(r"[^*?\[{\\]*")
"""What a glob begins with before its first sign."""


class MatchMode(StrEnum):
    """`policy.matchMode`; anything else than `regex` is `glob`, as in Argo CD."""

    GLOB = "glob"
    REGEX = "regex"


@lru_cache(maxsize=16384)
def matcher(pattern: str, mode: MatchMode) -> Matcher:
    """Raises InvalidInput for a pattern that is none."""
    if mode is MatchMode.GLOB:
        globs.matches(pattern, "")
        return _simple(pattern) or (lambda value: globs.matches(pattern, value))
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidInput(f"{pattern!r} is no pattern: {error}", hint="see https://golang.org/s/re2syntax") from error
    return lambda value: compiled.search(value) is not None


def _simple(pattern: str) -> Matcher | None:
    """What most globs are: a name, a beginning, anything at all. None: it takes more."""
    if pattern == "*/*":
        return lambda value: "/" in value
    literal = _LITERAL.match(pattern)
    fixed = literal[0] if literal is not None else ""
    match pattern.removeprefix(fixed):
        case "":
            return lambda value: value == fixed
        case "*":
            return lambda value: value.startswith(fixed)
    return None


def may_begin(pattern: str, beginning: str, mode: MatchMode) -> bool:
    """Whether it may match a text that begins so; False only when it certainly cannot. What is no pattern may do anything."""
    if mode is not MatchMode.GLOB or not beginning:
        return True
    literal = _LITERAL.match(pattern)
    fixed = literal[0] if literal is not None else ""
    if fixed.startswith(beginning) or beginning.startswith(fixed):
        return True
    try:
        matcher(pattern, mode)
    except InvalidInput:
        return True
    return False
