"""Go templates, filled in by the library itself: many templates with many sets of values in one call.

A template stands alone and one that fails hinders no other. Who asks knows what the texts are for (fields of an
ApplicationSet, a notification); nothing here reads a snapshot or leaves anything in a cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw, Struct

from trueup.model.errors import EngineFailed, InvalidInput
from trueup.render.engine.build import GOTEMPLATE
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import Refused

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


class _Results(Struct, frozen=True):
    results: list[list[Filled]]


async def fill(
    engines: EnginePool,
    templates: Sequence[Template],
    values: Sequence[Mapping[str, Any]],
    *,
    functions: Functions = Functions.SPRIG,
    options: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
    seconds: float = SECONDS,
) -> list[list[Filled]]:
    """A row for each set of values, with the templates in their order. `options`: text/template's (`missingkey=error`).

    Raises InvalidInput when the texts are too large together; EngineFailed when time or memory is used up.
    """
    params = {
        "templates": templates,
        "values": values,
        "functions": functions.value,
        "options": options,
        "maxBytes": max_bytes,
    }
    try:
        raw: Raw = await engines.beside(GOTEMPLATE).use(
            lambda process: process.call("execute", params), seconds=seconds
        )
    except Refused as error:
        raise InvalidInput(f"{error.problem.path or 'template'}: {error.problem.message}") from error
    try:
        return msgspec.json.decode(raw, type=_Results).results
    except msgspec.MsgspecError as error:
        raise EngineFailed("the gotemplate engine's answer cannot be read", hint="rebuild it: make engines") from error
