"""Deep links as `argocd-cm` declares them: a YAML list of templates for each kind of page. Pure.

Argo CD's docs/operator-manual/deep_links.md says what stands in them; what fills them in is `filling`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

import yaml
from msgspec import Struct

from trueup.model.errors import InvalidInput

MOST = 100
"""Links of one key."""
SCHEMES = ("https://", "http://")
"""Whatever else a browser would run or open (`javascript:`, `data:`, `file:`) is no link into another system."""
_FIELDS = ("url", "title", "description", "icon.class", "if")
_ICON = re.compile(r"[-_a-zA-Z0-9 ]{0,100}")


class Of(StrEnum):
    """Where links are shown; the value is the key of `argocd-cm`."""

    APPLICATION = "application.links"
    RESOURCE = "resource.links"
    PROJECT = "project.links"


class DeepLink(Struct, frozen=True, kw_only=True):
    """`url`, `title` and `description` are Go templates, `condition` is an expression; empty: it always holds."""

    url: str
    title: str
    description: str = ""
    icon: str = ""
    condition: str = ""

    @property
    def templates(self) -> tuple[str, ...]:
        return (self.url, self.title, self.description)


class Link(Struct, frozen=True, kw_only=True):
    """`icon` is a class of Font Awesome's, as Argo CD's users write them."""

    title: str
    url: str
    description: str = ""
    icon: str = ""


def read_links(text: str) -> tuple[DeepLink, ...]:
    """Raises InvalidInput with the place of what is wrong: `[2].url`."""
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(
            f"is no YAML: {error}", hint="write a list: `- url: https://...` and `title: ...`"
        ) from error
    if loaded is None:
        return ()
    if not isinstance(loaded, list):
        raise InvalidInput("is no list of links", hint="write `- url: https://...` and `title: ...` for each")
    if len(loaded) > MOST:
        raise InvalidInput(f"has {len(loaded)} links; {MOST} are allowed")
    return tuple(_read(one, f"link {number}") for number, one in enumerate(loaded, 1))


def _read(one: Any, place: str) -> DeepLink:
    if not isinstance(one, dict):
        raise InvalidInput(f"{place} is no mapping", hint="write `url` and `title`")
    said = {str(key): value for key, value in one.items()}
    if unknown := sorted(said.keys() - set(_FIELDS)):
        raise InvalidInput(f"{place} has {unknown[0]!r}", hint=f"there are {', '.join(_FIELDS)}")
    texts = {key: _text(said.get(key), f"{place}: {key}") for key in _FIELDS}
    for key in ("url", "title"):
        if not texts[key]:
            raise InvalidInput(f"{place} has no {key}", hint="each link needs url and title")
    if not _ICON.fullmatch(texts["icon.class"]):
        raise InvalidInput(
            f"{place}: icon.class is {texts['icon.class'][:60]!r}", hint="write names of classes: fa-book"
        )
    return DeepLink(
        url=texts["url"],
        title=texts["title"],
        description=texts["description"],
        icon=texts["icon.class"],
        condition=texts["if"],
    )


def _text(value: Any, place: str) -> str:
    """YAML's own booleans and numbers are taken as they are written, for `if: true` is one."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value).strip()
    raise InvalidInput(f"{place} is no text", hint="quote it")


def leads_nowhere(link: DeepLink) -> bool:
    """Whether it can be seen already that its address will be none of those that are shown."""
    fixed = link.url.partition("{{")[0].lower()
    return not any(fixed.startswith(scheme) or scheme.startswith(fixed) for scheme in SCHEMES)


def of_texts(urls: Iterable[str]) -> Iterator[Link]:
    """`TITLE|URL`, or a URL, which then is called by where it leads: what `model.sight` has of an object."""
    for text in dict.fromkeys(urls):
        title, _, url = text.rpartition("|")
        if leads_out(url := url.strip()):
            yield Link(title=title.strip() or url.partition("://")[2].rstrip("/"), url=url)


def leads_out(url: str) -> bool:
    """Whether it may be shown as a link: a scheme that browsers only follow, a host, and nobody's name or password before it."""
    return bool(_ADDRESS.fullmatch(url))


_LONGEST = 8192
_ADDRESS = re.compile(rf"https?://[^@/?#\\\s\x00-\x20\x7f]+(?:[/?#][^\x00-\x1f\x7f]{{0,{_LONGEST}}})?", re.IGNORECASE)
