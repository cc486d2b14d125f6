"""Manifests of any files as Kubernetes reads them, without a Snapshot: for commands that are given files or a pipe."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trueup.model.manifest import Declared, Origin
from trueup.render.engine.pool import EnginePool
from trueup.render.engine.process import EngineProcess
from trueup.render.givenfiles import GivenFiles
from trueup.render.limits import DEFAULT_LIMITS, RenderLimits
from trueup.render.requests import request_objects


async def read_manifests(
    files: Mapping[str, bytes], engines: EnginePool, *, limits: RenderLimits = DEFAULT_LIMITS
) -> tuple[Declared, ...]:
    """The objects of the files in their order, with their places; lists are inlined.

    Raises BuildFailed with file and line. Objects need a kind; what else they must have is for the caller to say.
    """
    server = GivenFiles(files)

    def read(engine: EngineProcess) -> tuple[Declared, ...]:
        params: dict[str, object] = {
            "paths": list(files),
            "maxObjects": limits.objects,
            "maxBytes": limits.output_bytes,
        }
        answer = request_objects(engine, "read", params, server, ((), ()))
        return tuple(Declared(msgspec.json.decode(one.object), Origin(one.path, one.line)) for one in answer.objects)

    return await engines.use(read, seconds=limits.seconds)
