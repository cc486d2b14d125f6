"""Why somebody changes something, for the audit log: a header that every call takes, since few bodies have a place for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

HEADER = "X-Trueup-Why"
"""Percent-encoded where it is more than ASCII, as headers cannot hold it."""
LONGEST = 500


def why_of(headers: Mapping[str, str]) -> str:
    """One line without anything that could break it."""
    text = unquote(headers.get(HEADER, "")[: LONGEST * 9], errors="replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:LONGEST]


def joined(why: str, told: str) -> str:
    """What the caller says, and what the call itself tells."""
    return f"{why}; {told}" if why and told and told != why else why or told
