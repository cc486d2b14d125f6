"""Runs a module as a supervised child: `python -m trueup.cli.child MODULE ARGS...`.

Standard input is a pipe that the supervisor holds. When the supervisor is gone, however it went, the pipe ends and the
child stops as if it had been told to, so that nothing is left running that nobody watches.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _follow_supervisor() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    threading.Thread(target=_follow_supervisor, name="supervisor", daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
