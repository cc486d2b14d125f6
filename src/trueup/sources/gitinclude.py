"""Other sources' content inside a Git repository's own: Flux's `include`. Each is mounted, nothing is copied.

As in Flux a place that holds something already is not overwritten, and what cannot be put in leaves the source as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trueup.model.errors import InvalidInput, SourceError
from trueup.model.revision import Revision
from trueup.model.snapshot import Details, EntryType
from trueup.model.source import GitInclude
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.parent import Parent
from trueup.sources.treesnapshot import Mount


class IncludeUnavailable(SourceError):
    """What is to be put in is not there, or its place is taken."""

    reason = "IncludeUnavailable"


def include_places(includes: Sequence[GitInclude]) -> tuple[str, ...]:
    """Where each is mounted; by default below the included source's name. Raises InvalidInput for one that leads outside."""
    places: list[str] = []
    for number, one in enumerate(includes):
        place = _clean(one.to_path or one.source.name, f"spec.include[{number}].toPath")
        if not place:
            raise InvalidInput(
                "the place of an include cannot be the repository's root",
                field=f"spec.include[{number}].toPath",
                hint="name a directory that is not there yet",
            )
        for other in places:
            if place == other or place.startswith(f"{other}/") or other.startswith(f"{place}/"):
                raise InvalidInput(
                    f"{place!r} and {other!r} would be one inside the other", field=f"spec.include[{number}].toPath"
                )
        places.append(place)
    return tuple(places)


def with_includes(
    own: GitSnapshot, includes: Sequence[GitInclude], parents: Sequence[Parent], known: GitSnapshot | None
) -> GitSnapshot:
    """`own` (which may be `known` itself) with the parents' content put in; `known` where nothing differs from it.

    Takes `own` over: gives it up when it answers something else that does not stand on it. Blocks on the disk.
    """
    places = include_places(includes)
    snapshots = [parent.ready_snapshot for parent in parents]
    mounts = {
        place: Mount(snapshot, _clean(one.from_path, f"spec.include[{number}].fromPath"))
        for number, (place, one, snapshot) in enumerate(zip(places, includes, snapshots, strict=True))
    }
    parts = tuple(snapshot.revision for snapshot in snapshots)
    if own is known and _same(own, mounts, parts):
        return own
    bare = _copy(own, {path: mount for path, mount in own.mounts.items() if path not in own.included}, own.details)
    try:
        for number, (place, mount) in enumerate(mounts.items()):
            _check(bare, place, mount, includes[number], number)
        return _copy(bare, bare.mounts | mounts, Details(verified=own.details.verified, parts=parts), frozenset(mounts))
    finally:
        bare.release()
        if own is not known:
            own.release()


def _copy(
    own: GitSnapshot, mounts: Mapping[str, Mount], details: Details, included: frozenset[str] = frozenset()
) -> GitSnapshot:
    """With holds of its own of the commit and of all that is mounted."""
    return GitSnapshot(
        own.reader,
        own.revision,
        url=own.url,
        ref=own.ref,
        view=own.view,
        mounts={path: Mount(mount.snapshot.share(), mount.path) for path, mount in mounts.items()},
        hold=own.hold.again(),
        details=details,
        included=included,
    )


def _check(own: GitSnapshot, place: str, mount: Mount, include: GitInclude, number: int) -> None:
    there = own.entry(place)
    if there is not None and (there.type is not EntryType.DIRECTORY or own.listing(place)):
        raise IncludeUnavailable(
            f"{include.source} cannot be included at {place!r}: the repository has something there",
            field=f"spec.include[{number}].toPath",
            hint="name a directory that is not there, or empty",
        )
    parent = place.rpartition("/")[0]
    while parent:
        above = own.entry(parent)
        if above is not None and above.type is not EntryType.DIRECTORY:
            raise IncludeUnavailable(
                f"{include.source} cannot be included at {place!r}: {parent} is not a directory",
                field=f"spec.include[{number}].toPath",
            )
        parent = parent.rpartition("/")[0]
    found = mount.snapshot.entry(mount.path)
    if found is None or found.type is not EntryType.DIRECTORY:
        raise IncludeUnavailable(
            f"{include.source} has no directory {mount.path!r} at {mount.snapshot.revision.short}",
            field=f"spec.include[{number}].fromPath",
        )


def _same(known: GitSnapshot, wanted: Mapping[str, Mount], parts: tuple[Revision, ...]) -> bool:
    """Also by their readers: a mirror that was rebuilt has another one, and the old one's objects are gone."""
    return (
        known.included == frozenset(wanted)
        and known.details.parts == parts
        and all(
            known.mounts[place].path == mount.path
            and known.mounts[place].snapshot.id == mount.snapshot.id
            and known.mounts[place].snapshot.reader is mount.snapshot.reader
            for place, mount in wanted.items()
        )
    )


def _clean(path: str, field: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInput(f"{path!r} leads outside of the repository", field=field)
    return "/".join(parts)
