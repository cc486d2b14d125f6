"""Helm's formats read by Helm's library, for whoever fetches charts: `sources.helm.reading.ChartReader` by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from trueup.model.manifest import Origin
from trueup.render.engine.build import HELM
from trueup.render.engine.frames import Problem
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess, Refused
from trueup.render.givenfiles import GivenFiles
from trueup.sources.helm.reading import ChartInvalid, IndexRead

T = TypeVar("T")

INDEX_FILE = "index.yaml"
_SECONDS = 120.0


class _Object(Struct, frozen=True):
    object: Raw = Raw(b"null")
    error: Problem | None = None


class _Objects(Struct, frozen=True):
    objects: tuple[_Object, ...]


_index = msgspec.json.Decoder(IndexRead)
_objects = msgspec.json.Decoder(_Objects)


class EngineChartReader:
    """Implements `ChartReader`. An index costs the engine a multiple of its size in memory; its limit is the pool's."""

    def __init__(self, engines: EnginePool) -> None:
        self._engines = engines.beside(HELM)

    async def index(self, data: bytes) -> IndexRead:
        raw = await self._asked("index", {}, {INDEX_FILE: data})
        return _index.decode(raw)

    async def yaml(self, files: Mapping[str, bytes]) -> Mapping[str, Any]:
        if not files:
            return {}
        raw = await self._asked("yaml", {"paths": list(files)}, files)
        found: dict[str, Any] = {}
        for path, answer in zip(files, _objects.decode(raw).objects, strict=True):
            if answer.error is not None:
                raise ChartInvalid(answer.error.message, origin=Origin(path, answer.error.line))
            found[path] = msgspec.json.decode(answer.object)
        return found

    async def _asked(self, kind: str, params: dict[str, object], files: Mapping[str, bytes]) -> Raw:
        server = GivenFiles(files)

        def ask(engine: EngineProcess) -> Raw:
            return engine.call(kind, params, server)

        try:
            return await self._engines.use(ask, seconds=_SECONDS)
        except Refused as refused:
            problem = refused.problem
            raise ChartInvalid(
                problem.message, origin=Origin(problem.path, problem.line) if problem.path else None, hint=problem.hint
            ) from refused
