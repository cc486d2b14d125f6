"""Jsonnet files of a directory, evaluated one by one by the official library; Argo CD's rules for variables and libraries.

What is imported, found or looked for in vain, is an input like any file.
https://argo-cd.readthedocs.io/en/stable/user-guide/jsonnet/
"""

from __future__ import annotations

from trueup.model.rendering import JsonnetOptions, JsonnetVariable
from trueup.render.built import BuiltObject
from trueup.render.engine.process import EngineProcess
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import Recorder
from trueup.render.limits import RenderLimits
from trueup.render.requests import request_objects


def evaluate(
    engine: EngineProcess,
    recorder: Recorder,
    root: str,
    paths: tuple[str, ...],
    options: JsonnetOptions,
    limits: RenderLimits,
    skip_mark: str,
) -> tuple[BuiltObject, ...]:
    """The objects of the files. `root` is the App's path, a library too. Raises BuildFailed with file and line."""
    files = SnapshotFiles(recorder, limits)
    params: dict[str, object] = {
        "paths": list(paths),
        "libraries": [root, *(_from_root(library) for library in options.libraries)],
        "extVars": [_variable(each) for each in options.ext_vars],
        "topLevel": [_variable(each) for each in options.top_level],
        "skipMark": skip_mark,
        "maxObjects": limits.objects,
        "maxBytes": limits.output_bytes,
    }
    return request_objects(engine, "evaluate", params, files, files.ahead(paths)).objects


def _from_root(library: str) -> str:
    """`"/vendor/"` and `"./vendor"` -> `"vendor"`; what leads out stays, to be refused where it is looked at."""
    return "/".join(part for part in library.split("/") if part not in {"", "."})


def _variable(variable: JsonnetVariable) -> dict[str, object]:
    return {"name": variable.name, "value": variable.value, "code": variable.code}
