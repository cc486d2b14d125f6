"""The values that an action on a Helm release changes, for people: by path, hidden wherever they may have come from a Secret.

Pure. A record does not say where its values came from, so one is shown only where it is known to be nobody's secret: it
stands, or lately stood, in the HelmRelease itself, or in values that were gathered without any Secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from trueup.model.change import FieldChange
from trueup.sync.canonical import keyed_digest, mask
from trueup.sync.concealing import concealed
from trueup.sync.fielddiff import field_changes

SHOWN = 200
REMEMBERED = 8
SAID = 3
MOST_SAID = 500
SHORT = 16
"""Hexadecimal digits of a digest of one value."""

Tree = dict[str, Any]
_NONE: frozenset[str] = frozenset()


def values_of(config: Raw) -> Tree:
    """A record's values; none for what is no mapping."""
    found = msgspec.json.decode(config)
    return found if isinstance(found, dict) else {}


def value_changes(
    before: Tree, after: Tree, known: Sequence[Tree], key: bytes, said: tuple[tuple[str, ...], ...] = ()
) -> tuple[FieldChange, ...]:
    """At most `SHOWN` changes. What equals a value of one of `known`, or was `said`, is shown, unless its name speaks of a secret."""
    digests = frozenset(digest for one in said for digest in one[1:])
    shown = [concealed(_shown(side, list(known), key, (), digests), key) for side in (before, after)]
    return field_changes(shown[0], shown[1], limit=SHOWN)


def remembered(digests: tuple[str, ...], digest: str) -> tuple[str, ...]:
    """The newest digests of values that held nothing of a Secret, the newest last."""
    return (*(one for one in digests if one != digest), digest)[-REMEMBERED:]


def with_said(said: tuple[tuple[str, ...], ...], values: Tree, key: bytes) -> tuple[tuple[str, ...], ...]:
    """Of what a HelmRelease said lately, the newest last: a digest of the whole, then one of each value, none of a very large one."""
    whole = keyed_digest(values, key)
    if said and said[-1][0] == whole:
        return said
    leaves = tuple(_leaves(values, (), key))
    newest = (whole, *(leaves if len(leaves) <= MOST_SAID else ()))
    return (*(one for one in said if one[0] != whole), newest)[-SAID:]


def _leaves(value: Any, path: tuple[str, ...], key: bytes) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, (*path, str(name)), key)
    else:
        yield _digest(path, value, key)


def _digest(path: tuple[str, ...], value: Any, key: bytes) -> str:
    return keyed_digest([*path, value], key)[:SHORT]


def _shown(value: Any, known: list[Any], key: bytes, path: tuple[str, ...], said: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: _shown(
                item, [one[name] for one in known if isinstance(one, dict) and name in one], key, (*path, name), said
            )
            for name, item in value.items()
        }
    if any(type(one) is type(value) and one == value for one in known) or _digest(path, value, key) in said:
        return value
    if isinstance(value, list):
        # Names that tell items apart stay, so that a change says where it is.
        return [
            {name: item[name] if name == "name" else _shown(item[name], [], key, (), _NONE) for name in item}
            if isinstance(item, dict)
            else _shown(item, [], key, (), _NONE)
            for item in value
        ]
    return mask(value, key)


__all__ = ["REMEMBERED", "SAID", "SHOWN", "remembered", "value_changes", "values_of", "with_said"]
