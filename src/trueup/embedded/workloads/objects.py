"""What controllers read of and write into objects of many kinds: owners, conditions, selectors, numbers or percentages.

Pure. The shapes are apimachinery's `metav1`; accessors of metadata, spec and status are `model.manifest`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from trueup.model.manifest import Manifest, api_version_of, kind_of, labels_of, metadata_of, name_of, uid_of

_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def dig(obj: Any, *path: str) -> Any:
    """The value at a path of keys, or None."""
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def count_of(obj: Any, *path: str, default: int = 0) -> int:
    """A whole number at a path; `default` where there is none."""
    found = dig(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def mapping_of(obj: Any, *path: str) -> dict[str, Any]:
    """The object at a path; empty where there is none."""
    found = dig(obj, *path)
    return found if isinstance(found, dict) else {}


def rows_of(obj: Any, *path: str) -> list[dict[str, Any]]:
    """The objects of the list at a path."""
    found = dig(obj, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def controller_reference(owner: Manifest) -> dict[str, Any]:
    """The owner reference by which `owner` controls a new object."""
    return {
        "apiVersion": api_version_of(owner),
        "kind": kind_of(owner),
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Manifest) -> Mapping[str, Any] | None:
    """The owner reference of the object's controller."""
    return next((each for each in metadata_of(obj).get("ownerReferences") or () if each.get("controller")), None)


def is_controlled_by(obj: Manifest, owner: Manifest) -> bool:
    found = controller_of(obj)
    return found is not None and found.get("uid") == uid_of(owner)


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a `metav1.LabelSelector` matches. None matches nothing, an empty one everything."""
    if not isinstance(selector, dict):
        return False
    if any(labels.get(key) != value for key, value in mapping_of(selector, "matchLabels").items()):
        return False
    return all(_meets(labels, row) for row in rows_of(selector, "matchExpressions"))


def _meets(labels: Mapping[str, str], row: Mapping[str, Any]) -> bool:
    value = labels.get(str(row.get("key")))
    wanted = row.get("values") or ()
    match row.get("operator"):
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


def selects_pods(selector: Mapping[str, str] | None, pod: Manifest) -> bool:
    """Whether a Service's selector (plain labels, never empty) matches."""
    labels = labels_of(pod)
    return bool(selector) and all(labels.get(key) == value for key, value in (selector or {}).items())


def resolve(value: Any, total: int, *, up: bool, default: int | str) -> int:
    """`3` -> 3, `"25%"` of 10 -> 3 when rounding up, 2 when rounding down."""
    chosen = default if value is None else value
    if isinstance(chosen, int):
        return chosen
    text = str(chosen)
    if not text.endswith("%"):
        return int(text) if text.isdigit() else 0
    share = int(text[:-1]) * total / 100
    return math.ceil(share) if up else math.floor(share)


def find_condition(status: Mapping[str, Any], type_: str) -> dict[str, Any] | None:
    return next((row for row in rows_of(dict(status), "conditions") if row.get("type") == type_), None)


def condition_is(obj: Manifest, type_: str, status: str = "True") -> bool:
    row = find_condition(mapping_of(obj, "status"), type_)
    return row is not None and row.get("status") == status


def with_condition(rows: Iterable[Mapping[str, Any]], new: Mapping[str, Any], now: str) -> list[dict[str, Any]]:
    """The conditions with `new` among them, where it stands already or last; its transition time is kept while its status
    is the same."""
    kept = [dict(row) for row in rows]
    for index, row in enumerate(kept):
        if row.get("type") == new["type"]:
            since = row.get("lastTransitionTime") if row.get("status") == new["status"] else now
            kept[index] = {"lastTransitionTime": since or now, **new}
            return kept
    return [*kept, {"lastTransitionTime": now, **new}]


def without_condition(rows: Iterable[Mapping[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [dict(row) for row in rows if row.get("type") != type_]


def without_zeros(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as Go's `omitempty` writes them: no zeros, no empty lists, nothing that is None."""
    return {key: value for key, value in fields.items() if value or value is False}


def fnv32a(data: bytes) -> int:
    """http://www.isthe.com/chongo/tech/comp/fnv/ (FNV-1a, 32 bits)"""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def safe_name(number: int) -> str:
    """A hash as names carry it: digits written in letters that spell no words, as apimachinery's SafeEncodeString."""
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))
