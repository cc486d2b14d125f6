"""Who may read and write. Pure: a request's Authorization header in, a right out.

For `trueup up`: everybody on the machine may read, and a token, which is part of the printed URL, may write. Users with
passwords, private repositories and hidden refs are for tests that need a server that says no.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from msgspec import Struct


class Right(Struct, frozen=True):
    read: bool = False
    write: bool = False
    hidden_refs: tuple[str, ...] = ()
    """Ref prefixes that are neither listed nor updated (git's transfer.hideRefs)."""


class User(Struct, frozen=True, kw_only=True):
    """A name with a password, or a bearer token. An empty name accepts any: tokens often come with an arbitrary one."""

    name: str = ""
    secret: str
    right: Right
    bearer: bool = False

    def __repr__(self) -> str:
        return f"User({self.name or '*'})"


class Guard(Struct, frozen=True):
    """`anonymous` is what a request without credentials may do. Wrong credentials may do nothing."""

    anonymous: Right = Right(read=True, write=True)
    users: tuple[User, ...] = ()

    @staticmethod
    def with_token(token: str) -> Guard:
        """Reading is free, writing needs the token as password (any user name)."""
        return Guard(Right(read=True), (User(secret=token, right=Right(read=True, write=True)),))

    def right_of(self, authorization: str | None) -> Right | None:
        """The right of a request; None when its credentials are wrong."""
        if not authorization:
            return self.anonymous
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._find("", value.strip(), bearer=True)
        if scheme.lower() == "basic":
            try:
                name, separator, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return self._find(name, secret, bearer=False) if separator else None
        return None

    def _find(self, name: str, secret: str, *, bearer: bool) -> Right | None:
        found = None
        for user in self.users:  # all of them, each in constant time: an answer's speed tells nothing
            same = hmac.compare_digest(user.secret.encode(), secret.encode())
            if same and user.bearer == bearer and user.name in ("", name):
                found = user.right
        return found
