"""The values that an action on a Helm release changes, for people: by path, hidden wherever they may have come from a Secret.

Pure. A record does not say where its values came from, so one is shown only where it is known to be nobody's secret: it
stands in the HelmRelease itself, or in values that were gathered without any Secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from trueup.model.change import FieldChange
from trueup.sync.canonical import mask
from trueup.sync.concealing import concealed
from trueup.sync.fielddiff import field_changes

SHOWN = 200
REMEMBERED = 8

Tree = dict[str, Any]


def values_of(config: Raw) -> Tree:
    """A record's values; none for what is no mapping."""
    found = msgspec.json.decode(config)
    return found if isinstance(found, dict) else {}


def value_changes(before: Tree, after: Tree, known: Sequence[Tree], key: bytes) -> tuple[FieldChange, ...]:
    """At most `SHOWN` changes. What equals the same value of one of `known` is shown, unless its name speaks of a secret."""
    shown = [concealed(_shown(side, list(known), key), key) for side in (before, after)]
    return field_changes(shown[0], shown[1], limit=SHOWN)


def remembered(digests: tuple[str, ...], digest: str) -> tuple[str, ...]:
    """The newest digests of values that held nothing of a Secret, the newest last."""
    return (*(one for one in digests if one != digest), digest)[-REMEMBERED:]


def _shown(value: Any, known: list[Any], key: bytes) -> Any:
    if isinstance(value, dict):
        return {
            name: _shown(item, [one[name] for one in known if isinstance(one, dict) and name in one], key)
            for name, item in value.items()
        }
    if any(type(one) is type(value) and one == value for one in known):
        return value
    if isinstance(value, list):
        # Names that tell items apart stay, so that a change says where it is.
        return [
            {name: item[name] if name == "name" else _shown(item[name], [], key) for name in item}
            if isinstance(item, dict)
            else _shown(item, [], key)
            for item in value
        ]
    return mask(value, key)


__all__ = ["REMEMBERED", "SHOWN", "remembered", "value_changes", "values_of"]
