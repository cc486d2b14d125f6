"""What the API server wants of an evaluator of CEL, in its own words. Who runs the server brings one; without, nothing is
evaluated, and every answer to which that matters says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from trueup.embedded.api.refusals import FieldProblem
from trueup.embedded.auth.authorizer import Decision
from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes
from trueup.embedded.schema.rules import Ruled
from trueup.model.manifest import Manifest

Decide: TypeAlias = Callable[[User, Attributes], Decision]


class NotEvaluated(Exception):
    """There is no evaluator now; the message says why."""


class Expression(Struct, frozen=True):
    """A match condition at its place in a configuration. A stored one was there before, so newer rules do not hurt it."""

    path: str
    expression: str
    stored: bool = False


class RulesSaid(Struct, frozen=True):
    """What rules say of a change; warnings are of errors that it did not bring about."""

    problems: list[FieldProblem]
    warnings: list[str] = []


class Match(Struct, frozen=True):
    """Whether a webhook wants a request; `error` says why that cannot be told."""

    matches: bool
    error: str = ""


class Expressions(Protocol):
    """Every method raises NotEvaluated."""

    async def definition_problems(self, definition: Manifest, old: Manifest | None) -> list[FieldProblem]:
        """All that is wrong with a CustomResourceDefinition whose schemas hold rules."""
        ...

    async def rule_problems(self, schema: Ruled, obj: Manifest, old: Manifest | None) -> RulesSaid:
        """The rules that a custom resource breaks; `old` is what it was before a change."""
        ...

    async def condition_problems(self, conditions: Sequence[Expression]) -> list[FieldProblem]:
        """What is wrong with match conditions, as written."""
        ...

    async def match(
        self, conditions: Sequence[Mapping[str, Any]], failure_policy: str, request: Manifest, decide: Decide
    ) -> Match:
        """`request` is the one of an AdmissionReview; `decide` answers what conditions ask of rights."""
        ...


class NoExpressions:
    """Stands where nobody brought an evaluator."""

    def __init__(self, why: str = "no CEL engine was given to this server") -> None:
        self._why = why

    async def definition_problems(self, *_: object, **__: object) -> list[FieldProblem]:
        raise NotEvaluated(self._why)

    async def rule_problems(self, *_: object, **__: object) -> RulesSaid:
        raise NotEvaluated(self._why)

    async def condition_problems(self, *_: object, **__: object) -> list[FieldProblem]:
        raise NotEvaluated(self._why)

    async def match(self, *_: object, **__: object) -> Match:
        raise NotEvaluated(self._why)
