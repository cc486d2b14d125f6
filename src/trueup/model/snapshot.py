"""What a render may look at, and the record of what it looked at.

A Snapshot is one immutable revision of a source. An Input is one look at it, with a digest of what was seen; the inputs
of a render decide whether another revision concerns it. Reading a real repository is `sources`' work.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field

from trueup.model.revision import Revision


class EntryType(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


class Entry(Struct, frozen=True, gc=False):
    """One name in a directory. `id` is the content's address (a Git blob or tree id); `size` is in bytes (0 for others)."""

    name: str
    type: EntryType
    id: str
    size: int = 0
    executable: bool = False


class Snapshot(Protocol):
    """Paths are relative to the root, with `/`, without a leading `./`; the root itself is `""`.

    Symlinks are not followed here: `render` resolves them (and records them), never outside the root.
    """

    @property
    def id(self) -> str:
        """The content's address: equal ids hold equal files."""
        ...

    @property
    def revision(self) -> Revision: ...

    def entry(self, path: str) -> Entry | None:
        """The entry at a path, or None when there is none (also below something that is not a directory)."""
        ...

    def listing(self, path: str) -> tuple[Entry, ...]:
        """The entries of a directory, sorted by name. Raises NotADirectoryError or FileNotFoundError."""
        ...

    def read(self, path: str) -> bytes:
        """A file's bytes, or a symlink's target. Raises FileNotFoundError or IsADirectoryError."""
        ...


class Details(Struct, frozen=True, kw_only=True):
    """What a source has to tell about a revision beside its files: shown in its status, never looked at by a render."""

    metadata: dict[str, str] = field(default_factory=dict)
    """Flux's `artifact.metadata`: annotations of an OCI artifact."""
    chart: str = ""
    """The name of a chart."""
    digest: str = ""
    """`sha256:<hex>` of what came over the network, where the files came as one."""
    size: int | None = None
    """Bytes of the same."""
    verified: str = ""
    """In words, whose signature was good; empty: none was asked for."""
    parts: tuple[Revision, ...] = ()
    """The revisions of the sources that this one is made of."""


class TreeChange(Struct, frozen=True):
    """One leaf (file or symlink) that differs between two snapshots. No `before`: it is new; no `after`: it is gone."""

    path: str
    before: Entry | None
    after: Entry | None


class InputKind(StrEnum):
    FILE = "file"
    """A file's bytes were read; the digest is its content's id (and mode, where that was looked at)."""
    ABSENT = "absent"
    """A name was looked for and not found; it must stay absent. The digest is empty."""
    LISTING = "listing"
    """A directory was listed; the digest covers names and types, not what the files hold."""
    DIRECTORY = "directory"
    """A name was looked for and is a directory, which was not listed. The digest is empty."""
    REVISION = "revision"
    """The revision itself is in the output, so that every other one is another question; the path is empty (of several
    sources: where that one is mounted)."""
    SYMLINK = "symlink"
    """A link was followed; the digest is its target text's id."""


class Input(Struct, frozen=True, order=True, gc=False):
    """One look at a Snapshot. A path that goes from file to directory changes kind, and so does not match."""

    kind: InputKind
    path: str
    digest: str = ""


class Inputs(Struct, frozen=True):
    """All looks of one render, sorted; `snapshot_id` is where they were made."""

    snapshot_id: str
    items: tuple[Input, ...]

    @staticmethod
    def of(snapshot_id: str, items: Iterable[Input]) -> Inputs:
        return Inputs(snapshot_id, tuple(sorted(set(items))))
