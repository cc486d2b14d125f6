"""Rules, match conditions and expressions in CEL for the embedded Kubernetes, evaluated by the cel engine.

The engine is found or built when the first of them is written, never before: nobody waits for what he does not use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import msgspec
import structlog
from msgspec import Raw, Struct

from trueup.embedded.api import refusals
from trueup.embedded.api.expressions import Decide, Expression, Match, NotEvaluated, RulesSaid
from trueup.embedded.api.refusals import FieldProblem
from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import Attributes
from trueup.embedded.schema.rules import Ruled
from trueup.model.errors import EngineFailed
from trueup.model.manifest import Manifest
from trueup.render.engine.build import CEL, find_engine
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.engine.process import EngineProcess, Refused

T = TypeVar("T")
log = structlog.get_logger(__name__)

_LIMITS = EngineLimits(seconds=30.0, memory=512 << 20, requests_per_process=50_000, idle_seconds=120.0)
_BUILD_SECONDS = 300.0
_ATTEMPTS = 2
"""A process may have died while it was idle."""
_ROUNDS = 32
"""How often a condition may come back with more questions of rights."""
_AGAIN_SECONDS = 60.0
"""An engine that could not be had is not asked for again so soon."""


class _Problem(Struct, frozen=True):
    field: str
    reason: str
    message: str


class _Problems(Struct, frozen=True):
    problems: list[_Problem]
    warnings: list[str] = []


class _Subject(Struct, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()


class _Right(Struct, frozen=True, omit_defaults=True):
    user: _Subject
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def wanted(self) -> Attributes:
        return Attributes(
            verb=self.verb,
            group=self.group,
            resource=self.resource,
            subresource=self.subresource,
            namespace=self.namespace,
            name=self.name,
            path=self.path,
        )


class _Matched(Struct, frozen=True):
    matches: bool
    error: str = ""
    unknown: list[_Right] = []


class EngineExpressions:
    """Implements `Expressions`. `async with` ends the engine's processes."""

    def __init__(self, pool: EnginePool | None = None) -> None:
        self._pool = pool or EnginePool(workers=2, limits=_LIMITS, engine=CEL)
        self._missing = ""
        self._ask_again = 0.0
        self._is_there = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def definition_problems(self, definition: Manifest, old: Manifest | None) -> list[FieldProblem]:
        return _told(await self._call("definition", {"object": definition, "old": old}))

    async def rule_problems(self, schema: Ruled, obj: Manifest, old: Manifest | None) -> RulesSaid:
        params: dict[str, object] = {"digest": schema.digest, "object": obj, "old": old}

        def ask(process: EngineProcess) -> Raw:
            try:
                return process.call("object", params)
            except Refused as error:
                if error.problem.code != "UnknownSchema":
                    raise
            return process.call("object", params | {"schema": schema.raw})

        raw = await self._use(ask)
        return RulesSaid(_told(raw), msgspec.json.decode(raw, type=_Problems).warnings)

    async def condition_problems(self, conditions: Sequence[Expression]) -> list[FieldProblem]:
        return _told(await self._call("conditions", {"expressions": conditions}))

    async def match(
        self, conditions: Sequence[Mapping[str, Any]], failure_policy: str, request: Manifest, decide: Decide
    ) -> Match:
        params = {"conditions": conditions, "failurePolicy": failure_policy, "request": request}
        decisions: list[dict[str, object]] = []
        extra = request.get("userInfo", {}).get("extra") or {}
        for _ in range(_ROUNDS):
            raw = await self._call("match", params | {"decisions": decisions})
            matched = msgspec.json.decode(raw, type=_Matched)
            if not matched.unknown:
                return Match(matched.matches, matched.error)
            for right in matched.unknown:
                user = User(right.user.username, right.user.groups, right.user.uid, extra)
                decision = decide(user, right.wanted)
                decisions.append({"right": right, "allowed": decision.allowed, "reason": decision.reason})
        return Match(False, "the match conditions ask for too many rights")

    async def _call(self, kind: str, params: Mapping[str, object]) -> Raw:
        return await self._use(lambda process: process.call(kind, params))

    async def _use(self, work: Callable[[EngineProcess], T]) -> T:
        """Raises NotEvaluated when the engine cannot be had, ApiError when it fails twice: what was not judged is not
        accepted."""
        await self._be_there()
        for attempt in range(_ATTEMPTS):
            try:
                return await self._pool.use(work)
            except Refused as error:
                raise refusals.internal(f"evaluating CEL failed: {error.problem.message}") from error
            except EngineFailed as error:
                if attempt + 1 == _ATTEMPTS:
                    raise refusals.internal(f"evaluating CEL failed: {error.message}") from error
        raise AssertionError("unreachable")

    async def _be_there(self) -> None:
        """The first use may have to build the engine; the deadline of a request must not count that."""
        now = asyncio.get_running_loop().time()
        if self._is_there:
            return
        if self._missing and now < self._ask_again:
            raise NotEvaluated(self._missing)
        try:
            if await asyncio.to_thread(find_engine, CEL) is None:
                log.info("building the cel engine, for which the first rule in CEL waits")
            async with asyncio.timeout(_BUILD_SECONDS):
                await self._pool.version()
        except EngineFailed as error:
            self._missing, self._ask_again = error.message.partition("\n")[0], now + _AGAIN_SECONDS
            log.warning("the cel engine cannot be had", error=str(error))
            raise NotEvaluated(self._missing) from error
        except TimeoutError as error:
            raise NotEvaluated("the cel engine is still being built") from error
        self._is_there = True


def _told(raw: Raw) -> list[FieldProblem]:
    found = msgspec.json.decode(raw, type=_Problems)
    return [FieldProblem(each.field, each.reason, each.message) for each in found.problems]
