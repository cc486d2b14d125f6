"""What CEL has to say about a write, after everything else was checked: a custom resource's rules, the rules of a definition,
the match conditions of a webhook configuration. Where nothing can evaluate them, the answer carries a warning.

Order and blocking errors follow k8s.io/apiextensions-apiserver, pkg/registry/customresource/strategy.go.
"""

from __future__ import annotations

from typing import Final

from trueup.embedded.api.call import Call
from trueup.embedded.api.expressions import Expression, Expressions, NotEvaluated
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.refusals import FieldProblem
from trueup.embedded.api.rules.base import at, items
from trueup.embedded.schema.rules import has_rules
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

NOT_EVALUATED: Final = "x-kubernetes-validations (CEL) were not evaluated"
CONDITIONS_NOT_COMPILED: Final = "matchConditions (CEL) were not compiled"
_BLOCKING: Final = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
_NOT_CHECKED: Final = FieldProblem(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
)
_DEFINITIONS = Resource("apiextensions.k8s.io", "customresourcedefinitions")
_CONFIGURATIONS = frozenset(
    Resource("admissionregistration.k8s.io", f"{name}webhookconfigurations") for name in ("validating", "mutating")
)


class CelRules:
    """Adds to what is wrong with an object."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions

    async def problems(
        self,
        kind: Kind,
        new: Manifest,
        old: Manifest | None,
        found: list[FieldProblem],
        call: Call,
        subresource: str = "",
    ) -> list[FieldProblem]:
        """`found` with what CEL adds. Awaits only where there is something to evaluate."""
        if kind.rules is not None:
            if any(problem.reason in _BLOCKING for problem in found):
                return [*found, _NOT_CHECKED]
            try:
                said = await self._expressions.rule_problems(kind.rules, new, old)
            except NotEvaluated as error:
                call.warn(f"{NOT_EVALUATED}: {error}")
                return found
            for each in said.warnings:
                call.warn(each)
            return found + said.problems
        if kind.storage == _DEFINITIONS and not subresource:
            return await self._of_definition(new, old, found, call)
        if kind.storage in _CONFIGURATIONS:
            return await self._of_configuration(new, old, found, call)
        return found

    async def _of_definition(
        self, new: Manifest, old: Manifest | None, found: list[FieldProblem], call: Call
    ) -> list[FieldProblem]:
        """Rules are judged together with the schema that they stand in, so the evaluator's word replaces all others."""
        if not any(has_rules(at(each, "schema", "openAPIV3Schema")) for each in items(new, "spec", "versions")):
            return found
        try:
            return await self._expressions.definition_problems(new, old)
        except NotEvaluated as error:
            call.warn(f"{NOT_EVALUATED}: {error}")
        return found

    async def _of_configuration(
        self, new: Manifest, old: Manifest | None, found: list[FieldProblem], call: Call
    ) -> list[FieldProblem]:
        conditions = _conditions(new, old)
        if not conditions:
            return found
        try:
            return found + await self._expressions.condition_problems(conditions)
        except NotEvaluated as error:
            call.warn(f"{CONDITIONS_NOT_COMPILED}: {error}")
        return found


def _conditions(new: Manifest, old: Manifest | None) -> list[Expression]:
    """Those to compile: none when an update leaves all conditions as they are."""
    webhooks = list(items(new, "webhooks"))
    before = [list(items(each, "matchConditions")) for each in items(old, "webhooks")]
    if old is not None and before == [list(items(each, "matchConditions")) for each in webhooks]:
        return []
    known = {condition.get("expression") for each in before for condition in each}
    return [
        Expression(f"webhooks[{index}].matchConditions[{place}].expression", text, text in known)
        for index, webhook in enumerate(webhooks)
        for place, condition in enumerate(items(webhook, "matchConditions"))
        if (text := str(condition.get("expression") or "").strip())
    ]
