"""A text that must not be seen: printed masked, compared in constant time, and never encoded by accident."""

from __future__ import annotations

import hmac


class Masked:
    """`reveal()` is the one way to the text, so that a search finds every place that uses it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Masked) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Masked, self._text))

    def __repr__(self) -> str:
        return "Masked(***)" if self._text else "Masked()"

    __str__ = __repr__


NOTHING = Masked("")
