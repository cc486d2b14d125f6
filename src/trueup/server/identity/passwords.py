"""Passwords: bcrypt as Argo CD stores them, in threads, a few at a time, and the same work whoever is asked for.

A login for a name that is not there costs one bcrypt like any other, so time tells nothing about who exists.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from trueup.server.api.refusals import TooMany
from trueup.server.identity.masked import Masked

T = TypeVar("T")

ROUNDS = 10
"""Go's `bcrypt.DefaultCost`, with which Argo CD hashes."""
AT_ONCE = 2
WAITING = 200
"""Each takes about 50 ms, so the last waits for some seconds."""
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
    """bcrypt away from the event loop, in threads of its own: a flood of logins takes no others, and waits in bounds."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="bcrypt")
        self._room = at_once + waiting

    async def matches(self, password: str, hashed: Masked) -> bool:
        """Raises TooMany when too many are waiting."""
        return await self._done(lambda: matches(password, hashed.reveal()))

    async def hash(self, password: str) -> str:
        return await self._done(lambda: hash_password(password))

    async def _done(self, work: Callable[[], T]) -> T:
        if self._room <= 0:
            raise TooMany("too many people sign in at once", hint="try again in a moment", retry_after=2)
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._room += 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
