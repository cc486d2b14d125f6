"""Application -> App: each field's meaning and default."""

from __future__ import annotations

from trueup.dialects.argocd import marks
from trueup.dialects.argocd.application_resource import ApplicationSpec, SyncPolicy
from trueup.dialects.argocd.clusters import target_of
from trueup.dialects.argocd.history import history_limit
from trueup.dialects.argocd.hooks import WAVE_ANNOTATIONS
from trueup.dialects.argocd.options import SyncOptions, read_options
from trueup.dialects.argocd.rendering import render_of
from trueup.dialects.argocd.retries import read_retry
from trueup.dialects.argocd.shared import (
    DEFAULT_PROJECT,
    FINALIZER_BACKGROUND,
    FINALIZERS,
    IN_CLUSTER_SERVER,
    SKIP_RECONCILE,
)
from trueup.dialects.argocd.source_resource import Destination
from trueup.dialects.argocd.sources import INTERVAL, source_of, sources_of
from trueup.dialects.argocd.unbuilt import unbuilt_fields
from trueup.dialects.cue import cue_of
from trueup.dialects.reading import finalizers_of, identity, not_built, read_struct
from trueup.model.app import App, DeletionPolicy, IgnoreRule, KindOrder, NamespaceMetadata, SyncRules
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.sync.ignoring import check_rules


def read_application(obj: Manifest, control_namespace: str) -> App:
    """Raises InvalidInput for what cannot be, NotBuiltYet for what cannot be yet."""
    ref = identity(obj)
    spec = read_struct(ApplicationSpec, spec_of(obj), ref=ref, root="spec")
    options = read_options(spec.sync_policy.sync_options if spec.sync_policy else ())
    not_built(ref, unbuilt_fields(spec, options, obj))
    _check_destination(ref, spec.destination)
    sources = sources_of(ref, spec)
    return App(
        ref=ref,
        dialect="argocd",
        # Our own status writes raise the generation of an Application: it says nothing about the spec.
        generation=0,
        source=source_of(ref, spec, sources, suspend=is_suspended(obj)),
        render=render_of(ref, spec, sources, cue_of(obj, ref)),
        rules=_rules(ref, spec, options, obj, control_namespace),
        project=spec.project or DEFAULT_PROJECT,
        target=target_of(spec.destination.server, spec.destination.name, spec.project or DEFAULT_PROJECT),
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
        confirm_delete=options.confirm_delete,
        ignore=_ignored(ref, spec),
        respect_ignored=options.respect_ignored,
        allow_empty=bool(automated and automated.allow_empty),
        self_heal=bool(automated and automated.self_heal),
        automated=automated is not None,
        force=options.force,
        replace=options.replace,
        refuse_shared=options.refuse_shared,
        validate=options.validate,
        interval=INTERVAL,
        retry=read_retry(policy.retry if policy else None, ref, "spec.syncPolicy.retry"),
        deletion_policy=DeletionPolicy.DELETE if cascades else DeletionPolicy.ORPHAN,
        delete_propagation=options.propagation or at_deletion,
        suspend=is_suspended(obj),
        opt_out=marks.OPT_OUT,
    )


def _ignored(ref: ObjectRef, spec: ApplicationSpec) -> tuple[IgnoreRule, ...]:
    rules = tuple(
        IgnoreRule(
            group=row.group,
            kind=row.kind,
            name=row.name,
            namespace=row.namespace,
            json_pointers=row.json_pointers,
            jq_paths=row.jq_path_expressions,
            managers=row.managed_fields_managers,
        )
        for row in spec.ignore_differences
    )
    check_rules(rules, ref, "spec.ignoreDifferences")
    return rules


def _namespace_metadata(policy: SyncPolicy | None) -> NamespaceMetadata | None:
    said = policy.managed_namespace_metadata if policy else None
    if said is None or not (said.labels or said.annotations):
        return None
    return NamespaceMetadata(labels=said.labels, annotations=said.annotations)
