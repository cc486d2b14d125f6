"""Ends started peers when the process that started them is gone, however it went (SIGKILL too).

Run as a program: it reads lines `+PID` and `-PID` from its input, which only the starter holds open. At the end of input it
kills what is still listed and removes the folder that its argument names. It is never asked to do anything else.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterable


def still_listed(lines: Iterable[str]) -> set[int]:
    """The process ids that were added and not taken back."""
    listed: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line.startswith("+"):
            listed.add(pid)
        else:
            listed.discard(pid)
    return listed


def main(folder: str) -> None:
    """Waits for the end of input, then cleans up."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the starter still wants to stop cleanly
    for pid in still_listed(sys.stdin):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
