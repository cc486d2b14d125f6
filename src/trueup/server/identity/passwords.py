"""Passwords: bcrypt as Argo CD stores them, in threads, a few at a time, and the same work whoever is asked for.

A login for a name that is not there costs one bcrypt like any other, so time tells nothing about who exists.
"""

from __future__ import annotations

import asyncio
import secrets
import string

import bcrypt

from trueup.server.identity.masked import Masked

ROUNDS = 10
"""Go's `bcrypt.DefaultCost`, with which Argo CD hashes."""
AT_ONCE = 4
LONGEST = 72
"""bcrypt looks at so many bytes; longer passwords cannot be set, for their ends would not count."""
_NOBODY = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(ROUNDS))


def matches(password: str, hashed: str) -> bool:
    """Always one bcrypt, also where there is no hash, or one that cannot be read."""
    raw = password.encode()[:LONGEST]
    try:
        good = bcrypt.checkpw(raw, hashed.encode()) if hashed else None
    except ValueError:
        good = None
    if good is None:
        bcrypt.checkpw(raw, _NOBODY)
        return False
    return good


def hash_password(password: str, rounds: int = ROUNDS) -> str:
    """The `$2b$` form; Go's bcrypt reads it like its own `$2a$`."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds)).decode()


def random_password(length: int = 16) -> str:
    """For the first `admin`: letters and digits, as Argo CD makes them."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(length))


class Passwords:
    """bcrypt away from the event loop. More than `AT_ONCE` wait: a flood of logins cannot take every thread."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._turn = asyncio.Semaphore(at_once)

    async def matches(self, password: str, hashed: Masked) -> bool:
        async with self._turn:
            return await asyncio.to_thread(matches, password, hashed.reveal())

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(hash_password, password)
