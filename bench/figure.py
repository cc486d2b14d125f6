"""One row of the report."""

from __future__ import annotations

from msgspec import Struct


class Figure(Struct, frozen=True):
    """`seconds`, `cpu` in seconds, `memory` in MiB; `requests` are the controller's own (of a floor: its own)."""

    work: str
    seconds: float
    cpu: float | None = None
    memory: float | None = None
    requests: int | None = None
    note: str = ""
