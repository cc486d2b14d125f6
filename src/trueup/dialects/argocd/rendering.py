"""A source's tool blocks as what a render is asked: overlay, directory, chart, and the files in Git that override them.

Of several sources each is a part of its own, confined to its own repository; a value file may name another source by its
`ref`. https://argo-cd.readthedocs.io/en/stable/user-guide/multiple_sources/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import structs

from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.charts import chart_of
from trueup.dialects.argocd.environment import build_environment, expand
from trueup.dialects.argocd.images import parse_image
from trueup.dialects.argocd.jsonnet import jsonnet_of
from trueup.dialects.argocd.overrides import Base, decode, files_of, overridden
from trueup.dialects.argocd.source_resource import (
    DirectoryOptions,
    KustomizeOptions,
    KustomizePatch,
    KustomizeReplica,
    PluginOptions,
    Source,
)
from trueup.dialects.argocd.sources import is_rendered
from trueup.dialects.cue import refuse_with_cue
from trueup.model.errors import InvalidInput, TrueupError
from trueup.model.manifest import Origin
from trueup.model.refs import ObjectRef
from trueup.model.rendering import (
    CLUSTER_MARKS,
    REVISION_MARKS,
    CueOptions,
    ImageOverride,
    Overlay,
    Part,
    Patch,
    PatchTarget,
    PluginCall,
    PluginParameter,
    RenderMode,
    RenderSpec,
    ReplicaOverride,
)
from trueup.model.rendering import DirectoryOptions as Directory

KUSTOMIZE_VERSION = "v5.8.1"
"""The command whose library the engine is; a test keeps it true."""


def render_of(
    ref: ObjectRef, spec: ApplicationSpec, sources: Sequence[Source], cue: CueOptions | None = None
) -> RenderSpec:
    """One source by itself, or one part per source that is rendered."""
    refs = {source.ref: str(number) for number, source in enumerate(sources) if source.ref}

    def one(source: Source, field: str) -> RenderSpec:
        base = Base(
            ref=ref,
            project=spec.project,
            namespace=spec.destination.namespace,
            source=source,
            field=field,
            refs=refs,
            cue=cue,
        )
        files = files_of(ref.name, "." if source.chart else source.path)
        return structs.replace(_render(base), overrides=base.encoded(), override_files=files)

    if not spec.sources:
        return one(sources[0], "spec.source")
    parts = tuple(
        Part(root=str(number), refs=refs, spec=one(source, f"spec.sources[{number}]"))
        for number, source in enumerate(sources)
        if is_rendered(source)
    )
    return RenderSpec(path="", mode=RenderMode.ARGOCD, parts=parts)


def refine(data: bytes, patches: tuple[tuple[str, dict[str, Any]], ...]) -> RenderSpec:
    """The spec of one source with what files in Git override. Raises InvalidInput, naming the file."""
    base = decode(data)
    base = structs.replace(base, source=overridden(base, patches))
    try:
        return _render(base)
    except TrueupError as error:
        error.origin = Origin(patches[-1][0])
        raise


def _check_version(ref: ObjectRef, version: str, field: str) -> None:
    """Of Kustomize; the one that is built in is the only one, as with an original that registers no others."""
    if version and version.removeprefix("v") != KUSTOMIZE_VERSION.removeprefix("v"):
        raise InvalidInput(
            f"Kustomize {version} is not registered here",
            ref=ref,
            field=f"{field}.kustomize.version",
            hint=f"remove it: manifests are built by {KUSTOMIZE_VERSION}",
        )


def _render(base: Base) -> RenderSpec:
    source, field = base.source, base.field
    if base.cue is not None:
        blocks = {"kustomize": source.kustomize, "helm": source.helm, "directory": source.directory}
        refuse_with_cue(base.ref, {f"{field}.{name}": block is not None for name, block in blocks.items()})
    _check_version(base.ref, source.kustomize.version if source.kustomize else "", field)
    environment = build_environment(base.ref, base.project, base.namespace, source)
    spec = RenderSpec(
        path="." if source.chart else source.path,
        mode=RenderMode.ARGOCD,
        cue=base.cue if not source.chart else None,
        overlay=_overlay(base.ref, source.kustomize, environment, field) if source.kustomize else Overlay(),
        directory=_directory(source.directory, environment) if source.directory else None,
        helm=chart_of(base.ref, base.namespace, source, environment, base.refs, field),
        force_kustomize=source.kustomize is not None,
        force_helm=source.helm is not None or bool(source.chart),
    )
    text = msgspec.json.encode(spec).decode()
    return structs.replace(
        spec,
        revision_marks=any(mark in text for mark in REVISION_MARKS.values()),
        plugin=_plugin(source, environment),
    )


def _plugin(source: Source, environment: Mapping[str, str]) -> PluginCall | None:
    """Also for a source that names none: a plugin may find that the path is its own."""
    if source.chart:
        return None
    options = source.plugin or PluginOptions()
    known = {name: value for name, value in environment.items() if value not in REVISION_MARKS.values()}
    return PluginCall(
        asked=source.plugin is not None,
        name=options.name,
        env={each.name: expand(each.value, {**environment, **CLUSTER_MARKS}) for each in options.env},
        parameters=tuple(
            PluginParameter(name=each.name, string=each.string, array=each.array, map=each.map)
            for each in options.parameters
        ),
        environment=known,
    )


def _directory(options: DirectoryOptions, environment: Mapping[str, str]) -> Directory:
    return Directory(
        recurse=options.recurse,
        include=options.include,
        exclude=options.exclude,
        any_extension=options.disable_extension_filter,
        jsonnet=jsonnet_of(options.jsonnet, environment),
    )


def _overlay(ref: ObjectRef, options: KustomizeOptions, environment: Mapping[str, str], field: str) -> Overlay:
    if options.label_include_templates and options.common_labels and not options.label_without_selector:
        raise InvalidInput(
            "has a meaning with labelWithoutSelector only",
            ref=ref,
            field=f"{field}.kustomize.labelIncludeTemplates",
            hint="remove it: labels that are in selectors are in templates too; or set labelWithoutSelector",
        )
    annotations = options.common_annotations
    if options.common_annotations_envsubst:
        annotations = {key: expand(value, environment) for key, value in annotations.items()}
    return Overlay(
        namespace=options.namespace,
        name_prefix=options.name_prefix,
        name_suffix=options.name_suffix,
        images=tuple(
            _image(ref, f"{field}.kustomize.images[{number}]", expand(text, environment))
            for number, text in enumerate(options.images)
        ),
        replicas=tuple(
            _replica(ref, f"{field}.kustomize.replicas[{number}].count", row)
            for number, row in enumerate(options.replicas)
        ),
        patches=tuple(_patch(patch) for patch in options.patches),
        components=options.components,
        ignore_missing_components=options.ignore_missing_components,
        common_labels={key: expand(value, environment) for key, value in options.common_labels.items()},
        common_annotations=annotations,
        force_common_labels=options.force_common_labels,
        force_common_annotations=options.force_common_annotations,
        label_without_selector=options.label_without_selector,
        label_include_templates=options.label_include_templates,
    )


def _image(ref: ObjectRef, field: str, text: str) -> ImageOverride:
    if (image := parse_image(text)) is None:
        hint = 'write "name:tag", "name@digest" or "name=new-name:tag"'
        raise InvalidInput(f"{text!r} is not an image override", ref=ref, field=field, hint=hint)
    return image


def _replica(ref: ObjectRef, field: str, row: KustomizeReplica) -> ReplicaOverride:
    try:
        return ReplicaOverride(row.name, int(row.count))
    except ValueError as error:
        raise InvalidInput(f"{row.count!r} is not a number", ref=ref, field=field) from error


def _patch(patch: KustomizePatch) -> Patch:
    target = patch.target
    return Patch(
        patch=patch.patch,
        path=patch.path,
        options=patch.options,
        target=PatchTarget(
            group=target.group,
            version=target.version,
            kind=target.kind,
            name=target.name,
            namespace=target.namespace,
            label_selector=target.label_selector,
            annotation_selector=target.annotation_selector,
        )
        if target
        else None,
    )
