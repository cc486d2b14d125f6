"""The files of a chart that lies in another source's snapshot, links followed, within limits. Blocks: call it in a thread.

A link may lead anywhere inside the snapshot and nowhere else, as in Helm's loader with a fenced root.
"""

from __future__ import annotations

import posixpath

from trueup.model.snapshot import Entry, EntryType, Snapshot
from trueup.sources.archive import ArchiveRefused
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.storedfile import StoredFile

_MOST_LINKS = 40
_DEEPEST = 64


def clean_path(path: str) -> str | None:
    """`./charts//a/` -> `charts/a`, `.` -> ``; None for one that leads outside. A leading `/` means the root."""
    cleaned = posixpath.normpath(path.lstrip("/")) if path.strip("/") else ""
    if cleaned == ".." or cleaned.startswith("../"):
        return None
    return "" if cleaned == "." else cleaned


def resolve(snapshot: Snapshot, path: str) -> tuple[str, Entry] | None:
    """What stands at a path with every link on the way followed; None: nothing, or a link leads outside or round in circles."""
    pending = [part for part in path.split("/") if part]
    walked: list[str] = []
    links = 0
    while pending:
        name = pending.pop(0)
        if name == "..":
            if not walked:
                return None
            walked.pop()
            continue
        at = "/".join([*walked, name])
        entry = snapshot.entry(at)
        if entry is None:
            return None
        if entry.type is not EntryType.SYMLINK:
            walked.append(name)
            continue
        links += 1
        target = snapshot.read(at).decode("utf-8", "replace")
        if links > _MOST_LINKS or target.startswith("/"):
            return None
        pending = [part for part in target.split("/") if part not in ("", ".")] + pending
    final = "/".join(walked)
    entry = snapshot.entry(final)
    return (final, entry) if entry is not None else None


def files_below(
    snapshot: Snapshot, path: str, *, what: str, limits: HelmLimits = DEFAULT_LIMITS
) -> dict[str, StoredFile]:
    """Path relative to `path` -> file. A link that leads nowhere is left out. Raises ArchiveRefused beyond the limits."""
    found: dict[str, StoredFile] = {}
    total = 0
    folders: list[tuple[str, str, int]] = [("", path, 0)]
    while folders:
        shown, real, depth = folders.pop()
        if depth > _DEEPEST:
            raise ArchiveRefused(f"{what} is nested deeper than {_DEEPEST} folders, or has links in a circle")
        for entry in snapshot.listing(real):
            target = resolve(snapshot, f"{real}/{entry.name}" if real else entry.name)
            if target is None:
                continue
            at, name = target[0], f"{shown}/{entry.name}" if shown else entry.name
            if target[1].type is EntryType.DIRECTORY:
                folders.append((name, at, depth + 1))
                continue
            total += target[1].size
            if target[1].size > limits.unpacked.single and not name.startswith("charts/"):
                raise ArchiveRefused(f"{what}: {name} is larger than {limits.unpacked.single >> 20} MiB (limit)")
            if total > limits.unpacked.total or len(found) >= limits.unpacked.entries:
                raise ArchiveRefused(
                    f"{what} has more than {limits.unpacked.entries} files or {limits.unpacked.total >> 20} MiB (limit)",
                    hint="keep what is not part of the chart outside of its folder",
                )
            found[name] = StoredFile(name, snapshot.read(at), executable=target[1].executable)
    return found
