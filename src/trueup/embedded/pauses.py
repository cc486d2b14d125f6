"""When Python may look for cyclic garbage: seldom, and while nobody waits for an answer.

A full search walks everything that is stored here, and stops the server for about a tenth of a second per 2,000 objects.
Stored objects are trees, which go without it when nobody refers to them any more; cycles come from errors and connections.
This is for a process of its own: it changes the interpreter's settings.
"""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import timedelta

_THRESHOLDS = (5_000, 10, 1_000)  # the last one: a full search after 50 million more objects made than freed
LOOK_EVERY = timedelta(seconds=10)
REST = timedelta(minutes=5)
IDLE_SHARE = 0.02  # of one core


def leave_out_what_is_loaded() -> None:
    """What exists now stays out of every later search. Call it when the stored objects have been read, having kept the
    collector off (`gc.disable`) until then."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()


async def search_when_idle(look_every: timedelta = LOOK_EVERY, rest: timedelta = REST) -> None:
    """A full search whenever the process did next to nothing for a while, and rested since the last; until cancelled."""
    last = time.monotonic()
    while True:
        before = time.process_time()
        await asyncio.sleep(look_every.total_seconds())
        is_idle = time.process_time() - before < IDLE_SHARE * look_every.total_seconds()
        if is_idle and time.monotonic() - last >= rest.total_seconds() and gc.get_count()[2]:
            gc.collect()
            last = time.monotonic()
