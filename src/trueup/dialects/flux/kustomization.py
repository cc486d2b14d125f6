"""Kustomization -> App: each field's meaning and default, for every version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import json

from trueup.dialects.cue import cue_of, refuse_with_cue
from trueup.dialects.flux import marks
from trueup.dialects.flux.kustomization_resource import (
    HealthCheckExpression,
    HealthCheckReference,
    JsonPatchEntry,
    JsonPatchOperation,
    KustomizationSpec,
    PatchEntry,
    PostBuild,
    Selector,
)
from trueup.dialects.flux.shared import KUSTOMIZATION, SOURCE_GROUP, written_version
from trueup.dialects.flux.sourcekinds import SOURCE_KINDS
from trueup.dialects.flux.targets import target_of
from trueup.dialects.reading import identity, not_built, read_duration, read_struct
from trueup.model.app import App, DeletionPolicy, Dependency, HealthCheck, HealthExpression, KindOrder, Retry, SyncRules
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, generation_of, spec_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.model.rendering import (
    CommonMetadata,
    CueOptions,
    ImageOverride,
    Overlay,
    Patch,
    PatchTarget,
    RenderMode,
    RenderSpec,
    SubstituteFrom,
    Substitution,
)

FIRST_RETRY = timedelta(seconds=10)
OLDEST = "v1beta1"


_BUILT_SOURCES = frozenset(kind.served.kind for kind in SOURCE_KINDS)


def read_kustomization(obj: Manifest) -> App:
    """Raises InvalidInput for what cannot be, NotBuiltYet for what cannot be yet."""
    ref = identity(obj)
    spec = read_struct(KustomizationSpec, spec_of(obj), ref=ref, root="spec")
    not_built(ref, _unbuilt(spec))
    return App(
        ref=ref,
        dialect="flux",
        generation=generation_of(obj),
        source=ObjectRef(
            SOURCE_GROUP, spec.source_ref.kind, spec.source_ref.namespace or ref.namespace, spec.source_ref.name
        ),
        render=_render(ref, spec, cue_of(obj, ref)),
        rules=_rules(ref, spec, written_version(obj)),
        target=target_of(ref, spec.kube_config),
    )


def _unbuilt(spec: KustomizationSpec) -> list[str]:
    fields = {
        "spec.decryption": spec.decryption is not None,
        "spec.ignore": bool(spec.ignore),
        "spec.driftIgnoreRules": bool(spec.drift_ignore_rules),
        f"spec.sourceRef.kind={spec.source_ref.kind}": spec.source_ref.kind not in _BUILT_SOURCES,
    }
    return [field for field, is_set in fields.items() if is_set]


def _rules(ref: ObjectRef, spec: KustomizationSpec, version: str) -> SyncRules:
    interval = read_duration(spec.interval, ref=ref, field="spec.interval")
    if interval <= timedelta():
        raise InvalidInput(f"{spec.interval!r} is no interval", ref=ref, field="spec.interval", hint='write "10m"')
    return SyncRules(
        owner=marks.owner(ref.namespace, ref.name),
        field_manager=marks.FIELD_MANAGER,
        takeover_managers=marks.TAKEOVER_MANAGERS,
        # Later versions call a namespaced object without a namespace an error; the oldest one did not.
        default_namespace="default" if version == OLDEST else "",
        kind_order=KindOrder.STAGED,
        prune=spec.prune,
        force=spec.force,
        wait=spec.wait,
        health_checks=() if spec.wait else tuple(_health_check(ref, n, c) for n, c in enumerate(spec.health_checks)),
        health_expressions=health_expressions(spec.health_check_exprs),
        timeout=_timeout(ref, spec, interval, version),
        interval=interval,
        retry=_retry(ref, spec, interval),
        depends_on=tuple(
            Dependency(KUSTOMIZATION.ref(item.namespace or ref.namespace, item.name), item.ready_expr)
            for item in spec.depends_on
        ),
        service_account=f"{ref.namespace}:{spec.service_account_name}" if spec.service_account_name else "",
        deletion_policy=DeletionPolicy(spec.deletion_policy or DeletionPolicy.MIRROR_PRUNE),
        suspend=spec.suspend,
        opt_out=marks.OPT_OUT,
    )


def _timeout(ref: ObjectRef, spec: KustomizationSpec, interval: timedelta, version: str) -> timedelta:
    """v1beta1: the interval, at least a minute. Since v1beta2: the interval less 30 s, at least 30 s."""
    if spec.timeout is not None:
        return max(read_duration(spec.timeout, ref=ref, field="spec.timeout"), timedelta(seconds=30))
    if version == OLDEST:
        return max(interval, timedelta(minutes=1))
    return max(interval - timedelta(seconds=30), timedelta(seconds=30))


def _retry(ref: ObjectRef, spec: KustomizationSpec, interval: timedelta) -> Retry:
    """A `retryInterval` is kept to the letter; without one we begin sooner than Flux and end at its default, the interval."""
    if spec.retry_interval is not None:
        wait = read_duration(spec.retry_interval, ref=ref, field="spec.retryInterval")
        return Retry(first=wait, factor=1.0, maximum=wait)
    return Retry(first=min(FIRST_RETRY, interval), maximum=interval)


def _health_check(ref: ObjectRef, number: int, check: HealthCheckReference) -> HealthCheck:
    group, version = split_api_version(check.api_version or "apps/v1")
    if not version:
        field = f"spec.healthChecks[{number}].apiVersion"
        raise InvalidInput(f"{check.api_version!r} is no apiVersion", ref=ref, field=field, hint='write "apps/v1"')
    return HealthCheck(ObjectRef(group, check.kind, check.namespace, check.name), version)


def health_expressions(said: tuple[HealthCheckExpression, ...]) -> tuple[HealthExpression, ...]:
    return tuple(
        HealthExpression(
            group=split_api_version(item.api_version)[0],
            kind=item.kind,
            current=item.current,
            failed=item.failed,
            in_progress=item.in_progress,
        )
        for item in said
    )


def _render(ref: ObjectRef, spec: KustomizationSpec, cue: CueOptions | None) -> RenderSpec:
    overlay = Overlay(
        namespace=spec.target_namespace or "",
        name_prefix=spec.name_prefix or "",
        name_suffix=spec.name_suffix or "",
        images=tuple(
            ImageOverride(name=i.name, new_name=i.new_name, new_tag=i.new_tag, digest=i.digest) for i in spec.images
        ),
        patches=all_patches(ref, "spec", spec.patches_strategic_merge, spec.patches, spec.patches_json6902),
        components=spec.components,
        ignore_missing_components=spec.ignore_missing_components,
        build_metadata=spec.build_metadata,
    )
    common = spec.common_metadata
    if cue is not None:
        refuse_with_cue(ref, _of_directories(spec))
    return RenderSpec(
        path=spec.path,
        mode=RenderMode.FLUX,
        cue=cue,
        overlay=overlay,
        substitution=_substitution(ref, spec.post_build) if spec.post_build else None,
        common_metadata=CommonMetadata(common.labels, common.annotations) if common else None,
    )


def _of_directories(spec: KustomizationSpec) -> dict[str, bool]:
    """The fields that mean something only for the files of a kustomization, and whether they are set."""
    return {"spec.components": bool(spec.components), "spec.buildMetadata": bool(spec.build_metadata)}


def all_patches(
    ref: ObjectRef,
    field: str,
    merges: tuple[Any, ...],
    patches: tuple[PatchEntry, ...],
    operations: tuple[JsonPatchEntry, ...],
) -> tuple[Patch, ...]:
    """The three lists below `field` as one, in the order in which Kustomize carries them out."""
    found: list[Patch] = []
    for number, merge in enumerate(merges):
        if not isinstance(merge, dict):
            at = f"{field}.patchesStrategicMerge[{number}]"
            raise InvalidInput("a strategic-merge patch must be an object", ref=ref, field=at)
        found.append(Patch(patch=json.encode(merge).decode()))
    found.extend(_patch(entry) for entry in patches)
    found.extend(
        Patch(patch=json.encode([_operation(op) for op in entry.patch]).decode(), target=patch_target(entry.target))
        for entry in operations
    )
    return tuple(found)


def _operation(operation: JsonPatchOperation) -> dict[str, object]:
    row: dict[str, object] = {"op": operation.op, "path": operation.path}
    if operation.op in ("move", "copy"):
        return {**row, "from": operation.from_}
    return row if operation.op == "remove" else {**row, "value": operation.value}


def _patch(entry: PatchEntry) -> Patch:
    return Patch(patch=entry.patch, target=patch_target(entry.target) if entry.target else None)


def patch_target(selector: Selector) -> PatchTarget:
    return PatchTarget(
        group=selector.group,
        version=selector.version,
        kind=selector.kind,
        name=selector.name,
        namespace=selector.namespace,
        label_selector=selector.label_selector,
        annotation_selector=selector.annotation_selector,
    )


def _substitution(ref: ObjectRef, said: PostBuild) -> Substitution:
    return Substitution(
        variables=said.substitute,
        sources=tuple(
            SubstituteFrom(ref=ObjectRef("", item.kind, ref.namespace, item.name), optional=item.optional)
            for item in said.substitute_from
        ),
        always=said.substitute_strategy == "Always",
    )
