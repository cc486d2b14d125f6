"""Does the live value of any field that is ours differ from what we applied?

Ours is the field set of our last apply, whoever holds the fields now: a `kubectl scale` takes `replicas` over, and is
drift all the same. What others added is not ours, except the entries that the dialect takes over, and except that
`spec.replicas` is an autoscaler's where one targets the object. Whether and how often to heal is `heals`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trueup.model.change import FieldChange
from trueup.sync.facts import AppliedRecord, LiveFacts, newer
from trueup.sync.fielddiff import field_changes


def is_stale(record: AppliedRecord, facts: LiveFacts) -> bool:
    """Whether what was seen is older than (or just) the answer to our own last apply: then it tells nothing new."""
    return record.uid == facts.uid and not newer(facts.resource_version, record.resource_version)


def has_drifted(record: AppliedRecord, facts: LiveFacts, *, autoscaled: bool = False, merge: bool = False) -> bool:
    """The cheap question that every event asks; equal bytes answer it without parsing.

    `merge`: the object's declaration asks to take nothing over from other managers.
    """
    if is_stale(record, facts) or facts.deleting:
        return False
    if record.uid != facts.uid or (facts.takeover and not merge):
        return True
    if record.version != facts.version:
        return False  # fields of another API version cannot be told apart by ours
    if facts.cut is None or facts.cut == record.cut:
        return facts.cut is None
    return not autoscaled or _parsed(facts.cut, autoscaled) != _parsed(record.cut, autoscaled)


def drifted(record: AppliedRecord, facts: LiveFacts, *, autoscaled: bool = False) -> tuple[FieldChange, ...]:
    """What healing will change: `before` is the live value, `after` is ours. Masked values are hidden.

    Empty also when the object was replaced or only foreign fields are to be taken over; `has_drifted` tells those.
    """
    if is_stale(record, facts) or facts.cut is None or facts.cut == record.cut or facts.version != record.version:
        return ()
    return field_changes(_parsed(facts.cut, autoscaled), _parsed(record.cut, autoscaled))


def _parsed(cut: bytes, autoscaled: bool) -> Any:
    value = msgspec.json.decode(cut)
    if autoscaled and isinstance(value, dict) and isinstance(spec := value.get("spec"), dict):
        return value | {"spec": {name: item for name, item in spec.items() if name != "replicas"}}
    return value
