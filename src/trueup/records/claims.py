"""A call that is to be carried out once, as whoever keeps it sees it: claimed by the first, and then ended in one of three ways. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    RUNNING = "running"
    ANSWERED = "answered"
    """Its answer is kept."""
    UNTOLD = "untold"
    """It was answered, and the answer is not kept: it is told once, or too large, or had to make room."""
    UNKNOWN = "unknown"
    """It ended, and nobody can say how."""


class Claim(Struct, frozen=True):
    """The right to carry a call out. `caller` and `key` are digests of 32 bytes; `token` is this claim's own."""

    caller: bytes
    key: bytes
    token: bytes


class Ended(Struct, frozen=True, kw_only=True):
    """`status`, `media_type` and `body` are the answer's; the last two only where `state` is ANSWERED."""

    state: State
    status: int = 0
    media_type: str = ""
    body: bytes = b""


class Known(Struct, frozen=True, kw_only=True):
    """A call of this caller and key that was claimed before. `request` is the digest of what was asked.

    `left`: seconds for which the claim of a RUNNING one still holds; below zero nobody carries it out any more.
    """

    request: bytes
    ended: Ended
    left: float = 0.0


class NoRoom(Exception):
    """So many keys are kept already, of one caller or of all."""


class ClaimLimits(Struct, frozen=True, kw_only=True):
    """What is kept at most; `seconds` count from the claim. Answers make room for newer ones, the oldest first; claims do not."""

    seconds: float = 24 * 3600.0
    of_one: int = 20_000
    of_all: int = 200_000
    answer: int = 256 * 1024
    """Bytes of one answer."""
    answers: int = 64 * 1024 * 1024
    """Bytes of all answers together."""
