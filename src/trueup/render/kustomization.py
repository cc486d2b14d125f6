"""A path rendered as Kustomize: which kustomization is built, and by whose rule one is made up where there is none.

Flux: a tree without a kustomization file is walked; a directory that holds one is a resource and is not entered, other
`.yaml` and `.yml` files are resources (fluxcd/pkg kustomize generator). What the App's own
resource adds is merged by the engine, with the library's own types.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Origin
from trueup.model.outcome import Notice
from trueup.model.remote import RemoteContent
from trueup.model.rendering import Overlay, RenderMode, RenderSpec
from trueup.model.snapshot import EntryType
from trueup.render.built import BuiltObject
from trueup.render.engine.process import EngineProcess
from trueup.render.files import KUSTOMIZATION_FILES, SnapshotFiles
from trueup.render.inputs import Recorder, join
from trueup.render.limits import RenderLimits
from trueup.render.remotes import engine_remotes
from trueup.render.requests import request_objects

IGNORED = "FieldIgnored"
_MANIFESTS = (".yaml", ".yml")


class Kustomized(Struct, frozen=True):
    objects: tuple[BuiltObject, ...] = ()
    notices: tuple[Notice, ...] = ()


def has_kustomization(recorder: Recorder, path: str) -> bool:
    """Whether the directory itself holds a kustomization file."""
    return any(recorder.look(join(path, name)).is_file for name in KUSTOMIZATION_FILES)


def build_kustomization(
    engine: EngineProcess,
    recorder: Recorder,
    path: str,
    spec: RenderSpec,
    limits: RenderLimits,
    remotes: Sequence[RemoteContent] = (),
) -> Kustomized:
    """Raises BuildFailed with file and line, or RemotesNeeded: build again once they are among the Recorder's files."""
    resources: list[str] | None = None
    if spec.mode is RenderMode.FLUX and not has_kustomization(recorder, path):
        resources = generated_resources(recorder, path, limits)
        if not resources and not spec.overlay.components:
            return Kustomized()
    files = SnapshotFiles(recorder, limits)
    if resources is not None:
        names = (*KUSTOMIZATION_FILES, *(name.removeprefix("./") for name in resources))
        along = files.ahead((path, *(join(path, name) for name in names)))
    else:
        along = files.found(path, False)
    params: dict[str, object] = {
        "path": path,
        "resources": resources,
        "overlay": overlay_params(spec.overlay, spec.mode),
        "remotes": engine_remotes(remotes),
        "maxObjects": limits.objects,
        "maxBytes": limits.output_bytes,
    }
    answer = request_objects(engine, "build", params, files, along)
    # Flux passes over what it does not know, so that a misspelt field does nothing; people ought to hear of it.
    notices = tuple(Notice(IGNORED, f"{one.path}: {one.why}, which does nothing") for one in answer.skipped)
    return Kustomized(answer.objects, notices)


def generated_resources(recorder: Recorder, path: str, limits: RenderLimits) -> list[str]:
    """The `resources` of the kustomization that Flux would write for this tree, in the order of a walk."""
    resources: list[str] = []
    looked = 0

    def walk(directory: str, below: str) -> None:
        nonlocal looked
        for entry in recorder.listing(directory):
            looked += 1
            if looked > limits.files:
                raise BuildFailed(
                    f"there are more than {limits.files} files below the path",
                    origin=Origin(path),
                    hint="name a deeper path, or leave directories out with .sourceignore",
                )
            here, name = join(directory, entry.name), f"{below}/{entry.name}"
            kind = entry.type
            if kind is EntryType.SYMLINK:
                at = recorder.look(here)
                if not at.is_file:
                    continue  # a walk does not follow links to directories, or it might never end
                kind = EntryType.FILE
            if kind is EntryType.DIRECTORY:
                if has_kustomization(recorder, here):
                    resources.append(name)
                else:
                    walk(here, name)
            elif entry.name.endswith(_MANIFESTS):
                resources.append(name)

    walk(path, ".")
    return resources


def overlay_params(overlay: Overlay, mode: RenderMode) -> dict[str, object] | None:
    """The engine's `overlay`. Under Flux's rules the file of the path is always read as Flux reads it."""
    if overlay.is_empty and mode is not RenderMode.FLUX:
        return None
    return {
        "rules": mode.value,
        "namespace": overlay.namespace,
        "namePrefix": overlay.name_prefix,
        "nameSuffix": overlay.name_suffix,
        "images": [
            {"name": i.name, "newName": i.new_name, "newTag": i.new_tag, "digest": i.digest} for i in overlay.images
        ],
        "replicas": [{"name": replica.name, "count": replica.count} for replica in overlay.replicas],
        "patches": [
            {
                "patch": patch.patch,
                "path": patch.path,
                "options": patch.options or None,
                "target": msgspec.to_builtins(patch.target) if patch.target is not None else None,
            }
            for patch in overlay.patches
        ],
        "components": list(overlay.components),
        "ignoreMissingComponents": overlay.ignore_missing_components,
        "commonLabels": overlay.common_labels,
        "commonAnnotations": overlay.common_annotations,
        "forceCommonLabels": overlay.force_common_labels,
        "forceCommonAnnotations": overlay.force_common_annotations,
        "labelWithoutSelector": overlay.label_without_selector,
        "labelIncludeTemplates": overlay.label_include_templates,
        "buildMetadata": list(overlay.build_metadata),
    }
