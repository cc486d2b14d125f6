"""What a sync does or did, object by object."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef


class Action(StrEnum):
    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    PRUNED = "pruned"
    SKIPPED = "skipped"
    RECREATED = "recreated"
    FAILED = "failed"


class FieldChange(Struct, frozen=True, gc=False):
    """One field's values before and after, as JSON texts; empty: absent. `path` is `spec.template.spec.containers[name=web].image`."""

    path: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.before or '(unset)'} -> {self.after or '(unset)'}"


class Change(Struct, frozen=True, kw_only=True):
    """One object's part of a plan or of its outcome."""

    ref: ObjectRef
    version: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    message: str = ""
    """Why it was skipped or failed, for people."""
    reason: str = ""
    origin: Origin | None = None


class SyncReport(Struct, frozen=True, kw_only=True):
    """The outcome of one execution. `took` covers planning and applying, not waiting for health."""

    changes: tuple[Change, ...]
    took: timedelta

    @property
    def failures(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action is Action.FAILED)

    def count(self, action: Action) -> int:
        return sum(1 for change in self.changes if change.action is action)
