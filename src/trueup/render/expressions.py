"""CEL expressions over Kubernetes objects, evaluated by the library that Kubernetes uses. No cluster is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from trueup.model.errors import EngineFailed
from trueup.render.engine.build import CEL
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import Refused

SECONDS = 10.0


class Evaluated(Struct, frozen=True):
    """The value of an expression, or what is wrong with it; `compiles` False: no input can mend it."""

    value: Any = None
    error: str = ""
    compiles: bool = True


class _Answer(Struct, frozen=True):
    values: tuple[Evaluated, ...]


class Expressions:
    """Evaluates expressions with the engines' pool."""

    def __init__(self, engines: EnginePool) -> None:
        self._engine = engines.beside(CEL)

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Evaluated:
        """Raises EngineFailed."""
        params = {"expressions": [expression], "variables": dict(variables)}
        try:
            raw = await self._engine.use(lambda engine: engine.call("evaluate", params), seconds=SECONDS)
        except Refused as refused:
            raise EngineFailed(f"the expression cannot be evaluated: {refused.problem.message}") from refused
        (found,) = msgspec.json.decode(raw, type=_Answer).values
        return found
