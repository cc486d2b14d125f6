"""Git URLs: which forms are understood, what makes two of them the same repository, and what may be printed.

`https://`, `http://`, `ssh://` and the scp form `user@host:path`; `file://` and `git://` where local protocols are
allowed. A password inside a URL is taken out at once, so that no argument, log or error can show it. Pure; whether a
URL answers is `gitcommand`'s to find out.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from trueup.model.errors import InvalidInput

REMOTE_PROTOCOLS = ("https", "ssh", "http")
LOCAL_PROTOCOLS = ("file", "git")
DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_SCP = re.compile(
    r"^(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(?P<path>(?!//).+)$"
)
_HOST = re.compile(r"^(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[?[0-9A-Fa-f:.]+\]?)$")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_USERINFO = re.compile(
    # Bounds and parts that exclude each other keep it linear: texts of other hosts come by here.
    r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}://)[^/@:\s]*:[^/@\s]*@"
    # A token may stand alone, in the user's place; nobody's name is so long, and an organisation's (Azure) seldom.
    r"|(?P<web>https?://)[^/@:\s]{20,}@",
    re.IGNORECASE,
)


class GitUrl(Struct, frozen=True):
    """One remote. `text` is what git gets and what people may read; the password is apart and never shown."""

    scheme: str
    host: str
    path: str
    text: str
    user: str = ""
    port: int | None = None
    password: str = ""

    def __repr__(self) -> str:
        return f"GitUrl({self.text!r})"

    def __str__(self) -> str:
        return self.text

    @property
    def identity(self) -> str:
        """Equal for two spellings of one repository: case of scheme and host, default port, a trailing slash.

        `.git` stays: a server may serve both names, and they need not be one repository. The SSH user stays, for it
        selects the account; an HTTP user is a credential and does not.
        """
        user = f"{self.user}@" if self.user and self.scheme == "ssh" else ""
        port = f":{self.port}" if self.port is not None and self.port != DEFAULT_PORTS.get(self.scheme) else ""
        return f"{self.scheme}://{user}{self.host}{port}/{self.path.strip('/')}"

    @property
    def directory_name(self) -> str:
        """The mirror's directory: a hash, so that no name from outside becomes a path."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:40]

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a credential is bound to."""
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.scheme}://{self.host}{port}"


def parse_git_url(text: str, *, allow_local: bool = False) -> GitUrl:
    """Reads a URL; raises InvalidInput naming what is wrong. Forms: git-fetch(1), section "GIT URLS"."""
    protocols = REMOTE_PROTOCOLS + LOCAL_PROTOCOLS if allow_local else REMOTE_PROTOCOLS
    shown = mask_url(text)
    if not text:
        raise InvalidInput("the repository URL is empty", field="url")
    if _CONTROL.search(text) or text.startswith("-"):
        raise InvalidInput(
            f"{shown!r} is not a Git URL: spaces, control characters and a leading '-' are not allowed", field="url"
        )
    if "://" not in text:
        return _parse_scp(text, protocols)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"{shown!r} is not a URL: {error}", field="url") from error
    scheme = parts.scheme.lower()
    if scheme not in protocols:
        raise _refused_protocol(shown, scheme, protocols)
    host = (parts.hostname or "").lower()
    if scheme == "file":
        if host not in ("", "localhost") or not parts.path.strip("/"):
            raise InvalidInput(f"{shown!r} names no path", hint="write file:///absolute/path", field="url")
        return GitUrl(scheme="file", host="", path=parts.path, text=f"file://{parts.path}")
    if not _HOST.match(host):
        raise InvalidInput(
            f"{shown!r} names no host", hint="write https://host/path or ssh://user@host/path", field="url"
        )
    if not parts.path.strip("/"):
        raise InvalidInput(f"{shown!r} names no repository on {host}", field="url")
    if parts.query or parts.fragment:
        raise InvalidInput(
            f"{shown!r}: a Git URL has no query or fragment",
            hint="put branch and path into their own fields",
            field="url",
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user.startswith("-"):
        raise InvalidInput(f"{shown!r}: a user name cannot start with '-'", field="url")
    shown_host = f"[{host}]" if ":" in host else host
    shown_user = f"{parts.username}@" if user and scheme == "ssh" else ""
    shown_port = f":{port}" if port is not None else ""
    clean = f"{scheme}://{shown_user}{shown_host}{shown_port}{parts.path}"
    return GitUrl(scheme=scheme, host=shown_host, path=parts.path, text=clean, user=user, port=port, password=password)


def mask_url(text: str) -> str:
    """Any text with the user part of its URLs taken out where it holds a password, or is a token."""
    return _USERINFO.sub(lambda found: f"{found['scheme'] or found['web']}***@", text)


def _parse_scp(text: str, protocols: tuple[str, ...]) -> GitUrl:
    match = _SCP.match(text)
    if match is None or "::" in text:
        raise InvalidInput(
            f"{mask_url(text)!r} is not a Git URL",
            hint="write https://host/path, ssh://user@host/path or user@host:path",
            field="url",
        )
    if "ssh" not in protocols:
        raise _refused_protocol(text, "ssh", protocols)
    return GitUrl(scheme="ssh", host=match["host"].lower(), path=match["path"], text=text, user=match["user"] or "")


def _refused_protocol(shown: str, scheme: str, protocols: tuple[str, ...]) -> InvalidInput:
    hint = f"use one of {', '.join(protocols)}"
    if scheme in LOCAL_PROTOCOLS:
        hint += "; file and git are for a laptop, and a flag of the controller must allow them"
    return InvalidInput(
        f"{shown!r}: the protocol {scheme!r} is not allowed here", reason="URLInvalid", hint=hint, field="url"
    )
