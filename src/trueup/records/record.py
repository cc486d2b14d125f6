"""One row of history, as the controllers tell it. Storing it is `records.store`'s work; losing it never stops a sync."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from trueup.model.change import Change
from trueup.model.refs import ObjectRef


class RecordKind(StrEnum):
    SYNC = "sync"
    """A plan was executed (also with nothing to do, when it was asked for)."""
    DRIFT = "drift"
    """Somebody changed fields of ours; `changes` holds them with both values."""
    HEAL = "heal"
    PRUNE = "prune"
    """Everything of an App was removed because the App itself went."""
    FAILURE = "failure"
    """Nothing was executed: the source, the render or a gate failed."""
    HEALTH = "health"
    """A managed object's health changed; `message` says from what to what."""
    ROLLBACK = "rollback"
    SUSPEND = "suspend"


class StoredManifest(Struct, frozen=True):
    """A manifest to keep by content: `desired` as rendered, `applied` as the server answered; Secrets already masked."""

    ref: ObjectRef
    desired: bytes
    applied: bytes = b""


class Record(Struct, frozen=True, kw_only=True):
    """What happened to one App at one time. `result` is "succeeded", "failed" or "partial"."""

    kind: RecordKind
    app: ObjectRef
    dialect: str
    at: datetime
    took: timedelta = timedelta()
    revision: str = ""
    result: str = "succeeded"
    reason: str = ""
    message: str = ""
    initiated_by: str = ""
    changes: tuple[Change, ...] = ()
    manifests: tuple[StoredManifest, ...] = ()


class StoredRecord(Record, frozen=True, kw_only=True):
    """A record as the database gives it back, without its manifests: `History.manifests(id)` reads those."""

    id: int
    manifest_count: int = 0


class AppRevision(Struct, frozen=True, kw_only=True):
    """One revision that an App was brought to: when first and last, how often, and how its last sync went."""

    revision: str
    first_at: datetime
    last_at: datetime
    syncs: int
    result: str
    last_record: int
    """The id of the last sync's record, whose manifests show what that revision was."""


class Recorder(Protocol):
    def put(self, record: Record) -> None:
        """Takes the record and returns at once. A full or broken store drops it and counts the loss."""
        ...


class NullRecorder:
    """For when no database is wanted."""

    def put(self, record: Record) -> None:
        del record
