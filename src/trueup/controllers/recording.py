"""What the steps tell the records: one row per thing that happened, with the manifests that it touched."""

from __future__ import annotations

from datetime import datetime, timedelta

from trueup.apps.pins import Pin
from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.model.change import Change
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.records.record import Record, RecordKind, StoredManifest
from trueup.sync.canonical import canonical, masked, masking_of
from trueup.sync.plan import Plan


def make_record(
    shell: AppShell,
    kind: RecordKind,
    memory: AppMemory,
    *,
    result: str,
    message: str,
    reason: str = "",
    changes: tuple[Change, ...] = (),
    manifests: tuple[StoredManifest, ...] = (),
    started: datetime | None = None,
    initiated_by: str = "",
) -> Record:
    """A row about the App as it is remembered now."""
    now = shell.clock()
    revision = memory.saved.attempted or memory.saved.revision
    return Record(
        kind=kind,
        app=memory.ref,
        dialect=shell.dialect_of(memory.ref).name,
        at=now,
        took=max(now - started, timedelta()) if started else timedelta(),
        revision=str(revision) if revision else "",
        result=result,
        reason=reason,
        message=message,
        initiated_by=initiated_by,
        changes=changes,
        manifests=manifests,
    )


def suspension_record(shell: AppShell, memory: AppMemory) -> Record:
    """Somebody suspended the App or lets it go on."""
    message = "suspended: no sync and no healing" if memory.suspended else "resumed"
    return make_record(shell, RecordKind.SUSPEND, memory, result="succeeded", message=message)


def pin_record(shell: AppShell, memory: AppMemory, pin: Pin | None) -> Record:
    """Somebody holds the App at a revision of before, or lets it follow Git again."""
    message = f"pinned to {pin}" if pin is not None else "its pin was taken off: it follows Git again"
    by = pin.by if pin is not None else ""
    return make_record(shell, RecordKind.ROLLBACK, memory, result="succeeded", message=message, initiated_by=by)


class KeptManifests:
    """Gathers what was sent and answered in one execution, masked as it may be kept."""

    def __init__(self, key: bytes, plan: Plan) -> None:
        self._key = key
        self._sends = {send.ref: send for send in plan.sends}
        self._stored: list[StoredManifest] = []

    def keep(self, ref: ObjectRef, answer: Manifest) -> None:
        send = self._sends.get(ref)
        if send is None:
            return
        masking = masking_of(send.manifest, tainted=send.desired.tainted)
        metadata = {key: value for key, value in answer["metadata"].items() if key != "managedFields"}
        live = answer | {"metadata": metadata}
        self._stored.append(
            StoredManifest(
                ref,
                canonical(masked(send.manifest, masking, self._key)),
                canonical(masked(live, masking, self._key)),
            )
        )

    @property
    def stored(self) -> tuple[StoredManifest, ...]:
        return tuple(self._stored)
