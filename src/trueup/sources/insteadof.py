"""Git's `url.<base>.insteadOf`: which address git really goes to for a URL, and when two URLs lead to one repository.

Pure. For waking only, where a hint too many costs one `ls-remote` and a hint too few costs an interval: nothing is read,
written or trusted because two URLs look alike here. Rules: git-config(1), `url.<base>.insteadOf`.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.sources.giturl import DEFAULT_PORTS, GitUrl, parse_git_url

_SECTION, _NAME = "url.", ".insteadof"


class Rewrites(Struct, frozen=True):
    """`rules` are (what a URL begins with, what is put there instead)."""

    rules: tuple[tuple[str, str], ...] = ()

    def apply(self, url: str) -> str:
        """The longest beginning that matches wins; of equal ones the first that is configured, as in git."""
        best = max((rule for rule in self.rules if url.startswith(rule[0])), key=lambda r: len(r[0]), default=None)
        return best[1] + url[len(best[0]) :] if best is not None else url


NO_REWRITES = Rewrites()


def parse_rewrites(listing: bytes) -> Rewrites:
    """From `git config --null --list`: `key\\nvalue` entries; section and name in lower case, the base as written."""
    rules = []
    for entry in listing.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = entry.partition("\n")
        if key.startswith(_SECTION) and key.endswith(_NAME) and value:
            rules.append((value, key[len(_SECTION) : -len(_NAME)]))
    return Rewrites(tuple(rules))


def same_repository(one: str, other: str, rewrites: Rewrites) -> bool:
    """Whether the URLs may mean one repository, each as it is written or as git rewrites it.

    A webhook names the https URL and a source may use ssh: scheme, user, `.git`, a trailing slash and the case of letters
    (which the large hosts ignore) play no part. Ports tell repositories apart only within one scheme, for an ssh port says
    nothing about the https one.
    """
    ones, others = ({text, rewrites.apply(text)} for text in (one, other))
    return any(_alike(a, b) for a in ones for b in others)


@lru_cache(maxsize=32768)
def repository_keys(url: str, rewrites: Rewrites) -> frozenset[tuple[str, str]]:
    """Host and path of every spelling; URLs without a key in common are not of one repository. Cheap, for asking many."""
    found = set()
    for text in (url, rewrites.apply(url)):
        try:
            parsed = parse_git_url(text, allow_local=True)
            found.add((parsed.host.casefold(), _path(parsed)))
        except InvalidInput:
            found.add(("", text))
    return frozenset(found)


def _alike(one: str, other: str) -> bool:
    try:
        a, b = (parse_git_url(text, allow_local=True) for text in (one, other))
    except InvalidInput:
        return one == other
    if a.host.casefold() != b.host.casefold() or _path(a) != _path(b):
        return False
    return a.scheme != b.scheme or _port(a) == _port(b)


def _port(url: GitUrl) -> int | None:
    return url.port or DEFAULT_PORTS.get(url.scheme)


def _path(url: GitUrl) -> str:
    path = unquote(url.path).strip("/").removesuffix(".git").rstrip("/")
    return path.casefold()
