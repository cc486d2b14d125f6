"""Whether a schema holds rules in CEL (`x-kubernetes-validations`), and the digest by which an evaluator keeps them compiled.

What the rules say is not this package's matter: `api.expressions` has them evaluated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

KEYWORD = "x-kubernetes-validations"


class Ruled(Struct, frozen=True):
    """A schema with rules. Equal digests mean equal schemas."""

    digest: str
    raw: Mapping[str, Any]


def ruled(raw: Mapping[str, Any]) -> Ruled | None:
    """None: there is no rule in it."""
    if not has_rules(raw):
        return None
    return Ruled(hashlib.sha256(msgspec.json.encode(raw)).hexdigest(), raw)


def has_rules(raw: Any) -> bool:
    """Whether a rule stands anywhere in a schema."""
    if not isinstance(raw, Mapping):
        return False
    if raw.get(KEYWORD):
        return True
    below = [raw.get(keyword) for keyword in ("items", "additionalProperties", "not")]
    properties = raw.get("properties")
    if isinstance(properties, Mapping):
        below += properties.values()
    for keyword in ("allOf", "anyOf", "oneOf"):
        below += raw.get(keyword) or ()
    return any(has_rules(each) for each in below)
