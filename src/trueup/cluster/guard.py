"""The question that every write asks first: may this process still write?"""

from __future__ import annotations

from typing import Protocol


class WriteGuard(Protocol):
    def check(self) -> None:
        """Raises LeaseLost when this process may not write any more. Called before each attempt and before its first byte."""
        ...
