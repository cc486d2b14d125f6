"""One of several sources as a Snapshot of its own: what is mounted at its root, and nothing else.

No path leads from one source into another, but for those that the App refers to by name: they stand below `REFS`, are found
when asked for by name, and are in no listing. Looks at a part are turned back into looks at the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from trueup.model.rendering import REFS
from trueup.model.revision import Revision
from trueup.model.snapshot import Details, Entry, EntryType, Input, Snapshot
from trueup.render.remotes import is_remote


class PartSnapshot:
    """Implements `model.snapshot.Snapshot`. `refs`: the mounts of other sources, by the name they have here."""

    def __init__(self, whole: Snapshot, root: str, refs: Mapping[str, str]) -> None:
        self._whole = whole
        self._root = root
        self._refs = dict(refs)
        self._revision = revision_at(whole, root)
        digest = hashlib.sha256(self._id_of(root).encode())
        for name, mount in sorted(self._refs.items()):
            digest.update(f"\0{name} {self._id_of(mount)}".encode())
        self._id = digest.hexdigest() if self._refs else self._id_of(root)

    @property
    def id(self) -> str:
        return self._id

    @property
    def revision(self) -> Revision:
        return self._revision

    def entry(self, path: str) -> Entry | None:
        if path == "":
            return Entry("", EntryType.DIRECTORY, self._id)
        if path == REFS and self._refs:
            return Entry(REFS, EntryType.DIRECTORY, self._id)
        real = self.real(path)
        return self._whole.entry(real) if real is not None else None

    def listing(self, path: str) -> tuple[Entry, ...]:
        real = self.real(path)
        if real is None:
            raise FileNotFoundError(path)
        return self._whole.listing(real)

    def read(self, path: str) -> bytes:
        real = self.real(path)
        if real is None:
            raise FileNotFoundError(path)
        return self._whole.read(real)

    def real(self, path: str) -> str | None:
        """The same place in the whole; None: it has none there."""
        head, _, rest = path.partition("/")
        if head != REFS or not self._refs:
            return f"{self._root}/{path}" if path else self._root
        name, _, inside = rest.partition("/")
        mount = self._refs.get(name)
        if mount is None:
            return None
        return f"{mount}/{inside}" if inside else mount

    def look_of(self, item: Input) -> Input | None:
        """A look at this part as a look at the whole; None where nothing of the whole was looked at. Remotes are nobody's part."""
        if is_remote(item.path):
            return item
        real = self.real(item.path)
        return Input(item.kind, real, item.digest) if real is not None else None

    def _id_of(self, mount: str) -> str:
        found = self._whole.entry(mount)
        return found.id if found is not None else ""


def revision_at(snapshot: Snapshot, root: str) -> Revision:
    """The revision of the source that is mounted there; the whole's, where that cannot be told."""
    details = getattr(snapshot, "details", None)
    parts = details.parts if isinstance(details, Details) else ()
    return parts[int(root)] if root.isdigit() and int(root) < len(parts) else snapshot.revision
