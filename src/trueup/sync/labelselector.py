"""Kubernetes' label selectors as text: `app=web, tier in (a,b), !legacy`. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from trueup.model.errors import InvalidInput

_TERM = re.compile(
    r"""\s*(?:
        !\s*(?P<absent>[\w./-]+)
      | (?P<set>[\w./-]+)\s+(?P<how>in|notin)\s*\((?P<items>[^()]*)\)
      | (?P<key>[\w./-]+)\s*(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*))?
    )\s*(?P<end>,|$)""",
    re.VERBOSE,
)


class Requirement(Struct, frozen=True):
    """`values` None: only whether the key is there counts. `negated` turns the answer round."""

    key: str
    values: frozenset[str] | None
    negated: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        found = value is not None and (self.values is None or value in self.values)
        return found is not self.negated


@lru_cache(maxsize=256)
def parse_selector(text: str) -> tuple[Requirement, ...]:
    """Raises InvalidInput."""
    found: list[Requirement] = []
    at = 0
    while text.strip() and at < len(text):
        match = _TERM.match(text, at)
        if match is None or (match["end"] == "," and match.end() == len(text)):
            raise InvalidInput(f"{text!r} is no label selector", hint="write app=web, or tier in (a, b)")
        found.append(_requirement(match))
        at = match.end()
    return tuple(found)


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """An empty selector picks everything. Raises InvalidInput."""
    return all(requirement.holds(labels) for requirement in parse_selector(selector))


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent"], None, negated=True)
    if match["set"]:
        values = frozenset(item.strip() for item in match["items"].split(","))
        return Requirement(match["set"], values, negated=match["how"] == "notin")
    if match["op"] is None:
        return Requirement(match["key"], None, negated=False)
    return Requirement(match["key"], frozenset({match["value"]}), negated=match["op"] == "!=")
