"""HelmRelease -> App: each field's meaning and default, for every version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from trueup.dialects.flux.helmrelease_resource import (
    DriftDetection,
    HelmReleaseSpec,
    Install,
    PostRendererEntry,
    Rollback,
    Strategy,
    TemplateMetadata,
    Test,
    Uninstall,
    Upgrade,
)
from trueup.dialects.flux.kustomization import all_patches, health_expressions, patch_target
from trueup.dialects.flux.kustomization_resource import IgnoreRule as IgnoreRuleRow
from trueup.dialects.flux.shared import (
    BUCKET,
    EXTERNAL_ARTIFACT,
    GIT_REPOSITORY,
    HELM_CHART,
    HELM_RELEASE,
    HELM_REPOSITORY,
    OCI_REPOSITORY,
    SOURCE_GROUP,
)
from trueup.dialects.flux.targets import target_of
from trueup.dialects.reading import identity, not_built, read_duration, read_struct
from trueup.model.app import App, DeletionPolicy, Dependency, KindOrder, OptOut, Owner, Retry, SyncRules
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, generation_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.model.release import (
    CrdPolicy,
    DriftMode,
    IgnoreRule,
    InstallRules,
    NamedTest,
    PostRenderer,
    PostRenderStrategy,
    ReleaseSpec,
    Remediation,
    Remedy,
    RollbackRules,
    TestingRules,
    UninstallRules,
    UpgradeRules,
    ValuesSource,
)
from trueup.model.rendering import CommonMetadata, ImageOverride, RenderMode, RenderSpec
from trueup.sync.releases.ignoring import check_target
from trueup.sync.releases.naming import release_name

FIELD_MANAGER = "helm-controller"
MANAGED_BY = {"app.kubernetes.io/managed-by": "Helm"}
RELEASE_NAME = "meta.helm.sh/release-name"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
_KEEP = ("helm.sh/resource-policy", "keep")
_DRIFT_OFF = (f"{HELM_RELEASE.group}/driftDetection", "disabled")
DEFAULT_TIMEOUT = timedelta(minutes=5)
RETRY_INTERVAL = timedelta(minutes=5)
FIRST_RETRY = timedelta(seconds=1)
HISTORY = 5
_ORIGINS = frozenset({GIT_REPOSITORY.kind, HELM_REPOSITORY.kind, BUCKET.kind})
_REFERENCED = frozenset({HELM_CHART.kind, OCI_REPOSITORY.kind, EXTERNAL_ARTIFACT.kind})


def read_helm_release(obj: Manifest) -> App:
    """Raises InvalidInput for what cannot be, NotBuiltYet for what cannot be yet."""
    ref = identity(obj)
    spec = read_struct(HelmReleaseSpec, spec_of(obj), ref=ref, root="spec")
    if (spec.chart is None) == (spec.chart_ref is None):
        raise InvalidInput(
            "either chart or chartRef must be set", ref=ref, field="spec", hint="name the chart in one of the two"
        )
    not_built(ref, _unbuilt(spec))
    interval = read_duration(spec.interval, ref=ref, field="spec.interval")
    timeout = _duration(ref, spec.timeout, "spec.timeout", DEFAULT_TIMEOUT)
    release = _release(ref, spec, timeout)
    return App(
        ref=ref,
        dialect="flux",
        generation=generation_of(obj),
        source=_source(ref, spec),
        render=RenderSpec(path="", mode=RenderMode.ARGOCD, force_helm=True),
        rules=_rules(ref, spec, release, interval, timeout),
        release=release,
        target=target_of(ref, spec.kube_config),
    )


def _unbuilt(spec: HelmReleaseSpec) -> list[str]:
    found: list[str] = []
    if spec.chart is not None:
        kind = spec.chart.spec.source_ref.kind
        found.extend([f"spec.chart.spec.sourceRef.kind={kind}"] if kind not in _ORIGINS else [])
    if spec.chart_ref is not None and spec.chart_ref.kind not in _REFERENCED:
        found.append(f"spec.chartRef.kind={spec.chart_ref.kind}")
    return found


def _source(ref: ObjectRef, spec: HelmReleaseSpec) -> ObjectRef:
    """The chart's own source: what is referred to, or the HelmChart that is made of the template."""
    if spec.chart_ref is not None:
        said = spec.chart_ref
        return ObjectRef(SOURCE_GROUP, said.kind, said.namespace or ref.namespace, said.name)
    assert spec.chart is not None
    namespace = spec.chart.spec.source_ref.namespace or ref.namespace
    return HELM_CHART.ref(namespace, f"{ref.namespace}-{ref.name}")


