"""Expressions in CEL over variables by name: their values, their errors, and their bounds."""

from __future__ import annotations

import pytest

from trueup.render.engine.pool import EnginePool
from trueup.render.expressions import Evaluated, Expressions


async def values(*expressions: str, **variables: object) -> list[Evaluated]:
    async with EnginePool(workers=1) as pool:
        engine = Expressions(pool)
        return [await engine.evaluate(expression, variables) for expression in expressions]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("self.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')", True),
        ("has(self.status.missing)", False),
        ("self.metadata.generation == self.status.observedGeneration", True),
        ("self.metadata.generation", 3),
        ("self.?status.phase.orValue('none')", "none"),
        ("dep.metadata.labels['version'] == self.metadata.labels['version']", True),
        ("'a,b'.split(',')", ["a", "b"]),
        ("sets.contains([1, 2], [1])", True),
        ("{'a': 1.5, 'b': -0.25}", {"a": 1.5, "b": -0.25}),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
        ("duration('90s')", "90s"),
        ("9007199254740993", 9007199254740993),
        ("self.metadata.generation < 3.5", True),
        ("base64.encode(b'hi')", "aGk="),
    ],
)
async def test_an_expression_has_a_value(expression: str, value: object) -> None:
    self = {
        "metadata": {"generation": 3, "labels": {"version": "v1"}},
        "status": {"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    (found,) = await values(expression, self=self, dep={"metadata": {"labels": {"version": "v1"}}})
    assert found == Evaluated(value=value)


async def test_what_does_not_compile_is_told_apart_from_what_has_no_value_and_hinders_no_other() -> None:
    broken, unknown, missing, sound = await values("self.", "other.a", "self.b.c", "self.a", self={"a": 1, "b": {}})
    assert not broken.compiles
    assert "Syntax error" in broken.error
    assert not unknown.compiles
    assert "undeclared reference to 'other'" in unknown.error
    assert missing.compiles
    assert missing.error == "no such key: c"
    assert sound.value == 1


@pytest.mark.parametrize(
    "expression",
    [
        "x.all(a, x.all(b, x.all(c, x.all(d, a + b + c + d >= 0))))",
        "x.map(a, x.map(b, x.map(c, x)))",
        "x.map(a, 'abcdefghij').join('').split('').map(b, x.map(c, b)).size() > 0 && x.all(a, x.all(b, x.all(c, true)))",
    ],
)
async def test_an_expression_that_would_take_forever_is_ended(expression: str) -> None:
    (found,) = await values(expression, x=list(range(500)))
    assert "cost limit exceeded" in found.error


async def test_deep_nesting_is_an_error_of_that_expression() -> None:
    deep, sound = await values("(" * 5000 + "1" + ")" * 5000, "1 + 1")
    assert not deep.compiles
    assert sound.value == 2
