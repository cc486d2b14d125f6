"""What a render may cost. Every bound that is hit ends the render with an error that names it."""

from __future__ import annotations

from msgspec import Struct


class RenderLimits(Struct, frozen=True, kw_only=True):
    file_bytes: int = 10 << 20
    """Of one file that is read."""
    total_bytes: int = 100 << 20
    """Of all files that are read."""
    files: int = 20_000
    """Files and directories looked at below the path."""
    objects: int = 20_000
    output_bytes: int = 64 << 20
    """Of all rendered objects as JSON."""
    seconds: float = 180.0
    """The library's work grows with the square of the objects: thousands in one App take tens of seconds, as in Flux."""


DEFAULT_LIMITS = RenderLimits()
