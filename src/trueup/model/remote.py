"""Remotes: what a kustomization or a chart names outside its repository, and what was fetched for it. Values only.

A render says what it needs (`RemoteNeed`), the shell fetches it, and the render goes on with the content mounted. Nothing
is fetched while a library works.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from trueup.model.manifest import Origin
from trueup.model.revision import Revision
from trueup.model.snapshot import Snapshot


class ChartNeed(Struct, frozen=True):
    """A dependency of a chart: `version` is a range, `repository` a URL (`https`, `oci`), or `@name` of one that Argo CD knows."""

    name: str
    version: str
    repository: str


class RemoteNeed(Struct, frozen=True):
    """`text` as the kustomization at `origin` names it. `directory`: only a repository will do (components)."""

    text: str
    origin: Origin | None = None
    directory: bool = False
    revision: Revision | None = None
    """What it was when it was used last."""
    chart: ChartNeed | None = None
    """It is a chart of a Helm repository; `text` says which for people."""


class RemoteContent(Struct, frozen=True, kw_only=True):
    """One remote at one revision. `key` is the same at every revision; `path` is that of a directory or file in the snapshot."""

    text: str
    key: str
    snapshot: Snapshot
    path: str
    is_file: bool
    repository: str = ""
    """What is cloned, and `reference` what of it: as the library would note it. Of a chart, the URL of its repository."""
    reference: str = ""
    chart: ChartNeed | None = None


class RemoteFetcher(Protocol):
    """Bound to one App: its credentials, its patience."""

    @property
    def expected(self) -> tuple[RemoteNeed, ...]:
        """What its last render needed."""
        ...

    async def fetch(self, needs: Sequence[RemoteNeed]) -> tuple[RemoteContent, ...]:
        """The content of those needs that name something remote; a text that does not is left out.

        Raises BuildFailed (refused; no such path) or SourceError, naming file and line.
        """
        ...
