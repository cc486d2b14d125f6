"""`healthCheckExprs`: how objects of custom kinds fare, by CEL over their own fields. Asked of the live object at each look."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.controllers.content import Content
from trueup.controllers.releases.work import ActionFailed, ReleaseWork
from trueup.model.health import Kstatus, Verdict
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.release import HealthExpression

_FIELDS = ("metadata", "spec", "status", "data")
"""Expressions may speak of these whether or not the object has them."""


async def expressed_verdicts(
    work: ReleaseWork, content: Content, refs: Iterable[ObjectRef]
) -> dict[ObjectRef, Verdict | None]:
    """Of the objects that an expression is for. Raises ActionFailed for one that can never give an answer."""
    found: dict[ObjectRef, Verdict | None] = {}
    for ref in refs:
        rule = expression_for(ref, work.spec.health_expressions)
        if rule is None:
            continue
        live = await work.applier.get(ref, content.desired[ref].version)
        found[ref] = await _judged(work, rule, live) if live is not None else None
    return found


def expression_for(ref: ObjectRef, rules: Iterable[HealthExpression]) -> HealthExpression | None:
    """That of the kind goes before that of the whole group."""
    of_group = [rule for rule in rules if rule.group == ref.group and rule.kind in ("", ref.kind)]
    return max(of_group, key=lambda rule: rule.kind != "", default=None)


async def _judged(work: ReleaseWork, rule: HealthExpression, live: Manifest) -> Verdict:
    """In Flux's order: what is in progress, what failed, what is current."""
    if rule.in_progress and await _holds(work, rule.in_progress, live):
        return Verdict(Kstatus.IN_PROGRESS, None, "its expression says that it is in progress")
    if rule.failed and await _holds(work, rule.failed, live):
        return Verdict(Kstatus.FAILED, None, "its expression says that it failed")
    if await _holds(work, rule.current, live):
        return Verdict(Kstatus.CURRENT, None, "")
    return Verdict(Kstatus.IN_PROGRESS, None, "its expression does not call it current")


async def _holds(work: ReleaseWork, expression: str, live: Manifest) -> bool:
    """A field that is not there yet makes it false."""
    answer = await work.shell.evaluate(expression, {name: {} for name in _FIELDS} | live)
    if not answer.compiles:
        raise ActionFailed(f"spec.healthCheckExprs: {expression!r}: {answer.error}")
    return answer.value is True
