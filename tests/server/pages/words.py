"""Finds words for people that stand in a view instead of in the catalogues: text and spoken attributes of templates."""

from __future__ import annotations

import re
from collections.abc import Iterator

SPOKEN = ("title", "label", "placeholder", "alt", "aria-label", "help", "wrong", "names", "aria-description")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_TAG = re.compile(r"<[^>]*>", re.DOTALL)


def templates(source: str) -> Iterator[str]:
    """Each template literal tagged `html`, those inside others too, with its expressions cut out."""
    for start in [match.end() for match in re.finditer(r"\bhtml`", source)]:
        yield _template(source, start)


def _template(source: str, at: int) -> str:
    text = ""
    while source[at] != "`":
        if source.startswith("${", at):
            at = _expression(source, at + 2)
            text += "\0"
        else:
            at += 2 if source[at] == "\\" else 1
            text += source[at - 1]
    return text


def _expression(source: str, at: int) -> int:
    """The place after the brace that ends it."""
    depth = 1
    while depth:
        letter = source[at]
        if source.startswith("/*", at):
            at = source.index("*/", at) + 2
            continue
        if source.startswith("//", at) and source[at - 1] in " \n":
            at = source.index("\n", at)
            continue
        if letter in "\"'":
            at += 1
            while source[at] != letter:
                at += 2 if source[at] == "\\" else 1
        elif letter == "`":
            at += 1
            while source[at] != "`":
                at = (
                    _expression(source, at + 2)
                    if source.startswith("${", at)
                    else at + (2 if source[at] == "\\" else 1)
                )
        depth += {"{": 1, "}": -1}.get(letter, 0)
        at += 1
    return at


def stray_words(source: str) -> list[str]:
    found = []
    for template in templates(source):
        for tag in _TAG.findall(template):
            found += [
                f"{name}={value!r}"
                for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)
                if name in SPOKEN and _LETTERS.search(value)
            ]
        kept = re.sub(r"<(kbd|code)\b[^>]*>[^<]*</\1>", "", template)
        found += [text.strip() for text in re.split(r"\0", _TAG.sub("\0", kept)) if _LETTERS.search(text)]
    return found
