"""Which texts of a kustomization name a Git repository or a URL, and what they say: kustomize's own rules. Pure.

`https://host/org/repo//path?ref=v1`, `git@host:org/repo.git/path`, `github.com/org/repo/path`, `ssh://`, `file://`, with
`git::` before it or not; the query may hold `ref` (or `version`), `submodules` and `timeout`. Rules: kustomize's document
"remote targets" and its `RepoSpec`; a test asks the real kustomize about each form.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from datetime import timedelta
from urllib.parse import unquote_plus, urlsplit

from msgspec import Struct

from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput

DEFAULT_TIMEOUT = timedelta(seconds=27)
_SCHEMES = ("ssh://", "https://", "http://", "file://")
_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*@")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
_MARKER = "_git/"


class RemoteBase(Struct, frozen=True):
    """A directory of a repository. `reference` empty: the remote's HEAD."""

    repository: str
    path: str = ""
    reference: str = ""
    submodules: bool = True
    timeout: timedelta = DEFAULT_TIMEOUT

    @property
    def key(self) -> str:
        """The same at every revision, and for every path of the repository."""
        text = f"git\0{self.repository}\0{self.reference}\0{self.submodules}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def is_remote_file(text: str) -> bool:
    """Whether kustomize first asks for it by HTTP."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and not re.search(r"[\x00-\x20\x7f]", text)


def file_key(text: str) -> str:
    return hashlib.sha256(f"file\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def parse_remote_base(text: str) -> RemoteBase | None:
    """None: kustomize would take it for a local path."""
    if text.startswith("/"):
        return None
    rest, _, query = text.partition("?")
    split = _split_host(rest)
    if split is None:
        return None
    host, rest = split
    repository, path = _split_path(rest, whole=host.startswith("file://"))
    if not repository or _leaves(path):
        return None
    reference, submodules, timeout = _query(query)
    return RemoteBase(host + repository, posixpath.normpath(path) if path else "", reference, submodules, timeout)


def looks_like_repository(base: RemoteBase, text: str) -> bool:
    """Whether an HTTP address says itself that it is a repository: then Git is asked before HTTP."""
    address = text.partition("?")[0].partition("://")[2]
    marked = "//" in address or ".git" in address or _MARKER in address
    return marked or bool(base.reference) or base.repository.startswith("https://github.com/")


def _split_host(text: str) -> tuple[str, str] | None:
    """Host (with scheme and user, as Git wants it) and what follows."""
    if text[:5].lower() == "git::":
        text = text[5:]
    scheme = next((known for known in _SCHEMES if text[: len(known)].lower() == known), "")
    text = text[len(scheme) :]
    match = _USER.match(text)
    user = match.group() if match else ""
    text = text[len(user) :]
    github = text.lower().startswith(("github.com/", "github.com:"))
    scp = not scheme and (bool(user) or github)
    if not scheme and not scp:
        return None
    if scheme == "file://":
        return scheme, user + text
    at = _separator(text, scp)
    host, rest = (text[: at + 1], text[at + 1 :]) if at >= 0 else (text, "")
    if github:  # its addresses are brought to one of two forms
        return (f"{user}github.com:", rest) if scheme == "ssh://" or user else ("https://github.com/", rest)
    return (scheme + user + host, rest) if host else None


def _separator(text: str, scp: bool) -> int:
    slash, colon = text.find("/"), text.find(":")
    return colon if scp and (slash < 0 or 0 < colon < slash) else slash


def _split_path(text: str, *, whole: bool) -> tuple[str, str]:
    """Repository and the path inside it: by a mark in the address, else after two names (of a file, none)."""
    if (at := text.find(_MARKER)) >= 0:
        name, _, path = text[at + len(_MARKER) :].partition("/")
        return text[: at + len(_MARKER)] + name, path.removeprefix("/")
    for mark, kept in (("//", 0), (".git", 4)):
        if (at := text.find(mark)) >= 0:
            return text[: at + kept], text[at + len(mark) :].removeprefix("/")
    if whole:
        return text, ""
    names = text.split("/")
    return ("/".join(names[:2]), "/".join(names[2:])) if len(names) >= 2 else ("", "")


def _leaves(path: str) -> bool:
    return posixpath.normpath(path.removeprefix("/") or ".").split("/")[0] == ".."


def _query(text: str) -> tuple[str, bool, timedelta]:
    values: dict[str, str] = {}
    for part in text.split("&"):
        if ";" in part or _PERCENT.search(part):
            return "", True, DEFAULT_TIMEOUT  # one that cannot be read says nothing at all
        key, _, value = part.partition("=")
        values.setdefault(unquote_plus(key), unquote_plus(value))
    submodules = values.get("submodules", "") not in _FALSE
    return values.get("ref") or values.get("version", ""), submodules, _timeout(values.get("timeout", ""))


def _timeout(text: str) -> timedelta:
    if _WHOLE.fullmatch(text):
        return timedelta(seconds=int(text)) if 0 < int(text) < 2**31 else DEFAULT_TIMEOUT
    try:
        found = parse_duration(text)
    except InvalidInput:
        return DEFAULT_TIMEOUT
    return found if found > timedelta(0) else DEFAULT_TIMEOUT
