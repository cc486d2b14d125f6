"""A Helm release as its resource declares it: which chart and values, and by which rules it is installed and kept.

Pure vocabulary. What is to be done next is decided by `sync.releases`; Helm's own record of a release is
`model.releaserecord`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.rendering import CommonMetadata, ImageOverride, Patch, PatchTarget


class CrdPolicy(StrEnum):
    """What becomes of the chart's `crds/` directory."""

    SKIP = "Skip"
    CREATE = "Create"
    CREATE_REPLACE = "CreateReplace"


class Remedy(StrEnum):
    """How a failed upgrade is remedied; a failed install is always uninstalled."""

    ROLLBACK = "rollback"
    UNINSTALL = "uninstall"


class DriftMode(StrEnum):
    ENABLED = "enabled"
    WARN = "warn"
    DISABLED = "disabled"


class PostRenderStrategy(StrEnum):
    """What post-renderers see: manifests alone, hooks and manifests in one stream, or each in a stream of its own."""

    NO_HOOKS = "nohooks"
    COMBINED = "combined"
    SEPARATE = "separate"


class ValuesSource(Struct, frozen=True, kw_only=True):
    """One entry of `valuesFrom`: a key of a ConfigMap or Secret."""

    ref: ObjectRef
    key: str = "values.yaml"
    target_path: str = ""
    literal: bool = False
    optional: bool = False


class PostRenderer(Struct, frozen=True, kw_only=True):
    """One Kustomize post-renderer: patches, then images."""

    patches: tuple[Patch, ...] = ()
    images: tuple[ImageOverride, ...] = ()


class IgnoreRule(Struct, frozen=True, kw_only=True):
    """JSON pointers that drift detection leaves out; `target` None: of every object."""

    paths: tuple[str, ...]
    target: PatchTarget | None = None


class Remediation(Struct, frozen=True, kw_only=True):
    """`retries` below zero: for ever. `retry_interval` set: failures are tried again so, and remedied never."""

    retries: int = 0
    remedy: Remedy = Remedy.UNINSTALL
    ignore_test_failures: bool = False
    remediate_last_failure: bool = False
    retry_interval: timedelta | None = None

    def is_exhausted(self, failures: int) -> bool:
        return self.retries >= 0 and failures > self.retries


class ActionRules(Struct, frozen=True, kw_only=True):
    """What install, upgrade, rollback, test and uninstall have in common."""

    timeout: timedelta
    wait: bool = True
    wait_for_jobs: bool = True
    hooks: bool = True


class InstallRules(ActionRules, frozen=True, kw_only=True):
    crds: CrdPolicy = CrdPolicy.CREATE
    create_namespace: bool = False
    replace: bool = False
    take_ownership: bool = True
    validate_values: bool = True
    remediation: Remediation = Remediation()


class UpgradeRules(ActionRules, frozen=True, kw_only=True):
    crds: CrdPolicy = CrdPolicy.CREATE
    preserve_values: bool = False
    cleanup_on_fail: bool = False
    force: bool = False
    take_ownership: bool = True
    validate_values: bool = True
    reinstall_on_rename: bool = True
    """Another chart's name means another release: the old one is uninstalled first."""
    remediation: Remediation = Remediation(remedy=Remedy.ROLLBACK)


class RollbackRules(ActionRules, frozen=True, kw_only=True):
    cleanup_on_fail: bool = False
    force: bool = False


class UninstallRules(ActionRules, frozen=True, kw_only=True):
    keep_history: bool = False
    propagation: str = "Background"


class NamedTest(Struct, frozen=True):
    name: str
    exclude: bool = False


class TestingRules(Struct, frozen=True, kw_only=True):
    enable: bool = False
    timeout: timedelta
    ignore_failures: bool = False
    filters: tuple[NamedTest, ...] = ()


class ReleaseSpec(Struct, frozen=True, kw_only=True):
    """Everything about a release that its resource decides, besides the source of its chart."""

    name: str
    namespace: str
    """Where its objects go that name no namespace."""
    storage_namespace: str
    chart_object: Manifest | None = None
    """The HelmChart to make of a chart template; it is the source of the release."""
    values: dict[str, Any] = {}
    values_from: tuple[ValuesSource, ...] = ()
    install: InstallRules
    upgrade: UpgradeRules
    rollback: RollbackRules
    uninstall: UninstallRules
    test: TestingRules
    max_history: int = 5
    """Release records to keep; 0: all."""
    drift: DriftMode = DriftMode.DISABLED
    ignore: tuple[IgnoreRule, ...] = ()
    post_renderers: tuple[PostRenderer, ...] = ()
    post_render_strategy: PostRenderStrategy = PostRenderStrategy.COMBINED
    origin_labels: dict[str, str] = {}
    common_metadata: CommonMetadata = CommonMetadata()
    artifact_digest: bool = False
    """The chart comes from an artifact, whose digest, where its revision tells one, is appended to the chart's version."""
