"""Quantities (`100m`, `1Gi`): whether they are ones, which is larger, and the one form in which the server writes each.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from functools import cache, lru_cache
from typing import Any

from trueup.embedded.api.refusals import FieldProblem, invalid_value
from trueup.embedded.schema import SchemaNode

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)")
_SUFFIXES: dict[str | None, Decimal] = {
    None: Decimal(1),
    "": Decimal(1),
    **{name: Decimal(10) ** (3 * power) for power, name in ((-3, "n"), (-2, "u"), (-1, "m"), (1, "k"), (2, "M"))},
    **{name: Decimal(10) ** (3 * power) for power, name in ((3, "G"), (4, "T"), (5, "P"), (6, "E"))},
    **{name: Decimal(1024) ** power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
PATTERN_SAYS = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def parse(value: Any) -> Decimal | None:
    """The number, or None when the text is no quantity."""
    return _parse(str(value))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Decimal | None:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    if found[2]:
        return Decimal(found[1] + found[2])
    return Decimal(found[1]) * _SUFFIXES[found[3]]


_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def canonical_text(value: Any) -> Any:
    """`1000m` -> `1`, `0.5` -> `500m`, `1024Mi` -> `1Gi`, 2 -> `2`; what is no quantity stays as it is.

    Go's resource.Quantity: no fraction, and the largest suffix that allows this.
    """
    made = None if isinstance(value, bool) else _canonical(str(value))
    return value if made is None else made


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    found = _QUANTITY.fullmatch(text)
    number = _parse(text) if found else None
    if found is None or number is None:
        return None
    if found[2]:
        return _with_exponent(number)
    if (found[3] or "").endswith("i") and abs(number) >= 1024:
        whole = int(number.to_integral_value(ROUND_UP))
        steps = 0
        while whole and whole % 1024 == 0 and steps < len(_BINARY) - 1:
            whole, steps = whole // 1024, steps + 1
        return f"{whole}{_BINARY[steps]}"
    nano = int((number * 10**9).to_integral_value(ROUND_UP))
    steps = 0
    while nano and nano % 1000 == 0 and steps < len(_DECIMAL) - 1:
        nano, steps = nano // 1000, steps + 1
    return f"{nano}{_DECIMAL[steps]}" if nano else "0"


def _with_exponent(number: Decimal) -> str:
    """Exponents in steps of three: `1e3`, `12e6`."""
    nano = int((number * 10**9).to_integral_value(ROUND_UP))
    exponent = -9
    while nano and nano % 1000 == 0:
        nano, exponent = nano // 1000, exponent + 3
    if not nano:
        return "0"
    return f"{nano}e{exponent}" if exponent else str(nano)


def canonical(node: SchemaNode, obj: Any) -> Any:
    """The object with every quantity in its one form; shares what has none."""
    if not _holds_quantity(node):
        return obj
    if node.quantity:
        return canonical_text(obj) if isinstance(obj, (str, int, float)) else obj
    if isinstance(obj, dict):
        out = obj
        named, others = _holders(node)
        for key in named if others is None else obj:
            below = named.get(key, others)
            if below is None or (value := obj.get(key)) is None:
                continue
            made = canonical(below, value)
            if made is not value:
                out = dict(obj) if out is obj else out
                out[key] = made
        return out
    if isinstance(obj, list):
        made_items = [canonical(node.items, item) for item in obj]
        return made_items if any(new is not old for new, old in zip(made_items, obj, strict=True)) else obj
    return obj


# Nodes of built-in kinds are few and live on, so what is found out about them is kept.
@cache
def _holders(node: SchemaNode) -> tuple[Mapping[str, SchemaNode], SchemaNode | None]:
    """The fields below which a quantity can stand, and the node of undeclared ones if it can there."""
    named = {name: below for name, below in node.properties.items() if _holds_quantity(below)}
    others = node.additional if isinstance(node.raw.get("additionalProperties"), dict) else None
    return named, others if others is not None and _holds_quantity(others) else None


_holding: dict[SchemaNode, bool] = {}


def _holds_quantity(node: SchemaNode) -> bool:
    """Whether a quantity can stand anywhere below."""
    known = _holding.get(node)
    if known is not None:
        return known
    _holding[node] = False  # a schema that contains itself
    holds = node.quantity or any(_holds_quantity(below) for below in node.properties.values())
    if not holds and node.type == "array":
        holds = _holds_quantity(node.items)
    if not holds and isinstance(node.raw.get("additionalProperties"), dict) and node.additional is not None:
        holds = _holds_quantity(node.additional)
    _holding[node] = holds
    return holds


def resource_problems(resources: dict[str, Any], path: str) -> list[FieldProblem]:
    """What is wrong with `requests` and `limits`."""
    problems = []
    limits = resources.get("limits") or {}
    for part in ("limits", "requests"):
        for name, value in (resources.get(part) or {}).items():
            number = parse(value)
            if number is not None and number < 0:
                problems.append(invalid_value(f"{path}.{part}[{name}]", value, "must be greater than or equal to 0"))
    for name, value in (resources.get("requests") or {}).items():
        wanted, limit = parse(value), parse(limits[name]) if name in limits else None
        if wanted is not None and limit is not None and wanted > limit:
            said = f"must be less than or equal to {name} limit of {limits[name]}"
            problems.append(invalid_value(f"{path}.requests", value, said))
    return problems
