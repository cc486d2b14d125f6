"""Expressions in CEL over variables by name, evaluated by cel-go: many in one call, each with its value or its error.

What the variables are is the asker's matter: `self` of a health check, `self` and `dep` of a dependency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from trueup.model.errors import EngineFailed, InvalidInput
from trueup.render.engine.build import CEL
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import Refused

SECONDS = 10.0


class Evaluated(Struct, frozen=True):
    """`error` is empty where there is a value. What does not compile is wrong whatever the variables hold."""

    compiles: bool
    value: Any = None
    error: str = ""

    @property
    def is_true(self) -> bool:
        return not self.error and self.value is True


class _Values(Struct, frozen=True):
    values: list[Evaluated]


async def evaluate(
    engines: EnginePool, expressions: Sequence[str], variables: Mapping[str, Any], *, seconds: float = SECONDS
) -> list[Evaluated]:
    """In the order of the expressions. Raises InvalidInput for variables that are no JSON; EngineFailed when time or memory
    is used up, which the cost limit of a single expression prevents."""
    params = {"expressions": expressions, "variables": variables}
    try:
        raw: Raw = await engines.beside(CEL).use(lambda process: process.call("evaluate", params), seconds=seconds)
    except Refused as error:
        raise InvalidInput(f"CEL: {error.problem.message}") from error
    try:
        return msgspec.json.decode(raw, type=_Values).values
    except msgspec.MsgspecError as error:
        raise EngineFailed("the cel engine's answer cannot be read", hint="rebuild it: make engines") from error
