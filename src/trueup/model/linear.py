"""Regular expressions made of what tenants write, matched in time linear in the text.

Python's own backtrack: a glob of a dozen stars over a name of two hundred letters would stop the process that serves everybody.
Syntax: https://github.com/google/re2/wiki/Syntax; `.` is any character, and nothing is anchored by itself. Pure.
"""

from __future__ import annotations

import re2  # type: ignore[import-untyped]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True


class PatternError(ValueError):
    """No expression, or one that is too large."""


class Linear:
    """One expression, ready to be asked. Raises PatternError."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        try:
            self._compiled = re2.compile(_plain(pattern), _OPTIONS)
        except re2.error as error:
            raise PatternError(f"{pattern!r} is no regular expression: {error}") from error

    def fullmatch(self, text: str) -> bool:
        return self._compiled.fullmatch(_plain(text)) is not None

    def prefix(self, text: str) -> int | None:
        """How many characters of the beginning it matches; None: it does not match there."""
        found = self._compiled.match(_plain(text))
        return found.end() if found is not None else None


class Nothing(Linear):
    """What matches no text at all: a malformed glob."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(r"[^\x00-\x{10FFFF}]")


def _plain(text: str) -> str:
    """Names that are no UTF-8 hold surrogates, which the library cannot take; each counts as one character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
