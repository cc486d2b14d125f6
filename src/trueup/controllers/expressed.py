"""`healthCheckExprs`: how objects of custom kinds fare, by CEL over their own fields. Asked of the live object at each look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trueup.controllers.readiness import InvalidExpression
from trueup.controllers.shell import AppShell, Evaluate
from trueup.model.app import HealthExpression
from trueup.model.health import Kstatus, Verdict
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.sync.applier import Applier

_FIELDS = ("metadata", "spec", "status", "data")
"""Expressions may speak of these whether or not the object has them."""


async def check_expressions(rules: Iterable[HealthExpression], evaluate: Evaluate) -> None:
    """Before anything is applied. Raises InvalidExpression for one that can never give an answer."""
    for number, rule in enumerate(rules):
        said = (("inProgress", rule.in_progress), ("failed", rule.failed), ("current", rule.current))
        for name, expression in said:
            if expression or name == "current":
                answer = await evaluate(expression, {field: {} for field in _FIELDS})
                if not answer.compiles:
                    raise InvalidExpression(
                        f"{expression!r}: {answer.error}",
                        field=f"spec.healthCheckExprs[{number}].{name}",
                        hint="write an expression over the object's `metadata`, `spec`, `status` and `data`",
                    )


async def expressed_verdicts(
    versions: Mapping[ObjectRef, str], rules: tuple[HealthExpression, ...], applier: Applier, shell: AppShell
) -> dict[ObjectRef, Verdict | None]:
    """Of the objects (and the versions that they are read in) that an expression is for; None: not there."""
    found: dict[ObjectRef, Verdict | None] = {}
    for ref, version in versions.items():
        if (rule := expression_for(ref, rules)) is not None:
            live = await applier.get(ref, version)
            found[ref] = await _judged(shell.evaluate, rule, live) if live is not None else None
    return found


def expression_for(ref: ObjectRef, rules: Iterable[HealthExpression]) -> HealthExpression | None:
    """That of the kind goes before that of the whole group."""
    of_group = [rule for rule in rules if rule.group == ref.group and rule.kind in ("", ref.kind)]
    return max(of_group, key=lambda rule: rule.kind != "", default=None)


async def _judged(evaluate: Evaluate, rule: HealthExpression, live: Manifest) -> Verdict:
    """In Flux's order: what is in progress, what failed, what is current."""
    if rule.in_progress and await _holds(evaluate, rule.in_progress, live):
        return Verdict(Kstatus.IN_PROGRESS, None, "its expression says that it is in progress")
    if rule.failed and await _holds(evaluate, rule.failed, live):
        return Verdict(Kstatus.FAILED, None, "its expression says that it failed")
    if await _holds(evaluate, rule.current, live):
        return Verdict(Kstatus.CURRENT, None, "")
    return Verdict(Kstatus.IN_PROGRESS, None, "its expression does not call it current")


async def _holds(evaluate: Evaluate, expression: str, live: Manifest) -> bool:
    """A field that is not there yet makes it false."""
    answer = await evaluate(expression, {name: {} for name in _FIELDS} | live)
    return answer.value is True
