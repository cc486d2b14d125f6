"""Which cookies there are, and how a long value is laid out over several. Pure.

`__Host-trueup` holds our session: over TLS, for this host alone, for every path, unseen by scripts. Over plain HTTP (port-forward,
the embedded server) browsers take no such name, and it is `trueup`. `argocd.token` holds a token as Argo CD's clients send it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http.cookies import SimpleCookie
from urllib.parse import quote

from msgspec import Struct

SESSION = "trueup"
FLOW = "trueup-login"
ID_TOKEN = "trueup-idtoken"  # noqa: S105 not a secret
ARGO = "argocd.token"
PIECE = 3800
"""Characters of a value in one cookie: browsers keep 4,096 bytes with name and attributes."""
MOST = 8
_COUNTED = re.compile(r"([1-9]\d?):(.*)", re.DOTALL)


class Cookie(Struct, frozen=True, kw_only=True):
    """One `Set-Cookie`. `seconds` 0: it is taken away; None: it goes with the browser."""

    name: str
    value: str
    path: str = "/"
    seconds: int | None = None
    secure: bool = True
    same_site: str = "Lax"

    def header(self) -> str:
        age = "" if self.seconds is None else f"; Max-Age={self.seconds}"
        secure = "; Secure" if self.secure else ""
        return f"{self.name}={self.value}; Path={self.path}{age}{secure}; HttpOnly; SameSite={self.same_site}"


def host_name(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name


def laid_out(name: str, value: str, *, secure: bool, seconds: int | None, same_site: str = "Lax") -> list[Cookie]:
    """The value in as few cookies as it needs, and the pieces of a longer one before it taken away.

    Argo CD's layout: the first begins with how many there are (`2:...`), the next are called `NAME-1`, `NAME-2`.
    """
    pieces = [value[start : start + PIECE] for start in range(0, len(value), PIECE)] or [""]
    if len(pieces) > MOST:
        raise ValueError("the value does not fit in cookies")
    if len(pieces) > 1:
        pieces[0] = f"{len(pieces)}:{pieces[0]}"
    return [
        Cookie(
            name=_piece(name, number),
            value=quote(piece, safe=":._-~"),
            secure=secure,
            seconds=seconds,
            same_site=same_site,
        )
        for number, piece in enumerate(pieces)
    ]


def taken_away(name: str, present: Iterable[str], *, secure: bool) -> list[Cookie]:
    """For every piece of the name that the browser has."""
    ours = re.compile(rf"{re.escape(name)}(-\d+)?")
    return [Cookie(name=one, value="", secure=secure, seconds=0) for one in sorted(set(present)) if ours.fullmatch(one)]


def joined(name: str, cookies: Mapping[str, str]) -> str:
    """The value that was laid out, or nothing when a piece of it is missing."""
    first = cookies.get(name, "")
    match = _COUNTED.fullmatch(first)
    if match is None:
        return first
    count = int(match[1])
    rest = [cookies.get(_piece(name, number), "") for number in range(1, count)]
    if count > MOST or not all(rest):
        return ""
    return match[2] + "".join(rest)


def parsed(header: str) -> dict[str, str]:
    """The `Cookie` header, for tests."""
    return {name: morsel.value for name, morsel in SimpleCookie(header).items()}


def _piece(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number}"
