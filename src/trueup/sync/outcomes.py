"""What an answer says was done: created, configured (which fields, both values) or unchanged; and what to remember."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from trueup.model.change import Action, Change, FieldChange
from trueup.model.fields import cut, managed_entries
from trueup.model.manifest import Manifest, generation_of, metadata_of, resource_version_of, uid_of
from trueup.model.refs import GroupKind
from trueup.sync.canonical import canonical, compact, masked, masking_of
from trueup.sync.facts import Absent, AppliedRecord, LiveFacts, own_entry
from trueup.sync.fielddiff import field_changes
from trueup.sync.ignoring import without_ignored
from trueup.sync.plan import Send


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one object. `answer` is the server's object after the apply, for the live view."""

    change: Change
    record: AppliedRecord | None = None
    answer: Manifest | None = None
    gone: bool = False
    let_go: bool = False
    waits_for: GroupKind | None = None
    """The kind that the cluster does not serve (yet)."""
    retryable: bool = True
    """Of a failure: whether the same request may pass later."""


def applied(send: Send, answer: Manifest, manager: str, secret_key: bytes, *, action: Action | None = None) -> Outcome:
    """The outcome of a successful apply or create. `action` overrides what the answer looks like."""
    record = record_of(send, answer, manager, secret_key)
    seen, fields = classify(send, answer, record, manager, secret_key)
    change = Change(
        ref=send.ref,
        version=send.desired.version,
        action=action or seen,
        fields=fields if (action or seen) is Action.CONFIGURED else (),
        reason=send.why.value,
        origin=send.desired.origin,
    )
    return Outcome(change=change, record=record, answer=answer)


def settled(send: Send, action: Action, reason: str, message: str) -> Outcome:
    change = Change(
        ref=send.ref,
        version=send.desired.version,
        action=action,
        reason=reason,
        message=message,
        origin=send.desired.origin,
    )
    return Outcome(change=change)


def record_of(send: Send, answer: Manifest, manager: str, secret_key: bytes) -> AppliedRecord:
    """What to remember of an apply: whose fields are ours is told by the answer's own managedFields."""
    own, others = own_entry(answer, manager)
    shown = without_ignored(answer, send.ignore)
    masking = masking_of(send.desired.manifest, tainted=send.desired.tainted)
    return AppliedRecord(
        ref=send.ref,
        version=send.desired.version,
        desired_digest=send.digest,
        owned=canonical(own.to_fields_v1()),
        cut=compact(masked(cut(shown, own, others=others), masking, secret_key), secret_key),
        masking=masking,
        uid=uid_of(answer),
        resource_version=resource_version_of(answer),
    )


def classify(
    send: Send, answer: Manifest, record: AppliedRecord, manager: str, secret_key: bytes
) -> tuple[Action, tuple[FieldChange, ...]]:
    """Compares the answer with what was known to be live; without such knowledge, with what the answer tells of itself."""
    live = send.live
    if isinstance(live, Absent):
        return Action.CREATED, ()
    if isinstance(live, LiveFacts):
        if live.uid != record.uid:
            return Action.CREATED, ()
        if live.resource_version == record.resource_version:
            return Action.UNCHANGED, ()
        if (
            live.cut is None
            or live.version != record.version
            or (send.record is not None and send.record.masking is not record.masking)
        ):
            return Action.CONFIGURED, ()
        return _compared(live.cut, _comparable(send, answer, record, manager, secret_key))
    if _is_new(answer, manager):
        return Action.CREATED, ()
    if send.record is not None and send.record.uid == record.uid:
        return _compared(send.record.cut, _comparable(send, answer, record, manager, secret_key))
    return Action.CONFIGURED, ()


def _comparable(send: Send, answer: Manifest, record: AppliedRecord, manager: str, secret_key: bytes) -> bytes:
    """The answer along the fields that were ours before and are now: what we only let go of has not changed."""
    if send.record is None or send.record.owned == record.owned:
        return record.cut
    _, others = own_entry(answer, manager)
    both = send.record.fields.union(record.fields)
    shown = without_ignored(answer, send.ignore)
    return compact(masked(cut(shown, both, others=others), record.masking, secret_key), secret_key)


def _compared(before: bytes, after: bytes) -> tuple[Action, tuple[FieldChange, ...]]:
    if before == after:
        return Action.UNCHANGED, ()
    fields = field_changes(msgspec.json.decode(before), msgspec.json.decode(after))
    return (Action.CONFIGURED, fields) if fields else (Action.UNCHANGED, ())


def _is_new(answer: Manifest, manager: str) -> bool:
    """Our entry is as old as the object itself, and nobody wrote before: it was made by this apply."""
    created = metadata_of(answer).get("creationTimestamp")
    if generation_of(answer) > 1 or not created:
        return False
    entries = [entry for entry in managed_entries(answer) if entry.subresource != "status"]
    ours = [entry for entry in entries if entry.manager == manager and entry.operation == "Apply"]
    return bool(ours) and all(entry.time == created for entry in ours) and len(entries) == len(ours)
