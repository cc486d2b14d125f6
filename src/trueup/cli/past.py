"""An App's past: from the records database where there is one for this cluster, else what the App's status remembers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from trueup.apps.pins import read_revisions, whole
from trueup.cli.home import find_home
from trueup.cli.session import Found, Session
from trueup.cluster.config import load_config
from trueup.model.change import Action, Change
from trueup.model.errors import InvalidInput, TrueupError
from trueup.model.outcome import HistoryEntry
from trueup.model.revision import Revision, parse_revision
from trueup.records.history import History, HistoryUnavailable
from trueup.records.record import RecordKind, StoredRecord

SHORTEST = 4
"""Digits of a commit that a person has to write at least."""
_COUNTED = (
    Action.CREATED,
    Action.CONFIGURED,
    Action.RECREATED,
    Action.PRUNED,
    Action.FAILED,
)


class PastRow(Struct, frozen=True, kw_only=True):
    """One thing that happened to an App. `id` is the record's, or the number of the row in the status."""

    id: int
    at: datetime
    kind: str
    revision: str
    result: str
    took: timedelta = timedelta()
    by: str = ""
    message: str = ""
    changes: tuple[Change, ...] = ()


def records_url(session: Session, given: str) -> str:
    """`--database`, else that of `trueup up` when this is its cluster; empty: none is known."""
    if given:
        return given
    home = find_home()
    try:
        ours = home.database.is_file() and load_config(home.kubeconfig).server == session.client.config.server
    except InvalidInput:
        ours = False
    return f"sqlite:///{home.database}" if ours else ""


def read_past(found: Found, url: str, *, limit: int, kinds: Sequence[RecordKind] = ()) -> tuple[list[PastRow], str]:
    """Newest first, and a note where the database could not tell. Blocks on the database."""
    note = ""
    if url:
        try:
            with History(url) as history:
                rows = [from_record(record) for record in history.list(found.ref, kinds=kinds, limit=limit)]
            if rows:
                return rows, ""
            note = "the records hold nothing of it yet; this is what its status remembers"
        except HistoryUnavailable as error:
            note = f"{error.message}; this is what its status remembers"
    entries = found.kind.dialect.stored_history(found.obj)
    if kinds and RecordKind.SYNC not in kinds:
        entries = ()
    return [from_status(entry) for entry in reversed(entries)][:limit], note


def from_record(record: StoredRecord) -> PastRow:
    return PastRow(
        id=record.id,
        at=record.at,
        kind=str(record.kind),
        revision=record.revision,
        result=record.result,
        took=record.took,
        by=record.initiated_by,
        message=record.message,
        changes=record.changes,
    )


def from_status(entry: HistoryEntry) -> PastRow:
    return PastRow(
        id=entry.id,
        at=entry.last_at,
        kind=str(RecordKind.SYNC),
        revision=entry.revision,
        result="succeeded" if entry.succeeded else "failed",
        took=entry.duration,
        by=entry.initiated_by,
        message=f"{entry.count} times since {entry.first_at:%Y-%m-%d %H:%M}" if entry.count > 1 else "",
    )


def summarise(changes: Sequence[Change]) -> str:
    """`2 created, 1 pruned`; unchanged and skipped objects are not worth a word."""
    counts = [
        f"{count} {action}" for action in _COUNTED if (count := sum(1 for item in changes if item.action is action))
    ]
    return ", ".join(counts)


class NoSuchRevision(TrueupError):
    """The past holds no revision of that name."""

    reason = "NoSuchRevision"


def choose_revision(rows: Sequence[PastRow], wanted: str, current: Revision | None) -> Revision:
    """The revision to go back to: by id, by the beginning of its commit, as text; without a wish the last other good one.

    Raises NoSuchRevision, which names the revisions there are.
    """
    good: dict[str, Revision] = {}
    for row in rows:
        revision = parse_revision(row.revision)
        if revision is not None and row.result == "succeeded":
            good.setdefault(revision.digest, revision)
            if wanted == str(row.id) and len(wanted) < SHORTEST * 2:
                return revision
    if not wanted:
        other = [revision for digest, revision in good.items() if current is None or digest != current.digest]
        if other:
            return other[0]
        raise NoSuchRevision(
            "no other revision was ever synced with success", hint="name one: trueup rollback APP main@sha1:<commit>"
        )
    if (exact := parse_revision(wanted)) is not None:
        return good.get(exact.digest, exact)
    commit = wanted.rpartition("@")[2].rpartition(":")[2]
    found = [r for r in good.values() if len(commit) >= SHORTEST and r.digest.startswith(commit)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(revision.short for revision in list(good.values())[:5]) or "none"
    if found:
        raise NoSuchRevision(f"{wanted!r} is the beginning of {len(found)} revisions", hint="write more digits")
    raise NoSuchRevision(
        f"no revision {wanted!r} was synced with success; there were {known}", hint="see trueup history"
    )


def choose_parts(entries: Sequence[HistoryEntry], wanted: str, current: Revision | None) -> tuple[Revision, ...]:
    """Of several sources, the revisions to go back to: as written, or without a wish those of the last other sync that its
    status remembers (a record knows only the revision of all together). Raises NoSuchRevision.
    """
    if wanted:
        found = read_revisions(wanted)
        if found is None or len(found) < 2:
            raise NoSuchRevision(
                f"{wanted!r} does not say which revision of each source",
                hint="write one for each, with commas: "
                + ",".join(entries[-1].parts if entries else ("1.2.0", "<commit>")),
            )
        return found
    for entry in reversed(entries):
        found = read_revisions(",".join(entry.parts))
        if found is not None and (current is None or whole(found).digest != current.digest):
            return found
    raise NoSuchRevision(
        "no other revisions are remembered", hint="name one for each source: trueup rollback APP 1.2.0,<commit>"
    )
