"""Bytes on a connection as no library would send them."""

from __future__ import annotations

import contextlib
import socket
import time


def exchange(port: int, sent: bytes, *, silence: float = 5.0) -> tuple[bytes, bool]:
    """All that comes back until the server closes or is silent for so many seconds; whether it closed.

    Our half stays open: a server may take its end for the caller's having gone.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=silence) as connection:
        try:
            connection.sendall(sent)
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            return received, False
        except OSError:
            pass  # it was closed while we were sending
    return received, True


def dripping(port: int, count: int, beginning: bytes) -> contextlib.ExitStack:
    """So many connections that have begun a request and never end it; closed with the stack."""
    stack = contextlib.ExitStack()
    for _ in range(count):
        with contextlib.suppress(OSError):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            connection.sendall(beginning)
    time.sleep(0.2)  # until the server has read them
    return stack
