"""Fields that no version of a resource has. A cluster refuses or drops them; who writes one wants to know it before that.

Told by the very schemas that the CRDs have, so that whatever they take is taken here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

from trueup.dialects.registry import crds
from trueup.dialects.schema import Schema
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import GroupKind

_METADATA = frozenset({"metadata", "status"})
"""Not looked into: the first is the API server's to know, the second no person writes."""


def unknown_fields(obj: Manifest) -> list[InvalidInput]:
    """One error for each, in the order in which they are written; nothing for what is no resource of any dialect."""
    ref = ref_of(obj)
    schema = _schemas().get(ref.group_kind)
    if schema is None:
        return []
    shown = {key: value for key, value in obj.items() if key not in _METADATA}
    return [
        InvalidInput("there is no such field", ref=ref, field=path, hint=_hint(path, known))
        for path, known in _unknown(schema, shown, "")
    ]


def _hint(path: str, known: list[str]) -> str:
    if like := difflib.get_close_matches(path.rpartition(".")[2], known, n=1):
        return f"did you mean {like[0]}?"
    return (
        f"there are {', '.join(known)}" if len(known) <= 8 else "look for a misspelt name, or one that stands too deep"
    )


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Paths, each with the names that could have stood there."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(schema.get("items", {}), item, f"{path}[{number}]")
    elif isinstance(value, dict):
        known, others = schema.get("properties"), schema.get("additionalProperties")
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            if known is not None and key in known:
                yield from _unknown(known[key], item, below)
            elif isinstance(others, dict):
                yield from _unknown(others, item, below)
            elif known is not None:
                yield below, sorted(known)


@cache
def _schemas() -> dict[GroupKind, Schema]:
    return {
        GroupKind(crd["spec"]["group"], crd["spec"]["names"]["kind"]): crd["spec"]["versions"][0]["schema"][
            "openAPIV3Schema"
        ]
        for crd in crds()
    }
