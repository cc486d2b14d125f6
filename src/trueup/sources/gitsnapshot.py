"""A Git commit as a Snapshot: read straight from the bare mirror, never checked out.

A view may leave things out (`sparse_checkout`) or put things in (submodules, each a Snapshot of its own, mounted at its
path).
"""

from __future__ import annotations

from collections.abc import Mapping

from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.sources.gitobjects import ObjectReader
from trueup.sources.treesnapshot import WHOLE, Hold, Mount, TreeSnapshot, View


class GitSnapshot(TreeSnapshot):
    """A tree with the commit that has it, and where that came from."""

    def __init__(
        self,
        reader: ObjectReader,
        revision: Revision,
        *,
        url: str,
        ref: str = "",
        view: View = WHOLE,
        mounts: Mapping[str, Mount] | None = None,
        hold: Hold | None = None,
        details: Details | None = None,
        included: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(
            reader, reader.tree_of(revision.digest), revision, view=view, mounts=mounts, hold=hold, details=details
        )
        self.url = url
        self.ref = ref or revision.digest
        """What the remote was asked for: a full ref name, HEAD, or the commit itself."""
        self.included = included
        """Which of the mounts are other sources' content; the others are submodules."""

    def __repr__(self) -> str:
        return f"GitSnapshot({self.url}, {self.revision.short})"

    @property
    def commit(self) -> str:
        return self.revision.digest
