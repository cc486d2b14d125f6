"""Who this controller is to the Lease: the owner of a state folder. One live process at a time may be it.

The lock dies with the process, so the next one knows that its predecessor is gone and takes the Lease without waiting.
"""

from __future__ import annotations

import fcntl
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trueup.model.errors import InvalidInput


@contextmanager
def own_identity(state_dir: Path) -> Iterator[str]:
    """Holds the state folder while the block runs. Raises InvalidInput when another process holds it."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state_dir / "identity").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InvalidInput(
                f"another process works with the state folder {state_dir}",
                hint="stop it, or give this one a folder of its own (--state-dir)",
            ) from error
        file.seek(0)
        identity = file.read().strip()
        if not identity:
            identity = f"{socket.gethostname()}_{secrets.token_hex(8)}"
            file.write(identity)
            file.flush()
        yield identity
