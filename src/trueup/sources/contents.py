"""What a repository offers, without fetching any of it: branches and tags, charts with their versions. Its test, too."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import unquote

from msgspec import Struct

from trueup.model.source import GitSource, HelmRepositorySource, OciSource
from trueup.sources.helm.index import charts_of, rows_of
from trueup.sources.listing import HEADS, TAGS, Listing
from trueup.sources.treesnapshot import TreeSnapshot

Listable: TypeAlias = GitSource | HelmRepositorySource | OciSource
"""Sources that can say what they offer; a Helm repository that is a registry (`oci`) cannot."""


class Contents(Struct, frozen=True, kw_only=True):
    """`charts`: name -> versions, in the order of the index (newest first, as Helm writes it)."""

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    default_branch: str = ""
    charts: dict[str, tuple[str, ...]] = {}


def of_listing(listing: Listing) -> Contents:
    def below(prefix: str) -> tuple[str, ...]:
        return tuple(sorted(ref.removeprefix(prefix) for ref in listing.refs if ref.startswith(prefix)))

    return Contents(branches=below(HEADS), tags=below(TAGS), default_branch=listing.default_branch.removeprefix(HEADS))


def of_index(snapshot: TreeSnapshot) -> Contents:
    """Blocks."""
    names = sorted(unquote(name) for name in charts_of(snapshot))
    return Contents(charts={name: tuple(row.version for row in rows_of(snapshot, name) or ()) for name in names})
