"""What is kept of an object after an apply (`AppliedRecord`) and of a live one (`LiveFacts`); never the object itself.

Bounded memory and no secrets: the cut holds only the fields that are ours, and masked values where they may not be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct, structs

from trueup.model.app import IgnoreRule, SyncRules
from trueup.model.fields import EMPTY, FieldSet, cut, managed_entries
from trueup.model.health import Verdict
from trueup.model.manifest import (
    Manifest,
    annotations_of,
    api_version_of,
    generation_of,
    is_deleting,
    labels_of,
    metadata_of,
    ref_of,
    resource_version_of,
    spec_of,
    uid_of,
)
from trueup.model.refs import ObjectRef, split_api_version
from trueup.model.sight import NOTHING, Sight
from trueup.sync.autoscaling import ScaleTarget, scale_target
from trueup.sync.canonical import Masking, compact, masked
from trueup.sync.fielddiff import field_changes
from trueup.sync.health import judge, next_look
from trueup.sync.ignoring import held_by, is_held, rules_for, without_ignored
from trueup.sync.optout import mark_keys
from trueup.sync.ownership import is_taken_over
from trueup.sync.sight import sight_of

REPLICAS = ("f:spec", "f:replicas")


class AppliedRecord(Struct, frozen=True, kw_only=True):
    """The outcome of our last apply of one object; goes into the state folder as it is (`to_bytes`)."""

    ref: ObjectRef
    version: str
    desired_digest: str
    """Keyed digest of what we sent."""
    owned: bytes
    """Our Apply entry's `fieldsV1`, canonical JSON."""
    cut: bytes
    """Canonical JSON of the owned part of the server's answer, masked as `masking` says, long values hashed."""
    masking: Masking
    uid: str
    resource_version: str

    @property
    def fields(self) -> FieldSet:
        return parse_fields(self.owned)

    def to_bytes(self) -> bytes:
        return _ENCODER.encode(self)

    @staticmethod
    def from_bytes(data: bytes) -> AppliedRecord:
        """Raises msgspec.ValidationError for what is no record (of this version of the format)."""
        return _DECODER.decode(data)


class Lens(Struct, frozen=True):
    """How to look at the live objects of one App."""

    keys: frozenset[str]
    """The labels and annotations to keep (`mark_keys`)."""
    manager: str
    takeover_managers: tuple[str, ...]
    secret_key: bytes
    ignore: tuple[IgnoreRule, ...] = ()

    @staticmethod
    def of(rules: SyncRules, secret_key: bytes) -> Lens:
        keys = mark_keys(rules.owner, rules.opt_out) | frozenset(rules.wave_annotations)
        return Lens(keys, rules.field_manager, rules.takeover_managers, secret_key, rules.ignore)


class Forecast(Struct, frozen=True):
    """How an object will fare from then on, if nothing is heard of it meanwhile: a rule waits for a while only."""

    at: datetime
    verdict: Verdict


class LiveFacts(Struct, frozen=True, kw_only=True):
    """All that the live view keeps of one managed object."""

    ref: ObjectRef
    version: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str]
    """Only those that a rule looks at."""
    annotations: Mapping[str, str]
    cut: bytes | None
    """The part that is ours: by the record, or else by our own Apply entry; None: neither is there."""
    takeover: tuple[str, ...] = ()
    """Managers whose fields are to be taken over."""
    meddlers: tuple[str, ...] = ()
    """When the cut differs from the record: who else holds fields of ours now."""
    verdict: Verdict
    forecast: Forecast | None = None
    replicas: int | None = None
    replicas_foreign: bool = False
    """Another manager holds `spec.replicas` (too): leaving it out of an apply does not reset it."""
    scales: ScaleTarget | None = None
    """Set on an autoscaler: whose replicas it decides."""
    sight: Sight = NOTHING
    """For people: no decision rests on it."""


class Absent(Struct, frozen=True):
    """The live view is sure that the object does not exist, as far as it has seen (a resourceVersion; empty: just asked)."""

    as_of: str = ""


LiveView = Mapping[ObjectRef, LiveFacts | Absent]
"""A ref that is not in the mapping has not been looked at."""


