"""Patterns of rules: globs in which a `*` takes in slashes too, or regular expressions (RE2, unanchored).

`*/*` is any object of any project. Compiled once per pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache

import re2  # type: ignore[import-untyped]

from trueup.model import globs
from trueup.model.errors import InvalidInput

Matcher = Callable[[str], bool]


class MatchMode(StrEnum):
    """`policy.matchMode`; anything else than `regex` is `glob`, as in Argo CD."""

    GLOB = "glob"
    REGEX = "regex"


@lru_cache(maxsize=16384)
def matcher(pattern: str, mode: MatchMode) -> Matcher:
    """Raises InvalidInput for a pattern that is none."""
    if mode is MatchMode.GLOB:
        globs.matches(pattern, "")
        return lambda value: globs.matches(pattern, value)
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidInput(f"{pattern!r} is no pattern: {error}", hint="see https://golang.org/s/re2syntax") from error
    return lambda value: compiled.search(value) is not None
