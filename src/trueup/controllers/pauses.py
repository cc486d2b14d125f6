"""The pauses of Python's garbage collector: short ones, whatever the number of Apps.

What a controller remembers lives as long as its Apps, is freed by its reference counts, and is hundreds of thousands of objects.
A full collection goes through all of them, to find next to nothing, while nobody is served: 0.7 s with 5,000 Apps. So what
has survived one is taken for old, and the next ones pass it over. Cycles that die old are left for a rare collection
that is asked for (`collect_all`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def short_pauses() -> Iterator[None]:
    """While it lasts, every full collection is the last one for what survives it. Belongs to the process.

    The thresholds stay Python's own: old objects that are freed count against young ones that are made, so where statuses
    replace each other a higher threshold is hardly ever reached, and then by a great many objects at once.
    """
    gc.callbacks.append(_freeze)
    try:
        yield
    finally:
        gc.callbacks.remove(_freeze)
        gc.unfreeze()


def collect_all() -> None:
    """A collection of everything, old objects too: one long pause."""
    gc.unfreeze()
    gc.collect()


def _freeze(phase: str, info: dict[str, Any]) -> None:
    """Called by the collector itself, see `gc.callbacks`."""
    if phase == "stop" and info["generation"] == 2:
        gc.freeze()
