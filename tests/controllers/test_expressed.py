"""Which health expression is for an object."""

from __future__ import annotations

import pytest

from trueup.controllers.expressed import expression_for
from trueup.model.app import HealthExpression
from trueup.model.refs import ObjectRef

ALL = HealthExpression(group="example.com", current="all")
THING = HealthExpression(group="example.com", kind="Thing", current="thing")


@pytest.mark.parametrize(
    ("group", "kind", "chosen"),
    [
        ("example.com", "Thing", "thing"),
        ("example.com", "Other", "all"),
        ("other.com", "Thing", ""),
        ("", "ConfigMap", ""),
    ],
)
def test_the_expression_of_the_kind_goes_before_that_of_its_group(group: str, kind: str, chosen: str) -> None:
    for rules in ([ALL, THING], [THING, ALL]):
        found = expression_for(ObjectRef(group, kind, "shop", "one"), rules)
        assert (found.current if found else "") == chosen
