"""Which Apps read any of what changed: an inverted index over inputs, answered in O(changed files).

A change is one leaf (file or link) that differs. From leaves alone nobody can tell whether a directory appeared, so
looks at directories are checked against the new snapshot, each directory once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from trueup.model.refs import ObjectRef
from trueup.model.snapshot import EntryType, Input, InputKind, Inputs, Snapshot, TreeChange
from trueup.render.inputs import ancestors, holds

_AT_PATH = frozenset({InputKind.FILE, InputKind.SYMLINK})


class InputIndex:
    """The recorded inputs of many Apps. All of them hold for the snapshot that the changes start from."""

    def __init__(self) -> None:
        self._inputs: dict[ObjectRef, Inputs] = {}
        self._readers: dict[Input, set[ObjectRef]] = defaultdict(set)
        self._at: dict[str, set[Input]] = defaultdict(set)
        """What was looked for at a path: files, links, absent names, directories."""
        self._revisions: set[Input] = set()
        """Looks at the revision itself: any other one turns them."""
        self._absent_below: dict[str, set[Input]] = defaultdict(set)
        """Absent names by the directories on the way to them, where a link may appear."""

    def __len__(self) -> int:
        return len(self._inputs)

    def add(self, app: ObjectRef, inputs: Inputs) -> None:
        """Takes the place of what the App read before."""
        self.remove(app)
        self._inputs[app] = inputs
        for item in inputs.items:
            readers = self._readers[item]
            if not readers and item.kind is InputKind.REVISION:
                self._revisions.add(item)
            elif not readers:
                for table, path in self._places(item):
                    table[path].add(item)
            readers.add(app)

    def remove(self, app: ObjectRef) -> None:
        inputs = self._inputs.pop(app, None)
        for item in inputs.items if inputs is not None else ():
            readers = self._readers[item]
            readers.discard(app)
            if readers:
                continue
            del self._readers[item]
            if item.kind is InputKind.REVISION:
                self._revisions.discard(item)
                continue
            for table, path in self._places(item):
                table[path].discard(item)
                if not table[path]:
                    del table[path]

    def inputs_of(self, app: ObjectRef) -> Inputs | None:
        return self._inputs.get(app)

    def concerned(self, changes: Iterable[TreeChange], after: Snapshot | None = None) -> set[ObjectRef]:
        """The Apps for which a look would find something else in `after`.

        Without `after` the answer may name some too many: Apps that looked at a directory on the way to a file that
        appeared or disappeared.
        """
        apps: set[ObjectRef] = set()
        checked: set[Input] = set()
        for item in self._revisions:
            if after is None or not holds(item, after):
                apps |= self._readers[item]
        for change in changes:
            for item in self._touched(change):
                if item not in checked:
                    checked.add(item)
                    if after is None or not holds(item, after):
                        apps |= self._readers[item]
        return apps

    def _touched(self, change: TreeChange) -> Iterator[Input]:
        """Every look that the change might have turned; `holds` then decides."""
        structural = _kind(change, before=True) is not _kind(change, before=False)
        for item in self._at.get(change.path, ()):
            if structural or (item.kind in _AT_PATH and not _same(item, change)):
                yield item
        if not structural:
            return
        if change.after is not None and change.after.type is EntryType.SYMLINK:
            yield from self._absent_below.get(change.path, ())
        for parent in ("", *ancestors(change.path)):
            for item in self._at.get(parent, ()):
                if item.kind not in _AT_PATH:
                    yield item

    def _places(self, item: Input) -> Iterator[tuple[dict[str, set[Input]], str]]:
        yield self._at, item.path
        if item.kind is InputKind.ABSENT:
            for parent in ancestors(item.path):
                yield self._absent_below, parent


def _same(item: Input, change: TreeChange) -> bool:
    """Only the mode changed, which no look depends on."""
    return change.after is not None and change.after.id == item.digest


def _kind(change: TreeChange, *, before: bool) -> EntryType | None:
    entry = change.before if before else change.after
    return entry.type if entry is not None else None
