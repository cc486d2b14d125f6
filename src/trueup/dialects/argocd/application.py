"""Application -> App: each field's meaning and default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from trueup.dialects.argocd import marks
from trueup.dialects.argocd.application_resource import ApplicationSpec, SyncPolicy
from trueup.dialects.argocd.charts import chart_of
from trueup.dialects.argocd.environment import build_environment
from trueup.dialects.argocd.history import history_limit
from trueup.dialects.argocd.hooks import WAVE_ANNOTATIONS
from trueup.dialects.argocd.images import parse_image
from trueup.dialects.argocd.jsonnet import jsonnet_of
from trueup.dialects.argocd.options import SyncOptions, read_options
from trueup.dialects.argocd.retries import read_retry
from trueup.dialects.argocd.shared import (
    DEFAULT_PROJECT,
    FINALIZER_BACKGROUND,
    FINALIZERS,
    IN_CLUSTER_SERVER,
    SKIP_RECONCILE,
)
from trueup.dialects.argocd.source_resource import (
    Destination,
    DirectoryOptions,
    KustomizeOptions,
    KustomizePatch,
    KustomizeReplica,
    Source,
)
from trueup.dialects.argocd.unbuilt import unbuilt_fields
from trueup.dialects.cue import cue_of, refuse_with_cue
from trueup.dialects.reading import finalizers_of, identity, not_built, read_struct
from trueup.model.app import App, DeletionPolicy, KindOrder, NamespaceMetadata, SyncRules
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.model.rendering import (
    CueOptions,
    ImageOverride,
    Overlay,
    Patch,
    PatchTarget,
    RenderMode,
    RenderSpec,
    ReplicaOverride,
)
from trueup.model.rendering import DirectoryOptions as Directory
from trueup.model.source import GitReference, GitSource

INTERVAL = timedelta(minutes=2)
"""Argo CD's `timeout.reconciliation`."""


def read_application(obj: Manifest, control_namespace: str) -> App:
    """Raises InvalidInput for what cannot be, NotBuiltYet for what cannot be yet."""
    ref = identity(obj)
    spec = read_struct(ApplicationSpec, spec_of(obj), ref=ref, root="spec")
    options = read_options(spec.sync_policy.sync_options if spec.sync_policy else ())
    not_built(ref, unbuilt_fields(spec, options, obj))
    _check_destination(ref, spec.destination)
    source = _source(ref, spec)
    return App(
        ref=ref,
        dialect="argocd",
        # Our own status writes raise the generation of an Application: it says nothing about the spec.
        generation=0,
        source=_git_source(source, suspend=is_suspended(obj)),
        render=_render(ref, spec, source, cue_of(obj, ref)),
        rules=_rules(ref, spec, options, obj, control_namespace),
        project=spec.project or DEFAULT_PROJECT,
        history_limit=history_limit(obj),
    )


def is_suspended(obj: Manifest) -> bool:
    return str(annotations_of(obj).get(SKIP_RECONCILE) or "").lower() == "true"


def _check_destination(ref: ObjectRef, destination: Destination) -> None:
    if destination.server and destination.name:
        raise InvalidInput(
            "a destination has either a server or a name, not both",
            ref=ref,
            field="spec.destination",
            hint="remove one",
        )
    if not destination.server and not destination.name:
        raise InvalidInput(
            "the destination names no cluster",
            ref=ref,
            field="spec.destination.server",
            hint=f'write "{IN_CLUSTER_SERVER}"',
        )


def _source(ref: ObjectRef, spec: ApplicationSpec) -> Source:
    source = spec.source
    if source is None:
        raise InvalidInput("there is no source", ref=ref, field="spec.source", hint="name a repoURL and a path")
    if not source.repo_url:
        raise InvalidInput("the source names no repository", ref=ref, field="spec.source.repoURL")
    if not source.path:
        raise InvalidInput(
            "the source names no path", ref=ref, field="spec.source.path", hint='write "." for the whole repository'
        )
    blocks = {"kustomize": source.kustomize, "helm": source.helm, "directory": source.directory}
    if len(named := [name for name, block in blocks.items() if block is not None]) > 1:
        raise InvalidInput(
            f"a source is built by one tool, and {' and '.join(named)} are named",
            ref=ref,
            field="spec.source",
            hint="remove one of the blocks",
        )
    return source


def _git_source(source: Source, *, suspend: bool) -> GitSource:
    """Credentials are found by URL among the repository Secrets, which is the caller's to do (`match_repository_secret`)."""
    return GitSource(
        url=source.repo_url,
        reference=GitReference(expression=source.target_revision or "HEAD"),
        by_url=True,
        interval=INTERVAL,
        recurse_submodules=True,
        suspend=suspend,
    )


