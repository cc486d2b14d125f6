"""The clock that leadership is judged by: it only goes forward, and goes on while the machine sleeps."""

from __future__ import annotations

import time

_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def forward_clock() -> float:
    """Seconds. Linux's monotonic clock stands still while a laptop is suspended, and others do not wait for us; boot time goes on."""
    return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)
