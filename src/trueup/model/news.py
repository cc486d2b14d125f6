"""What a forge or registry tells by a webhook: something is new there. It says where to look, and is never believed."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class NewsKind(StrEnum):
    GIT = "git"
    OCI = "oci"


class News(Struct, frozen=True, kw_only=True):
    """`urls` are spellings of one repository's address, any of which a source may use."""

    kind: NewsKind
    urls: tuple[str, ...]
    ref: str = ""
    """Git: a full ref that moved (`refs/heads/main`); OCI: a tag. Empty: it is not told which."""
    default_branch: str = ""
    """Git: the branch that HEAD stands for; empty: not told."""

    def __str__(self) -> str:
        return f"{self.urls[0]}{f' {self.ref}' if self.ref else ''}"
