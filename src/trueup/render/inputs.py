"""Looking at a Snapshot and writing down each look, so that the looks decide whether another revision matters.

The `Recorder` follows symlinks (inside the root only), hides what a Source ignores, and records exactly what an answer
depended on. `still_true` asks another snapshot whether all of it still holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Origin
from trueup.model.snapshot import Details, Entry, EntryType, Input, InputKind, Inputs, Snapshot
from trueup.render.remotes import is_remote, root_depth
from trueup.sources.ignore import IGNORE_FILE, Pattern, Rules, parse_patterns, rules_for

_MAX_LINKS = 40
_MAX_LINK_TEXT = 4096


class Ignoring(Struct, frozen=True):
    """The rules of a Flux source hold; `custom` is its `spec.ignore`."""

    custom: str | None = None


class At(Struct, frozen=True):
    """Where a path leads: `path` with links followed, and what stands there (None: nothing)."""

    path: str
    entry: Entry | None

    @property
    def is_file(self) -> bool:
        return self.entry is not None and self.entry.type is EntryType.FILE

    @property
    def is_directory(self) -> bool:
        return self.entry is not None and self.entry.type is EntryType.DIRECTORY


_TURNS = frozenset({"", ".", ".."})
_Notes: TypeAlias = frozenset[Input]
_NONE: _Notes = frozenset()


class Recorder:
    """One render's view of a Snapshot. Paths are relative to the root, with `/`; `..` and `.` are resolved.

    Everything found out is kept together with the looks that it took, so that `peek` can look ahead and only `look`
    and `listing` write down.
    """

    def __init__(self, snapshot: Snapshot, ignoring: Ignoring | None = None) -> None:
        self.snapshot = snapshot
        self._ignoring = ignoring
        self._seen: set[Input] = set()
        self._at: dict[str, tuple[At, _Notes]] = {}
        self._dead_ends: dict[str, _Notes] = {}
        self._entries: dict[str, tuple[Entry | None, _Notes]] = {}
        self._ignore_files: dict[str, tuple[tuple[Pattern, ...], _Notes]] = {}
        self._rules: dict[str, tuple[Rules, _Notes]] = {}
        self._verdicts: dict[str, tuple[bool, _Notes]] = {}

    def inputs(self) -> Inputs:
        listed = {item.path for item in self._seen if item.kind is InputKind.LISTING}
        items = (item for item in self._seen if item.kind is not InputKind.DIRECTORY or item.path not in listed)
        return Inputs.of(self.snapshot.id, items)

    def peek(self, path: str) -> At:
        """What stands at a path, without writing it down."""
        return self._found(path)[0]

    def look(self, path: str) -> At:
        """What stands at a path. Raises BuildFailed when it leads outside the root or round in circles."""
        try:
            at, notes = self._found(path)
        except BuildFailed:
            self._seen |= self._dead_ends[path]
            raise
        self._seen |= notes
        if at.entry is not None:
            self._seen.add(_as_it_stands(at.path, at.entry))
        return at

    def listing(self, path: str) -> tuple[Entry, ...]:
        """The entries of a directory that are not ignored, sorted by name; links as they stand, not followed."""
        self.look(path)
        entries, notes = self._listed(path)
        self._seen |= notes
        return entries

    def peek_listing(self, path: str) -> tuple[Entry, ...]:
        """What `listing` would give, without writing it down."""
        return self._listed(path)[0]

    def _listed(self, path: str) -> tuple[tuple[Entry, ...], _Notes]:
        at = self.peek(path)
        if not at.is_directory:
            raise NotADirectoryError(path)
        entries = self.snapshot.listing(at.path)
        noted = {Input(InputKind.LISTING, at.path, listing_digest(entries))}
        if self._ignoring is None:
            return entries, frozenset(noted)
        shown: list[Entry] = []
        for entry in entries:
            hidden, notes = self._hidden(join(at.path, entry.name), entry)
            noted |= notes
            if not hidden:
                shown.append(entry)
        return tuple(shown), frozenset(noted)

    def _found(self, path: str) -> tuple[At, _Notes]:
        if (known := self._at.get(path)) is None:
            if (known := self._beside(path)) is None:
                notes: set[Input] = set()
                try:
                    at = self._resolve(path, notes)
                except BuildFailed:
                    self._dead_ends[path] = frozenset(notes)
                    raise
                known = at, frozenset(notes)
            self._at[path] = known
        return known

    def _beside(self, path: str) -> tuple[At, _Notes] | None:
        """The short way for most looks: a name in a directory that was found where its path says. None: the whole way."""
        parent, _, name = path.rpartition("/")
        known = self._at.get(parent)
        if known is None or name in _TURNS:
            return None
        at, notes = known
        if at.path != parent or not at.is_directory:
            return None
        entry, looks = self._entry(path)
        if entry is not None and entry.type is EntryType.SYMLINK:
            return None
        return At(path, entry), notes | looks if looks else notes

    def _resolve(self, path: str, notes: set[Input]) -> At:
        names = [name for name in path.split("/") if name]
        here = names[: root_depth(names)]
        todo = list(reversed(names[len(here) :]))
        links = 0
        while todo:
            name = todo.pop()
            if name in {"", "."}:
                continue
            if name == "..":
                if len(here) <= root_depth(here):
                    raise outside(path)
                here.pop()
                continue
            at = "/".join((*here, name))
            entry, looks = self._entry(at)
            notes |= looks
            if entry is None:
                return At("/".join((at, *reversed(todo))), None)
            if entry.type is EntryType.SYMLINK:
                links += 1
                notes.add(Input(InputKind.SYMLINK, at, entry.id))
                todo.extend(reversed(self._target(at, path, links).split("/")))
                continue
            if entry.type is EntryType.FILE and todo:
                notes.add(Input(InputKind.FILE, at, entry.id))
                return At("/".join((at, *reversed(todo))), None)
            here.append(name)
        final = "/".join(here)
        entry, looks = self._entry(final)
        notes |= looks
        return At(final, entry)

    def _target(self, at: str, path: str, links: int) -> str:
        if links > _MAX_LINKS:
            raise BuildFailed(f"symlinks lead round in circles at {at}", origin=Origin(path))
        target = self.snapshot.read(at).decode(errors="replace")
        if target.startswith("/") or len(target) > _MAX_LINK_TEXT:
            raise BuildFailed(
                f"the symlink leads outside the repository, to {target[:200]}",
                origin=Origin(at),
                hint="use a relative link to a place inside the repository",
            )
        return target

    def _entry(self, path: str) -> tuple[Entry | None, _Notes]:
        """What the source shows at a path, links not followed."""
        if (known := self._entries.get(path)) is not None:
            return known
        entry = self.snapshot.entry(path)
        found: tuple[Entry | None, _Notes]
        if entry is None:
            found = None, frozenset({Input(InputKind.ABSENT, path)})
        elif self._ignoring is None or path == "":
            found = entry, _NONE
        else:
            hidden, notes = self._hidden(path, entry)
            found = (None, notes | {_as_it_stands(path, entry)}) if hidden else (entry, notes)
        self._entries[path] = found
        return found

    def _hidden(self, path: str, entry: Entry) -> tuple[bool, _Notes]:
        """Whether the source leaves it out. An ignored directory is there all the same when anything below it is;
        ignore files below a directory that is left out altogether are not looked for."""
        if is_remote(path):
            return False, _NONE  # a source's rules are about its own files
        if (known := self._verdicts.get(path)) is None:
            known = self._verdicts[path] = self._judge(path, directory=entry.type is EntryType.DIRECTORY)
        return known

    def _judge(self, path: str, *, directory: bool) -> tuple[bool, _Notes]:
        parent, _, _ = path.rpartition("/")
        rules, notes = self._rules_in(parent)
        names = path.split("/")
        if not rules.ignore(names, directory=directory):
            return False, notes
        if directory and any(pattern.negated and pattern.may_match_below(names) for pattern in rules.patterns):
            return self._all_hidden(path, notes)
        return True, notes

    def _all_hidden(self, path: str, notes: _Notes) -> tuple[bool, _Notes]:
        entries = self.snapshot.listing(path)
        notes |= {Input(InputKind.LISTING, path, listing_digest(entries))}
        for entry in entries:
            hidden, looks = self._hidden(join(path, entry.name), entry)
            notes |= looks
            if not hidden:
                return False, notes
        return True, notes

    def _rules_in(self, directory: str) -> tuple[Rules, _Notes]:
        """The rules that hold for the entries of a directory."""
        if (known := self._rules.get(directory)) is None:
            custom = self._ignoring.custom if self._ignoring is not None else None
            read = [self._ignore_file(place) for place in dict.fromkeys(("", *ancestors(directory), directory))]
            notes = _NONE.union(*(looks for _, looks in read))
            known = self._rules[directory] = rules_for(tuple(found for found, _ in read), custom), notes
        return known

    def _ignore_file(self, directory: str) -> tuple[tuple[Pattern, ...], _Notes]:
        if (known := self._ignore_files.get(directory)) is None:
            path = join(directory, IGNORE_FILE)
            entry = self.snapshot.entry(path)
            look = Input(InputKind.ABSENT, path) if entry is None else _as_it_stands(path, entry)
            patterns: tuple[Pattern, ...] = ()
            if entry is not None and entry.type is EntryType.FILE:
                text = self.snapshot.read(path).decode(errors="replace")
                patterns = parse_patterns(text, directory.split("/") if directory else ())
            known = self._ignore_files[directory] = patterns, frozenset({look})
        return known


def _as_it_stands(path: str, entry: Entry) -> Input:
    """The look at one entry, a link not followed."""
    match entry.type:
        case EntryType.FILE:
            return Input(InputKind.FILE, path, entry.id)
        case EntryType.SYMLINK:
            return Input(InputKind.SYMLINK, path, entry.id)
        case EntryType.DIRECTORY:
            return Input(InputKind.DIRECTORY, path)


def still_true(inputs: Inputs, snapshot: Snapshot) -> bool:
    """Whether every look would find in `snapshot` what it found then. Remote bases are asked about by themselves."""
    own = (item for item in inputs.items if not is_remote(item.path))
    if inputs.snapshot_id == snapshot.id:
        # Equal content may still have another revision.
        own = (item for item in own if item.kind is InputKind.REVISION)
    return all(holds(item, snapshot) for item in own)


def holds(item: Input, snapshot: Snapshot) -> bool:
    """Whether one look would find the same."""
    match item.kind:
        case InputKind.ABSENT:
            return snapshot.entry(item.path) is None and not _through_link(item.path, snapshot)
        case InputKind.FILE:
            return _is(snapshot.entry(item.path), EntryType.FILE, item.digest)
        case InputKind.SYMLINK:
            return _is(snapshot.entry(item.path), EntryType.SYMLINK, item.digest)
        case InputKind.REVISION:
            return item.digest == _revision_at(item.path, snapshot)
        case InputKind.DIRECTORY:
            entry = snapshot.entry(item.path)
            return entry is not None and entry.type is EntryType.DIRECTORY
        case InputKind.LISTING:
            try:
                return listing_digest(snapshot.listing(item.path)) == item.digest
            except (FileNotFoundError, NotADirectoryError):
                return False


def _revision_at(root: str, snapshot: Snapshot) -> str:
    """Of the whole, or of the source that is mounted there."""
    details = getattr(snapshot, "details", None)
    parts = details.parts if isinstance(details, Details) else ()
    return str(parts[int(root)] if root.isdigit() and int(root) < len(parts) else snapshot.revision)


def _is(entry: Entry | None, kind: EntryType, digest: str) -> bool:
    return entry is not None and entry.type is kind and entry.id == digest


def _through_link(path: str, snapshot: Snapshot) -> bool:
    """Whether a name on the way became a link, so that the path may lead somewhere after all."""
    entries = (snapshot.entry(parent) for parent in ancestors(path))
    return any(entry is not None and entry.type is EntryType.SYMLINK for entry in entries)


def listing_digest(entries: Iterable[Entry]) -> str:
    """Of names and types; what the files hold plays no part."""
    rows = (f"{entry.type.value} {entry.name}" for entry in entries)
    return hashlib.sha256("\0".join(rows).encode(errors="surrogateescape")).hexdigest()


def ancestors(path: str) -> tuple[str, ...]:
    """`"a/b/c"` -> `("a", "a/b")`: the directories on the way, without the root."""
    parts = path.split("/")
    return tuple("/".join(parts[:length]) for length in range(1, len(parts)))


def join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def outside(path: str) -> BuildFailed:
    return BuildFailed(
        f"the path {path} leads outside the repository",
        hint="nothing outside the repository can be read; copy it in",
    )


def too_large(at: At, limit: int) -> BuildFailed:
    size = at.entry.size if at.entry is not None else 0
    return BuildFailed(
        f"the file has {size} bytes; at most {limit} are read",
        origin=Origin(at.path),
        hint="keep large data out of manifests, or leave the file out with .sourceignore",
    )
