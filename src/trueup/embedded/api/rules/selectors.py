"""Label selectors inside specs: what is wrong with one, and whether it matches a template's labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.embedded.api import names
from trueup.embedded.api.refusals import FieldProblem, forbidden_field, invalid_value, required
from trueup.embedded.api.rules.base import items

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def selector_problems(selector: Mapping[str, Any], path: str) -> list[FieldProblem]:
    problems = []
    for key, value in (selector.get("matchLabels") or {}).items():
        problems += [invalid_value(f"{path}.matchLabels", key, said) for said in names.label_key_problems(key)]
        problems += [invalid_value(f"{path}.matchLabels", value, said) for said in names.label_value_problems(value)]
    for index, term in enumerate(items(selector, "matchExpressions")):
        place, operator = f"{path}.matchExpressions[{index}]", term.get("operator")
        values = term.get("values") or []
        if operator not in _OPERATORS:
            problems.append(invalid_value(f"{place}.operator", operator, "not a valid selector operator"))
        elif operator in ("In", "NotIn") and not values:
            problems.append(required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            said = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            problems.append(forbidden_field(f"{place}.values", said))
        problems += [
            invalid_value(f"{place}.key", term.get("key"), said)
            for said in names.label_key_problems(term.get("key") or "")
        ]
    return problems


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels; the empty one selects everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in items(selector, "matchExpressions"):
        value, values = labels.get(term.get("key") or ""), term.get("values") or []
        match term.get("operator"):
            case "In":
                fits = value in values
            case "NotIn":
                fits = value not in values
            case "Exists":
                fits = value is not None
            case _:
                fits = value is None
        if not fits:
            return False
    return True
