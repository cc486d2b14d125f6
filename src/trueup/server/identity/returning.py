"""Where a browser may be sent after a login or logout: a path of this server, or below one of its own URLs. Pure.

Everything that browsers read as another host is refused: `//host`, `/\\host`, control characters and white space that they take out.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote, urlsplit

HOME = "/"
LONGEST = 2048


def safe_return(target: str, urls: Collection[str] = ()) -> str:
    """The target when it is one of ours, else the home page: a login must not fail for a bad link."""
    if not target or len(target) > LONGEST or any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in target):
        return HOME
    if "\\" in target or not target.isascii():
        return HOME
    if target.startswith("/"):
        # What a proxy may decode once must not become another host either.
        return HOME if target.startswith("//") or unquote(target).startswith(("//", "/\\")) else target
    try:
        given = urlsplit(target)
    except ValueError:
        return HOME
    if "@" in given.netloc:
        return HOME
    for url in urls:
        own = urlsplit(url)
        base = own.path.rstrip("/")
        same = (given.scheme, given.netloc.lower()) == (own.scheme, own.netloc.lower())
        if same and (given.path == base or given.path.startswith(f"{base}/")) and "/.." not in unquote(given.path):
            return target
    return HOME


def below(place: str, root: str) -> str:
    """A path of ours as the browser must ask for it, where a proxy offers us below `root`; a whole address stays as it is."""
    inside = not place.startswith("/") or place == root or place.startswith((f"{root}/", f"{root}?"))
    return place if not root or inside else f"{root}{place}"
