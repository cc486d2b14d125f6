"""Kubernetes quantities (`1Gi`, `500m`, `1e3`) as numbers. Pure.
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "E": 10**18,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
    "Ei": 2**60,
}
_SHAPE = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(m|u|n|[kMGTPE]|[KMGTPE]i)?")
_SMALL = {"m": Decimal("0.001"), "u": Decimal("0.000001"), "n": Decimal("0.000000001")}


def bytes_of(value: object) -> Decimal:
    """The plain number; 0 for what is no quantity, which the API would have refused."""
    found = _SHAPE.fullmatch(str(value)) if value is not None else None
    if found is None:
        return Decimal(0)
    number, unit = Decimal(found[1]), found[2] or ""
    return number * _SMALL[unit] if unit in _SMALL else number * _UNITS[unit]


def is_quantity(value: str) -> bool:
    """Whether it is one, sign and all."""
    found = _SHAPE.fullmatch(value)
    return found is not None and found[1].count(".") <= 1 and any(each.isdigit() for each in found[1])
