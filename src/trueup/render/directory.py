"""Argo CD's `directory` source: the plain manifests of a path, file by file.

`.yaml`, `.yml` and `.json`, below the path only with `recurse`; `exclude` wins over `include`. A file that holds the
skip mark is left out, and so is YAML that is no manifest at all (no apiVersion, kind and metadata in it) and cannot be
read as one. https://argo-cd.readthedocs.io/en/stable/user-guide/directory/
"""

from __future__ import annotations

from collections.abc import Iterator

from trueup.model.errors import BuildFailed, NotBuiltYet
from trueup.model.manifest import Origin
from trueup.model.outcome import Notice
from trueup.model.rendering import DirectoryOptions
from trueup.model.snapshot import EntryType
from trueup.render.built import BuiltObject
from trueup.render.engine.process import EngineProcess
from trueup.render.files import SnapshotFiles
from trueup.render.globs import matches
from trueup.render.inputs import Recorder, join
from trueup.render.limits import RenderLimits
from trueup.render.requests import request_objects

SKIP_MARK = "+argocd:skip-file-rendering"
_MANIFESTS = (".yaml", ".yml", ".json", ".jsonnet")


def build_directory(
    engine: EngineProcess, recorder: Recorder, path: str, options: DirectoryOptions, limits: RenderLimits
) -> tuple[tuple[BuiltObject, ...], tuple[Notice, ...]]:
    """Raises BuildFailed with file and line, NotBuiltYet for Jsonnet."""
    paths = tuple(_manifests(recorder, path, options, limits))
    if jsonnet := next((name for name in paths if name.endswith(".jsonnet")), None):
        raise NotBuiltYet("Jsonnet is not rendered yet", origin=Origin(jsonnet), hint="exclude *.jsonnet")
    if not paths:
        return (), ()
    files = SnapshotFiles(recorder, limits)
    params: dict[str, object] = {
        "paths": list(paths),
        "lenient": True,
        "skipMark": SKIP_MARK,
        "maxObjects": limits.objects,
        "maxBytes": limits.output_bytes,
    }
    answer = request_objects(engine, "read", params, files, files.ahead(paths))
    notices = tuple(Notice("ManifestSkipped", f"{one.path} is no manifest: {one.why}") for one in answer.skipped)
    return answer.objects, notices


def _manifests(recorder: Recorder, root: str, options: DirectoryOptions, limits: RenderLimits) -> Iterator[str]:
    """The files in the order of a walk. A link counts as the file it leads to; links to directories are not entered."""
    pending = [(root, "")]
    looked = 0
    while pending:
        directory, below = pending.pop()
        deeper: list[tuple[str, str]] = []
        for entry in recorder.listing(directory):
            looked += 1
            if looked > limits.files:
                raise BuildFailed(
                    f"there are more than {limits.files} files below the path",
                    origin=Origin(root),
                    hint="name a deeper path, or leave recurse off",
                )
            here, name = join(directory, entry.name), join(below, entry.name)
            if entry.type is EntryType.DIRECTORY:
                if options.recurse:
                    deeper.append((here, name))
            elif (
                entry.name.endswith(_MANIFESTS)
                and _wanted(name, options)
                and (entry.type is EntryType.FILE or recorder.look(here).is_file)
            ):
                yield here
        pending.extend(reversed(deeper))


def _wanted(name: str, options: DirectoryOptions) -> bool:
    if options.exclude and matches(options.exclude, name):
        return False
    return not options.include or matches(options.include, name)
