"""How much memory an open TLS connection holds while nothing happens on it.

asyncio gives each connection a buffer of 256 KiB to read into, which malloc soon serves from touched memory: a thousand idle
watches would hold a quarter of a gigabyte. A TLS record is 16 KiB at most, so little is gained by reading more at once.
"""

from __future__ import annotations

from asyncio import sslproto

BUFFER = 32 * 1024


def shrink() -> None:
    """For connections that begin from now on, of the whole process."""
    sslproto.SSLProtocol.max_size = BUFFER