def _chart_object(ref: ObjectRef, spec: HelmReleaseSpec) -> Manifest | None:
    """The HelmChart that Flux makes of a template, by the same name, so that its clients find it."""
    if spec.chart is None:
        return None
    said, metadata = spec.chart.spec, spec.chart.metadata or TemplateMetadata()
    made = _source(ref, spec)
    files = ([said.values_file] if said.values_file else []) + list(said.values_files)
    source = {"kind": said.source_ref.kind, "name": said.source_ref.name}
    wanted: dict[str, Any] = {
        "chart": said.chart,
        "version": said.version,
        "sourceRef": source | ({"apiVersion": said.source_ref.api_version} if said.source_ref.api_version else {}),
        "interval": said.interval or spec.interval,
        "reconcileStrategy": said.reconcile_strategy,
    }
    if files:
        wanted["valuesFiles"] = files
    if said.ignore_missing_values_files:
        wanted["ignoreMissingValuesFiles"] = True
    if said.verify is not None:
        trust = {"secretRef": {"name": said.verify.secret_ref.name}} if said.verify.secret_ref is not None else {}
        wanted["verify"] = {"provider": said.verify.provider, **trust}
    return {
        "apiVersion": HELM_CHART.api_version,
        "kind": HELM_CHART.kind,
        "metadata": {
            "name": made.name,
            "namespace": made.namespace,
            "labels": {**metadata.labels, **_origin(ref)},
            **({"annotations": metadata.annotations} if metadata.annotations else {}),
        },
        "spec": wanted,
    }


def _origin(ref: ObjectRef) -> dict[str, str]:
    """Whose an object is, as Flux says it."""
    return {f"{HELM_RELEASE.group}/name": ref.name, f"{HELM_RELEASE.group}/namespace": ref.namespace}


def _rules(
    ref: ObjectRef, spec: HelmReleaseSpec, release: ReleaseSpec, interval: timedelta, timeout: timedelta
) -> SyncRules:
    return SyncRules(
        owner=Owner(labels=MANAGED_BY, annotations={RELEASE_NAME: release.name, RELEASE_NAMESPACE: release.namespace}),
        field_manager=FIELD_MANAGER,
        # What `helm` set by hand is taken over, so that what the chart does not say any more goes.
        takeover_managers=("helm",),
        default_namespace=release.namespace,
        kind_order=KindOrder.HELM,
        duplicates_allowed=True,
        prune=True,
        self_heal=release.drift is DriftMode.ENABLED,
        timeout=timeout,
        interval=interval,
        retry=Retry(first=FIRST_RETRY),
        depends_on=tuple(
            Dependency(HELM_RELEASE.ref(item.namespace or ref.namespace, item.name), item.ready_expr)
            for item in spec.depends_on
        ),
        service_account=f"{ref.namespace}:{spec.service_account_name}" if spec.service_account_name else "",
        health_expressions=health_expressions(spec.health_check_exprs),
        deletion_policy=DeletionPolicy.DELETE,
        delete_propagation=release.uninstall.propagation,
        suspend=spec.suspend,
        opt_out=OptOut(never_prune=(_KEEP,), never_delete=(_KEEP,), never_heal=(_DRIFT_OFF,)),
    )


def _release(ref: ObjectRef, spec: HelmReleaseSpec, timeout: timedelta) -> ReleaseSpec:
    drift = spec.drift_detection or DriftDetection()
    common = spec.common_metadata
    return ReleaseSpec(
        name=release_name(ref.name, release=spec.release_name or "", target_namespace=spec.target_namespace or ""),
        namespace=spec.target_namespace or ref.namespace,
        storage_namespace=spec.storage_namespace or ref.namespace,
        chart_object=_chart_object(ref, spec),
        values=spec.values or {},
        values_from=tuple(
            ValuesSource(
                ref=ObjectRef("", item.kind, ref.namespace, item.name),
                key=item.values_key or "values.yaml",
                target_path=item.target_path,
                literal=item.literal,
                optional=item.optional,
            )
            for item in spec.values_from
        ),
        install=_install(ref, spec.install or Install(), timeout, spec.test or Test()),
        upgrade=_upgrade(ref, spec.upgrade or Upgrade(), timeout, spec.test or Test()),
        rollback=_rollback(ref, spec.rollback or Rollback(), timeout),
        uninstall=_uninstall(ref, spec.uninstall or Uninstall(), timeout),
        test=_test(ref, spec.test or Test(), timeout),
        max_history=HISTORY if spec.max_history is None else spec.max_history,
        drift=DriftMode(drift.mode or DriftMode.DISABLED),
        ignore=tuple(_ignore_rule(ref, number, rule) for number, rule in enumerate(drift.ignore)),
        post_renderers=tuple(_post_renderer(ref, n, item) for n, item in enumerate(spec.post_renderers)),
        post_render_strategy=PostRenderStrategy(spec.post_render_strategy or PostRenderStrategy.COMBINED),
        origin_labels=_origin(ref),
        common_metadata=CommonMetadata(common.labels, common.annotations) if common else CommonMetadata(),
        artifact_digest=spec.chart_ref is not None and spec.chart_ref.kind != HELM_CHART.kind,
    )


def _ignore_rule(ref: ObjectRef, number: int, said: IgnoreRuleRow) -> IgnoreRule:
    for place, path in enumerate(said.paths):
        if path and not path.startswith("/"):
            field = f"spec.driftDetection.ignore[{number}].paths[{place}]"
            raise InvalidInput(f"{path!r} is no JSON pointer", ref=ref, field=field, hint='begin it with "/"')
    target = patch_target(said.target) if said.target else None
    if target is not None:
        try:
            check_target(target, f"spec.driftDetection.ignore[{number}].target")
        except InvalidInput as error:
            error.ref = ref
            raise
    return IgnoreRule(paths=said.paths, target=target)


