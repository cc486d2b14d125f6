"""Argo CD's `directory` source: the plain manifests of a path, file by file.

`.yaml`, `.yml`, `.json` and `.jsonnet`, below the path only with `recurse`; `exclude` wins over `include`. A file that holds the
skip mark is left out, and so is YAML that is no manifest at all (no apiVersion, kind and metadata in it) and cannot be
read as one. https://argo-cd.readthedocs.io/en/stable/user-guide/directory/
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.model.globs import matches
from trueup.model.manifest import Origin
from trueup.model.outcome import Notice
from trueup.model.rendering import DirectoryOptions
from trueup.model.snapshot import EntryType
from trueup.render.built import BuiltObject
from trueup.render.engine.process import EngineProcess
from trueup.render.files import SnapshotFiles
from trueup.render.inputs import Recorder, join
from trueup.render.limits import RenderLimits
from trueup.render.requests import request_objects

SKIP_MARK = "+argocd:skip-file-rendering"
_JSONNET = ".jsonnet"
_MANIFESTS = (".yaml", ".yml", ".json", _JSONNET)


class Directory(Struct, frozen=True):
    """The plain manifests of a path. Files of `jsonnet` are still to be evaluated, by an engine of their own."""

    objects: tuple[BuiltObject, ...]
    notices: tuple[Notice, ...] = ()
    paths: tuple[str, ...] = ()
    """All files, in the order in which their objects come."""
    jsonnet: tuple[str, ...] = ()

    def with_evaluated(self, evaluated: tuple[BuiltObject, ...]) -> tuple[BuiltObject, ...]:
        """All objects in the order of the files."""
        place = {path: number for number, path in enumerate(self.paths)}
        return tuple(sorted((*self.objects, *evaluated), key=lambda one: place.get(one.path, len(place))))


def read_directory(
    engine: EngineProcess, recorder: Recorder, path: str, options: DirectoryOptions, limits: RenderLimits
) -> Directory:
    """Raises BuildFailed with file and line."""
    paths = tuple(_manifests(recorder, path, options, limits))
    jsonnet = tuple(name for name in paths if name.endswith(_JSONNET))
    plain = tuple(name for name in paths if not name.endswith(_JSONNET))
    if not plain:
        return Directory((), paths=paths, jsonnet=jsonnet)
    files = SnapshotFiles(recorder, limits)
    params: dict[str, object] = {
        "paths": list(plain),
        "lenient": True,
        "skipMark": SKIP_MARK,
        "maxObjects": limits.objects,
        "maxBytes": limits.output_bytes,
    }
    answer = request_objects(engine, "read", params, files, files.ahead(plain))
    notices = tuple(Notice("ManifestSkipped", f"{one.path} is no manifest: {one.why}") for one in answer.skipped)
    return Directory(answer.objects, notices, paths, jsonnet)


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
                (options.any_extension or entry.name.endswith(_MANIFESTS))
                and _wanted(name, options)
                and (entry.type is EntryType.FILE or recorder.look(here).is_file)
            ):
                yield here
        pending.extend(reversed(deeper))


def _wanted(name: str, options: DirectoryOptions) -> bool:
    if options.exclude and matches(options.exclude, name):
        return False
    return not options.include or matches(options.include, name)
