"""Revisions of sources, in Flux's text forms (RFC-0005): `main@sha1:<hex>`, `sha1:<hex>`, `latest@sha256:<hex>`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from msgspec import Struct

_CURRENT = re.compile(r"^(?:(?P<name>.+)@)?(?P<algorithm>[a-z0-9]+):(?P<digest>[0-9a-f]+)$")
_OLD = re.compile(r"^(?:(?P<name>.+)/)?(?P<digest>[0-9a-f]{40}|[0-9a-f]{64})$")
_VERSION = re.compile(r"^v?\d+(\.\d+){1,2}([-+][0-9A-Za-z.+-]*)?$")
_ALGORITHMS = {40: "sha1", 64: "sha256"}


class Revision(Struct, frozen=True, order=True, gc=False):
    """One immutable state of a source. `name` is the branch, tag or ref that led there; empty for a bare commit.

    Of a chart there is nothing but its version: that is the name, and the rest is empty.
    """

    name: str
    algorithm: str
    digest: str

    def __str__(self) -> str:
        if not self.digest:
            return self.name
        text = f"{self.algorithm}:{self.digest}"
        return f"{self.name}@{text}" if self.name else text

    def is_content_of(self, other: Revision) -> bool:
        """Whether both are the same content, whatever name led there."""
        return self.digest == other.digest if self.digest or other.digest else self.name == other.name

    @property
    def short(self) -> str:
        """For people: `main@1a2b3c4`."""
        if not self.digest:
            return self.name
        return f"{self.name}@{self.digest[:7]}" if self.name else self.digest[:7]


def parse_revision(text: str) -> Revision | None:
    """Reads today's form, a chart's version, and the form before Flux 2.0 (`main/<hex>`, a bare hash); None for anything else."""
    if match := _CURRENT.match(text):
        return Revision(match["name"] or "", match["algorithm"], match["digest"])
    if match := _OLD.match(text):
        name = match["name"] or ""
        return Revision("" if name == "HEAD" else name, _ALGORITHMS[len(match["digest"])], match["digest"])
    return Revision(text, "", "") if _VERSION.match(text) else None


def git_revision(name: str, commit: str) -> Revision:
    """The revision of a Git commit that was reached by `name`; the algorithm follows from the hash's length."""
    return Revision(name, _ALGORITHMS[len(commit)], commit)


def chart_revision(version: str) -> Revision:
    """The revision of a chart."""
    return Revision(version, "", "")


def composite_revision(parts: Sequence[Revision]) -> Revision:
    """The revision of several sources together, in their order."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
    return Revision("", "sha256", digest)
