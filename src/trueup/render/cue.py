"""A CUE package, exported as Kubernetes objects by the official library.

Every file of the package and of what it imports, every directory looked through and every place looked at in vain is an
input. There is no registry: what is imported lies in the repository. https://cuelang.org/docs/reference/modules/
"""

from __future__ import annotations

from trueup.model.rendering import CueOptions
from trueup.render.built import BuiltObject
from trueup.render.engine.process import EngineProcess
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import Recorder
from trueup.render.limits import RenderLimits
from trueup.render.requests import request_objects


def export(
    engine: EngineProcess, recorder: Recorder, path: str, options: CueOptions, limits: RenderLimits
) -> tuple[BuiltObject, ...]:
    """The objects in the order of CUE's fields. Raises BuildFailed with file, line and column."""
    files = SnapshotFiles(recorder, limits)
    params: dict[str, object] = {
        "path": path,
        "package": options.package,
        "expressions": options.expressions,
        "tags": options.tags,
        "maxObjects": limits.objects,
        "maxBytes": limits.output_bytes,
    }
    return request_objects(engine, "export", params, files, ((), ())).objects
