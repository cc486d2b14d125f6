"""What every operation is told about the request that it serves, and where it leaves its warnings."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.embedded.auth.identity import User


class Call:
    """One request: who makes it, with which client, and the warnings that its answer carries."""

    __slots__ = ("agent", "duplicates", "literals", "user", "warnings")

    def __init__(self, user: User, agent: str = "") -> None:
        self.user = user
        self.agent = agent
        self.warnings: list[str] = []
        self.duplicates: tuple[str, ...] = ()
        """Paths of keys that stood more than once in the body; found only where the request wants to know."""
        self.literals: Mapping[float, str] = {}
        """How the body wrote the numbers that are no integers."""

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def manager(self, field_manager: str) -> str:
        """The field manager of a write: the one named, else the client's program name, as the real server does."""
        return field_manager or self.agent.partition("/")[0][:128] or "unknown"
