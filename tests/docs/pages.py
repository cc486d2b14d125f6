"""The documentation as data: pages, their links, headings and fenced code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^ *```(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)|(?:src|srcset|href)=\"(?P<html>[^\"]+)\"")
_HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)


class Fence(Struct, frozen=True):
    page: Path
    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """Every page that people read, in both languages."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "examples/sample/README.md"]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> Iterator[Fence]:
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Fence(page, found["language"], found["text"], text.count("\n", 0, found.start()) + 2)


def prose(page: Path) -> str:
    """The page without its fenced code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    return [found["target"] or found["html"] for found in _LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """The headings' anchors as GitHub makes them: lower case, punctuation dropped, spaces to dashes."""
    found = set()
    for heading in _HEADING.finditer(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"]).lower().strip()
        # Thai vowels and tone marks are marks, not letters, and are kept.
        found.add(re.sub(r"[^\w\-\u0e00-\u0e7f ]", "", text).replace(" ", "-"))
    return found