def reduce_live(obj: Manifest, record: AppliedRecord | None, lens: Lens, now: datetime) -> LiveFacts:
    """What to keep of a live object. `record` is our last apply of it, where we remember one."""
    _, version = split_api_version(api_version_of(obj))
    entries = managed_entries(obj)
    own = EMPTY
    others = EMPTY
    takeover: dict[str, None] = {}
    replicas_foreign = False
    for entry in entries:
        if entry.manager == lens.manager and entry.operation == "Apply" and not entry.subresource:
            own = entry.fields
            continue
        if is_taken_over(entry, lens.manager, lens.takeover_managers):
            takeover[entry.manager] = None
        if entry.subresource == "status":
            continue
        others = others.union(entry.fields)
        replicas_foreign = replicas_foreign or entry.fields.contains(REPLICAS)
    ours = record.fields if record else own
    ignore = rules_for(lens.ignore, ref_of(obj))
    shown = without_ignored(obj, ignore)
    kept = None if ours.is_empty else owned_cut(shown, ours, record, lens.secret_key, others=others)
    meddlers: tuple[str, ...] = ()
    if record is not None and kept is not None:
        if kept != record.cut and ignore and _differs_only_in(kept, record.cut, held_by(obj, ignore)):
            kept = record.cut
        if kept == record.cut:
            kept = record.cut  # one copy in memory, not two
        else:
            meddlers = _holders(obj, ours, lens.manager)
    replicas = spec_of(obj).get("replicas")
    return LiveFacts(
        ref=ref_of(obj),
        version=version,
        uid=uid_of(obj),
        resource_version=resource_version_of(obj),
        generation=generation_of(obj),
        deleting=is_deleting(obj),
        finalizers=tuple(str(name) for name in metadata_of(obj).get("finalizers") or ()),
        labels={key: value for key, value in labels_of(obj).items() if key in lens.keys},
        annotations={key: value for key, value in annotations_of(obj).items() if key in lens.keys},
        cut=kept,
        takeover=tuple(takeover),
        meddlers=meddlers,
        verdict=judge(obj, now),
        forecast=forecast_of(obj, now),
        replicas=replicas if isinstance(replicas, int) else None,
        replicas_foreign=replicas_foreign,
        scales=scale_target(obj),
        sight=sight_of(obj),
    )


def _differs_only_in(live: bytes, ours: bytes, held: FieldSet) -> bool:
    """Whether all that differs is held by managers whose differences are ignored."""
    if held.is_empty:
        return False
    return all(is_held(change.path, held) for change in field_changes(_decoded(live), _decoded(ours)))


def _decoded(cut: bytes) -> Any:
    return msgspec.json.decode(cut)


def as_of(facts: LiveFacts, now: datetime) -> LiveFacts:
    """The facts at that moment: a forecast whose time has come is the verdict."""
    if facts.forecast is None or now < facts.forecast.at:
        return facts
    return structs.replace(facts, verdict=facts.forecast.verdict, forecast=None)


def forecast_of(obj: Manifest, now: datetime) -> Forecast | None:
    """None: its health changes by events alone."""
    at = next_look(obj, now)
    return Forecast(at, judge(obj, at)) if at is not None else None


def owned_cut(
    obj: Manifest, ours: FieldSet, record: AppliedRecord | None, key: bytes, *, others: FieldSet | None = None
) -> bytes:
    """Canonical JSON of the part of an object that is ours, masked as its record (or its kind) asks."""
    masking = record.masking if record else _masking_of_kind(obj)
    return compact(masked(cut(obj, ours, others=others), masking, key), key)


def own_entry(obj: Manifest, manager: str) -> tuple[FieldSet, FieldSet]:
    """Our Apply entry of an object, and the union of all others' fields (status left out)."""
    own = others = EMPTY
    for entry in managed_entries(obj):
        if entry.manager == manager and entry.operation == "Apply" and not entry.subresource:
            own = entry.fields
        elif entry.subresource != "status":
            others = others.union(entry.fields)
    return own, others


def newer(resource_version: str, than: str) -> bool:
    """Compares resourceVersions as integers, as Kubernetes allows since 1.35 (KEP-5504); unreadable ones count as newer."""
    try:
        return int(resource_version) > int(than)
    except ValueError:
        return True


def _holders(obj: Manifest, ours: FieldSet, manager: str) -> tuple[str, ...]:
    """Managers besides us that hold fields of ours, latest first."""
    found = [
        (entry.time, entry.manager)
        for entry in managed_entries(obj)
        if entry.manager != manager and not entry.fields.intersection(ours).is_empty
    ]
    return tuple(dict.fromkeys(name for _, name in sorted(found, reverse=True)))


def _masking_of_kind(obj: Manifest) -> Masking:
    ref = ref_of(obj)
    return Masking.SECRET if (ref.group, ref.kind) == ("", "Secret") else Masking.NONE


@lru_cache(maxsize=8192)
def parse_fields(owned: bytes) -> FieldSet:
    return FieldSet.from_fields_v1(msgspec.json.decode(owned, type=dict[str, Any]))


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AppliedRecord)
