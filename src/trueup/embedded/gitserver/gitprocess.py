"""What a server's git process may know, and how it ends. Its requests and answers are `service`'s.

The environment is made from what little is needed, not from what must be left out: nothing of the operator's own git
configuration, credentials or traces can reach it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence

_NEEDED = ("PATH", "TMPDIR", "GIT_EXEC_PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_POLITE_SECONDS = 2.0
_CHUNK = 64 * 1024


def environment(
    base: Mapping[str, str], config: Sequence[tuple[str, str]], *, protocol: str | None = None
) -> dict[str, str]:
    """The whole environment of one process. `config` are git settings; `protocol` is the client's GIT_PROTOCOL."""
    made = {key: base[key] for key in _NEEDED if key in base}
    made |= {"LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    if protocol is not None:
        made["GIT_PROTOCOL"] = protocol
    made["GIT_CONFIG_COUNT"] = str(len(config))
    for index, (key, value) in enumerate(config):
        made |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return made


async def end(process: asyncio.subprocess.Process) -> None:
    """Ends a process that leads its group, and what it started. Asked politely first: git then removes its locks.

    Nobody else may be reading its output any more; what is left there is thrown away, for only read pipes get closed.
    """
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLITE_SECONDS):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_POLITE_SECONDS):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(_CHUNK):
                    pass


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
