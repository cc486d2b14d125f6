"""Go templates, filled in by the library itself, and conditions beside them: many with many sets of values in one call.

A template stands alone and one that fails hinders no other. Who asks knows what the texts are for (fields of an
ApplicationSet, a notification); nothing here reads a snapshot or leaves anything in a cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from trueup.model.errors import EngineFailed, InvalidInput
from trueup.render.engine.build import GOTEMPLATE
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import Refused

T = TypeVar("T")

MAX_BYTES = 16 << 20
SECONDS = 20.0


class Functions(StrEnum):
    """What templates may call besides text/template's own. Nothing of it knows this machine or a network."""

    NONE = ""
    SPRIG = "sprig"
    APPLICATION_SET = "applicationset"
    """Sprig, and Argo CD's normalize, slugify, toYaml, fromYaml, fromYamlArray and tpl."""


class Template(Struct, frozen=True):
    """`name` stands in errors."""

    name: str
    text: str


class Filled(Struct, frozen=True):
    """The text, or why there is none: line and column are those of the template."""

    text: str = ""
    error: str = ""
    line: int = 0
    column: int = 0


class Judged(Struct, frozen=True):
    """Whether a condition holds, or why nobody can say: line and column are those of the condition."""

    holds: bool = False
    error: str = ""
    line: int = 0
    column: int = 0


class Checked(Struct, frozen=True):
    """In the order of what was asked for; an empty error: it can be filled in, or judged."""

    templates: list[Filled]
    expressions: list[Judged]


class _Results(Struct, frozen=True):
    results: list[list[Filled]]


class _Judgements(Struct, frozen=True):
    results: list[list[Judged]]


async def fill(
    engines: EnginePool,
    templates: Sequence[Template],
    values: Sequence[Mapping[str, Any]],
    *,
    functions: Functions = Functions.SPRIG,
    options: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
    whole: bool = False,
    seconds: float = SECONDS,
) -> list[list[Filled]]:
    """A row for each set of values, with the templates in their order. `options`: text/template's (`missingkey=error`).

    `whole`: whole numbers stay whole, as in objects that Kubernetes' clients read; else 1000000 is written 1e+06.
    Raises InvalidInput when the texts are too large together; EngineFailed when time or memory is used up.
    """
    params = {
        "templates": templates,
        "values": values,
        "functions": functions.value,
        "options": options,
        "maxBytes": max_bytes,
        "whole": whole,
    }
    return (await _asked(engines, "execute", params, seconds, _Results)).results


async def judge(
    engines: EnginePool,
    expressions: Sequence[str],
    values: Sequence[Mapping[str, Any]],
    *,
    seconds: float = SECONDS,
) -> list[list[Judged]]:
    """Conditions in the expr language, as Argo CD writes them beside templates: a row for each set of values.

    What is not there is nil. Raises EngineFailed when time or memory is used up.
    """
    params = {"expressions": expressions, "values": values}
    return (await _asked(engines, "conditions", params, seconds, _Judgements)).results


async def checked(
    engines: EnginePool,
    templates: Sequence[Template],
    expressions: Sequence[str],
    *,
    functions: Functions = Functions.SPRIG,
    seconds: float = SECONDS,
) -> Checked:
    """What is wrong with them whatever they would be filled in with. Nothing is run. Raises EngineFailed."""
    params = {"templates": templates, "expressions": expressions, "functions": functions.value}
    return await _asked(engines, "check", params, seconds, Checked)


async def _asked(engines: EnginePool, kind: str, params: Mapping[str, Any], seconds: float, answer: type[T]) -> T:
    try:
        raw: Raw = await engines.beside(GOTEMPLATE).use(lambda process: process.call(kind, params), seconds=seconds)
    except Refused as error:
        raise InvalidInput(f"{error.problem.path or 'template'}: {error.problem.message}") from error
    try:
        return msgspec.json.decode(raw, type=answer)
    except msgspec.MsgspecError as error:
        raise EngineFailed("the gotemplate engine's answer cannot be read", hint="rebuild it: make engines") from error
