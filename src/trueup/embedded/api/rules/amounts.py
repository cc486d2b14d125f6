"""Numbers that may also be percents: `3` or `"25%"`. Follows pkg/apis/apps/validation (ValidatePositiveIntOrPercent)."""

from __future__ import annotations

import re
from typing import Any

from trueup.embedded.api.refusals import FieldProblem, invalid_value
from trueup.embedded.api.rules.base import non_negative

_PERCENT = re.compile("[0-9]+%")
_NO_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)


def amount_problems(path: str, value: Any, *, at_most_all: bool = False) -> list[FieldProblem]:
    """`at_most_all`: whether more than 100% is wrong, too."""
    if not isinstance(value, str):
        return non_negative(path, value)
    if not _PERCENT.fullmatch(value):
        return [invalid_value(path, value, _NO_PERCENT)]
    if at_most_all and int(value[:-1]) > 100:
        return [invalid_value(path, value, "must not be greater than 100%")]
    return []


def is_zero(value: Any) -> bool:
    return value in (None, 0, "0%")
