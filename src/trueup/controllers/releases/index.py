"""Which release records there are in the cluster: their versions and states alone, heard from a watch and our own writes.

The records themselves (megabytes, with values in them) are read one by one when an action needs them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from msgspec import Struct

from trueup.model.manifest import Manifest, labels_of, name_of, namespace_of, resource_version_of
from trueup.model.refs import ObjectRef
from trueup.sync.facts import newer
from trueup.sync.releases.naming import parse_record_name

SELECTOR = "owner=helm"


class RecordRow(Struct, frozen=True, gc=False):
    """What is kept of one record."""

    status: str
    resource_version: str


def reduce_record(obj: Manifest) -> RecordRow | None:
    """None: a Secret of Helm's that records no release."""
    if parse_record_name(name_of(obj)) is None:
        return None
    return RecordRow(str(labels_of(obj).get("status") or ""), resource_version_of(obj))


class ReleaseIndex:
    """`on_change(app, status)` is called when somebody else changed a record of the release that the App keeps.

    `status` is what the record says now; empty: it is gone.
    """

    def __init__(self, on_change: Callable[[ObjectRef, str], None]) -> None:
        self._on_change = on_change
        self._keepers: dict[tuple[str, str], ObjectRef] = {}
        self._kept: dict[ObjectRef, tuple[str, str]] = {}
        self._rows: dict[tuple[str, str], dict[int, RecordRow]] = defaultdict(dict)
        self.complete = False
        """Whether all records of the cluster have been seen, and are watched."""

    def versions(self, namespace: str, name: str) -> Mapping[int, RecordRow]:
        return self._rows.get((namespace, name), {})

    def keep(self, app: ObjectRef, namespace: str, name: str) -> None:
        """The App keeps that release from now on; of two that name the same one, the last to say so is told."""
        self.leave(app)
        self._kept[app] = (namespace, name)
        self._keepers[(namespace, name)] = app

    def leave(self, app: ObjectRef) -> None:
        release = self._kept.pop(app, None)
        if release is not None and self._keepers.get(release) == app:
            del self._keepers[release]

    def newest(self, namespace: str, name: str) -> str:
        """What tells the newest record from every other one, to be remembered; empty: there is none."""
        rows = self.versions(namespace, name)
        version = max(rows, default=0)
        return f"{version}:{rows[version].resource_version}" if version else ""

    def _tell(self, namespace: str, name: str, status: str) -> None:
        if (app := self._keepers.get((namespace, name))) is not None:
            self._on_change(app, status)

    def seen(self, ref: ObjectRef, _before: RecordRow | None, after: RecordRow | None, _raw: Manifest | None) -> None:
        """An event of the watch."""
        parsed = parse_record_name(ref.name)
        if parsed is None:
            return
        name, version = parsed
        rows = self._rows[(ref.namespace, name)]
        known = rows.get(version)
        if after is None:
            if rows.pop(version, None) is not None:
                self._tell(ref.namespace, name, "")
        elif known is None or newer(after.resource_version, known.resource_version):
            rows[version] = after
            self._tell(ref.namespace, name, after.status)

    def wrote(self, answer: Manifest) -> None:
        """The answer to a write of our own: its event is no news."""
        row, parsed = reduce_record(answer), parse_record_name(name_of(answer))
        if row is not None and parsed is not None:
            self._rows[(namespace_of(answer), parsed[0])][parsed[1]] = row

    def removed(self, ref: ObjectRef) -> None:
        """We deleted a record."""
        if (parsed := parse_record_name(ref.name)) is not None:
            self._rows[(ref.namespace, parsed[0])].pop(parsed[1], None)