def _render(ref: ObjectRef, spec: ApplicationSpec, source: Source, cue: CueOptions | None) -> RenderSpec:
    if cue is not None:
        blocks = {"kustomize": source.kustomize, "helm": source.helm, "directory": source.directory}
        refuse_with_cue(ref, {f"spec.source.{name}": block is not None for name, block in blocks.items()})
    environment = build_environment(ref, spec, source)
    return RenderSpec(
        path=source.path,
        mode=RenderMode.ARGOCD,
        cue=cue,
        overlay=_overlay(ref, source.kustomize) if source.kustomize else Overlay(),
        directory=_directory(source.directory, environment) if source.directory else None,
        helm=chart_of(ref.name, spec.destination.namespace, source, environment),
        force_kustomize=source.kustomize is not None,
        force_helm=source.helm is not None,
    )


def _directory(options: DirectoryOptions, environment: Mapping[str, str]) -> Directory:
    return Directory(
        recurse=options.recurse,
        include=options.include,
        exclude=options.exclude,
        jsonnet=jsonnet_of(options.jsonnet, environment),
    )


def _overlay(ref: ObjectRef, options: KustomizeOptions) -> Overlay:
    return Overlay(
        namespace=options.namespace,
        name_prefix=options.name_prefix,
        name_suffix=options.name_suffix,
        images=tuple(_image(ref, number, text) for number, text in enumerate(options.images)),
        replicas=tuple(_replica(ref, number, row) for number, row in enumerate(options.replicas)),
        patches=tuple(_patch(patch) for patch in options.patches),
        components=options.components,
        ignore_missing_components=options.ignore_missing_components,
        common_labels=options.common_labels,
        common_annotations=options.common_annotations,
        force_common_labels=options.force_common_labels,
        force_common_annotations=options.force_common_annotations,
        label_without_selector=options.label_without_selector,
        label_include_templates=options.label_include_templates,
    )


def _image(ref: ObjectRef, number: int, text: str) -> ImageOverride:
    if (image := parse_image(text)) is None:
        field = f"spec.source.kustomize.images[{number}]"
        hint = 'write "name:tag", "name@digest" or "name=new-name:tag"'
        raise InvalidInput(f"{text!r} is not an image override", ref=ref, field=field, hint=hint)
    return image


def _replica(ref: ObjectRef, number: int, row: KustomizeReplica) -> ReplicaOverride:
    try:
        return ReplicaOverride(row.name, int(row.count))
    except ValueError as error:
        field = f"spec.source.kustomize.replicas[{number}].count"
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


def _rules(
    ref: ObjectRef, spec: ApplicationSpec, options: SyncOptions, obj: Manifest, control_namespace: str
) -> SyncRules:
    policy = spec.sync_policy
    automated = policy.automated if policy and policy.automated and policy.automated.enabled is not False else None
    finalizers = finalizers_of(obj)
    cascades = any(name in FINALIZERS for name in finalizers) and not options.never_delete
    at_deletion = "Background" if FINALIZER_BACKGROUND in finalizers else "Foreground"
    return SyncRules(
        owner=marks.owner(ref.namespace, ref.name, control_namespace),
        field_manager=marks.FIELD_MANAGER,
        takeover_managers=marks.TAKEOVER_MANAGERS if options.migrate_client_side_apply else (),
        default_namespace=spec.destination.namespace,
        create_namespace=options.create_namespace,
        namespace_metadata=_namespace_metadata(policy),
        kind_order=KindOrder.ARGOCD,
        duplicates_allowed=True,
        prune=bool(automated and automated.prune) and not options.never_prune,
        prune_last=options.prune_last,
        wave_annotations=WAVE_ANNOTATIONS,
        waits_for_unchanged=not options.only_out_of_sync,
        confirm_prune=options.confirm_prune,
        allow_empty=bool(automated and automated.allow_empty),
        self_heal=bool(automated and automated.self_heal),
        automated=automated is not None,
        force=options.force,
        validate=options.validate,
        interval=INTERVAL,
        retry=read_retry(policy.retry if policy else None, ref, "spec.syncPolicy.retry"),
        deletion_policy=DeletionPolicy.DELETE if cascades else DeletionPolicy.ORPHAN,
        delete_propagation=options.propagation or at_deletion,
        suspend=is_suspended(obj),
        opt_out=marks.OPT_OUT,
    )


def _namespace_metadata(policy: SyncPolicy | None) -> NamespaceMetadata | None:
    said = policy.managed_namespace_metadata if policy else None
    if said is None or not (said.labels or said.annotations):
        return None
    return NamespaceMetadata(labels=said.labels, annotations=said.annotations)
