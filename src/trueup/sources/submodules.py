"""Submodules: what `.gitmodules` says, and which repository a relative address means. Pure.

Rules: gitmodules(5), git-submodule(1) "add" (relative URLs). The file itself is read by git, whose format it is.
Safety: a submodule may only use a protocol that its parent's kind allows (a remote repository never reaches local
ones, as git itself decided in 2.38.1), and credentials go along only to the very same host.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.sources.giturl import LOCAL_PROTOCOLS, GitUrl, parse_git_url

MOST_SUBMODULES = 200
DEEPEST = 8


class Submodule(Struct, frozen=True):
    name: str
    path: str
    url: str


def parse_gitmodules(listed: bytes) -> tuple[Submodule, ...]:
    """Reads `git config --blob <id> -z --list`: entries `key NEWLINE value NUL`, key `submodule.<name>.<variable>`."""
    values: dict[str, dict[str, str]] = {}
    for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = entry.partition("\n")
        section, _, rest = key.partition(".")
        name, dot, variable = rest.rpartition(".")
        if section == "submodule" and dot:
            values.setdefault(name, {})[variable] = value
    found = [
        Submodule(name, entry["path"].strip("/"), entry.get("url", ""))
        for name, entry in values.items()
        if "path" in entry
    ]
    if len(found) > MOST_SUBMODULES:
        raise InvalidInput(f".gitmodules names {len(found)} submodules; at most {MOST_SUBMODULES} are fetched")
    return tuple(sorted(found, key=lambda submodule: submodule.path))


def submodule_url(parent: GitUrl, submodule: Submodule, *, allow_local: bool) -> GitUrl:
    """The submodule's address. Raises InvalidInput where there is none, or none that may be used."""
    if not submodule.url:
        raise InvalidInput(
            f"the submodule {submodule.path!r} has no url in .gitmodules", hint="add one, or remove the submodule"
        )
    text = submodule.url
    if text.startswith(("./", "../")):
        text = _relative(parent.text, text, submodule.path)
    return parse_git_url(text, allow_local=allow_local and parent.scheme in LOCAL_PROTOCOLS)


def may_share_credentials(parent: GitUrl, child: GitUrl) -> bool:
    """Only the same scheme, host, port and (for SSH) account."""
    return parent.origin == child.origin and (parent.scheme != "ssh" or parent.user == child.user)


def _relative(base: str, text: str, path: str) -> str:
    """`../b.git` beside `https://host/team/a.git` is `https://host/team/b.git`; beside `git@host:a.git`, `git@host:b.git`."""
    base = base.rstrip("/")
    root = len(base.split("://", 1)[0]) + 3 if "://" in base else 0
    separator = "/"
    while text.startswith(("./", "../")):
        if text.startswith("./"):
            text = text[2:]
            continue
        text = text[3:]
        slash = base.rfind("/", root)
        colon = base.rfind(":") if not root else -1
        if slash < 0 and colon < 0:
            raise InvalidInput(
                f"the submodule {path!r} has an address that leads above its host", hint="correct .gitmodules"
            )
        base, separator = (base[:slash], "/") if slash >= 0 else (base[:colon], ":")
    return f"{base}{separator}{text}"
