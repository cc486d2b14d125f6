"""How releases and their records are named: Flux's composition and shortening, Helm's Secrets."""

from __future__ import annotations

import hashlib
import re

LONGEST = 53
"""Helm's limit: hooks and tests add suffixes to it."""
_KEPT = 40
_HASHED = 12
_RECORD = re.compile(r"^sh\.helm\.release\.v1\.(?P<name>.+)\.v(?P<version>[0-9]+)$")


def release_name(name: str, *, release: str = "", target_namespace: str = "") -> str:
    """The release's own name where one is given, else `[<target namespace>-]<name>`; shortened where it is too long."""
    return shortened(release or (f"{target_namespace}-{name}" if target_namespace else name))


def shortened(name: str) -> str:
    """`<first 40 characters>-<first 12 of its SHA-256>`."""
    if len(name) <= LONGEST:
        return name
    return f"{name[:_KEPT]}-{hashlib.sha256(name.encode()).hexdigest()[:_HASHED]}"


def record_name(release: str, version: int) -> str:
    return f"sh.helm.release.v1.{release}.v{version}"


def parse_record_name(name: str) -> tuple[str, int] | None:
    """The release and its version; None for a Secret of another kind of name."""
    match = _RECORD.match(name)
    return (match["name"], int(match["version"])) if match else None