def _install(ref: ObjectRef, said: Install, timeout: timedelta, test: Test) -> InstallRules:
    remediation = said.remediation
    ignore = remediation.ignore_test_failures if remediation else None
    return InstallRules(
        timeout=_duration(ref, said.timeout, "spec.install.timeout", timeout),
        wait=not said.disable_wait,
        wait_for_jobs=not said.disable_wait_for_jobs,
        hooks=not said.disable_hooks,
        crds=CrdPolicy(said.crds or (CrdPolicy.SKIP if said.skip_crds else CrdPolicy.CREATE)),
        create_namespace=said.create_namespace,
        replace=said.replace,
        take_ownership=not said.disable_take_ownership,
        validate_values=not said.disable_schema_validation,
        remediation=Remediation(
            retries=remediation.retries if remediation else 0,
            remedy=Remedy.UNINSTALL,
            ignore_test_failures=test.ignore_failures if ignore is None else ignore,
            remediate_last_failure=bool(remediation and remediation.remediate_last_failure),
            retry_interval=_retry_interval(ref, said.strategy, "spec.install.strategy.retryInterval"),
        ),
    )


def _upgrade(ref: ObjectRef, said: Upgrade, timeout: timedelta, test: Test) -> UpgradeRules:
    remediation = said.remediation
    ignore = remediation.ignore_test_failures if remediation else None
    last = remediation.remediate_last_failure if remediation else None
    retries = remediation.retries if remediation else 0
    return UpgradeRules(
        timeout=_duration(ref, said.timeout, "spec.upgrade.timeout", timeout),
        wait=not said.disable_wait,
        wait_for_jobs=not said.disable_wait_for_jobs,
        hooks=not said.disable_hooks,
        crds=CrdPolicy(said.crds or CrdPolicy.CREATE),
        preserve_values=said.preserve_values,
        cleanup_on_fail=said.cleanup_on_fail,
        force=said.force,
        take_ownership=not said.disable_take_ownership,
        validate_values=not said.disable_schema_validation,
        reinstall_on_rename=said.chart_name_change_strategy != "InPlaceUpdate",
        remediation=Remediation(
            retries=retries,
            remedy=Remedy((remediation.strategy if remediation else None) or Remedy.ROLLBACK),
            ignore_test_failures=test.ignore_failures if ignore is None else ignore,
            remediate_last_failure=retries > 0 if last is None else last,
            retry_interval=_retry_interval(ref, said.strategy, "spec.upgrade.strategy.retryInterval"),
        ),
    )


def _rollback(ref: ObjectRef, said: Rollback, timeout: timedelta) -> RollbackRules:
    return RollbackRules(
        timeout=_duration(ref, said.timeout, "spec.rollback.timeout", timeout),
        wait=not said.disable_wait,
        wait_for_jobs=not said.disable_wait_for_jobs,
        hooks=not said.disable_hooks,
        cleanup_on_fail=said.cleanup_on_fail,
        force=said.force,
    )


def _uninstall(ref: ObjectRef, said: Uninstall, timeout: timedelta) -> UninstallRules:
    return UninstallRules(
        timeout=_duration(ref, said.timeout, "spec.uninstall.timeout", timeout),
        wait=not said.disable_wait,
        hooks=not said.disable_hooks,
        keep_history=said.keep_history,
        propagation=(said.deletion_propagation or "background").capitalize(),
    )


def _test(ref: ObjectRef, said: Test, timeout: timedelta) -> TestingRules:
    return TestingRules(
        enable=said.enable,
        timeout=_duration(ref, said.timeout, "spec.test.timeout", timeout),
        ignore_failures=said.ignore_failures,
        filters=tuple(NamedTest(item.name, item.exclude) for item in said.filters),
    )


def _retry_interval(ref: ObjectRef, strategy: Strategy | None, field: str) -> timedelta | None:
    if strategy is None or strategy.name != "RetryOnFailure":
        if strategy is not None and strategy.retry_interval is not None:
            raise InvalidInput(
                "has a meaning with RetryOnFailure only", ref=ref, field=field, hint="remove it, or change the strategy"
            )
        return None
    return _duration(ref, strategy.retry_interval, field, RETRY_INTERVAL)


def _duration(ref: ObjectRef, text: str | None, field: str, default: timedelta) -> timedelta:
    return default if text is None else read_duration(text, ref=ref, field=field)


def _post_renderer(ref: ObjectRef, number: int, entry: PostRendererEntry) -> PostRenderer:
    said = entry.kustomize
    if said is None:
        return PostRenderer()
    return PostRenderer(
        patches=all_patches(
            ref,
            f"spec.postRenderers[{number}].kustomize",
            said.patches_strategic_merge,
            said.patches,
            said.patches_json6902,
        ),
        images=tuple(
            ImageOverride(name=i.name, new_name=i.new_name, new_tag=i.new_tag, digest=i.digest) for i in said.images
        ),
    )
