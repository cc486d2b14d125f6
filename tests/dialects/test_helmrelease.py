"""HelmRelease: what its fields mean, what its status says, and that the status is read back as it was meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from tests.sync.releases.releases import snapshot
from trueup.dialects.flux.helmdialect import FluxHelmDialect
from trueup.dialects.flux.helmrelease import read_helm_release
from trueup.dialects.flux.helmrelease_status import stored_release
from trueup.model.app import KindOrder
from trueup.model.conditions import contradictions
from trueup.model.errors import InvalidInput
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.outcome import AppStatus, State
from trueup.model.refs import ObjectRef
from trueup.model.release import CrdPolicy, DriftMode, PostRenderStrategy, ReleaseSpec, Remedy
from trueup.model.releaserecord import ReleaseTest
from trueup.model.releasestate import Attempt, Mark, ReleaseState
from trueup.model.target import KubeconfigMap, KubeconfigSecret

DIALECT = FluxHelmDialect()
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHART = {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}


def resource(version: str = "v2", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"helm.toolkit.fluxcd.io/{version}",
        "kind": "HelmRelease",
        "metadata": {"name": "web", "namespace": "shop", "generation": 3},
        "spec": {"interval": "10m", **({} if "chartRef" in spec else {"chart": CHART}), **spec},
    }


def release(**spec: Any) -> ReleaseSpec:
    found = read_helm_release(resource(**spec)).release
    assert found is not None
    return found


def test_the_defaults_are_fluxs() -> None:
    app = read_helm_release(resource())
    spec = app.release
    assert spec is not None
    assert (spec.name, spec.namespace, spec.storage_namespace, spec.max_history) == ("web", "shop", "shop", 5)
    assert spec.install.timeout == spec.test.timeout == timedelta(minutes=5)
    assert spec.install.crds is spec.upgrade.crds is CrdPolicy.CREATE
    assert spec.install.wait
    assert spec.upgrade.wait_for_jobs
    assert not spec.install.create_namespace
    assert spec.install.remediation.retries == spec.upgrade.remediation.retries == 0
    assert spec.install.remediation.remedy is Remedy.UNINSTALL
    assert spec.upgrade.remediation.remedy is Remedy.ROLLBACK
    assert spec.drift is DriftMode.DISABLED
    assert spec.post_render_strategy is PostRenderStrategy.COMBINED
    assert not spec.test.enable
    rules = app.rules
    assert (rules.field_manager, rules.kind_order, rules.default_namespace) == (
        "helm-controller",
        KindOrder.HELM,
        "shop",
    )
    assert rules.prune
    assert not rules.self_heal
    assert rules.owner.labels == {"app.kubernetes.io/managed-by": "Helm"}
    assert rules.owner.annotations == {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}


@pytest.mark.parametrize(
    ("spec", "name", "namespace", "storage"),
    [
        ({}, "web", "shop", "shop"),
        ({"targetNamespace": "prod"}, "prod-web", "prod", "shop"),
        ({"releaseName": "mine", "targetNamespace": "prod"}, "mine", "prod", "shop"),
        ({"storageNamespace": "helm"}, "web", "shop", "helm"),
    ],
)
def test_where_a_release_goes_and_how_it_is_called(
    spec: dict[str, Any], name: str, namespace: str, storage: str
) -> None:
    found = release(**spec)
    assert (found.name, found.namespace, found.storage_namespace) == (name, namespace, storage)


def test_a_chart_template_becomes_the_helmchart_that_flux_would_make() -> None:
    template = {
        "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
        "spec": {
            "chart": "web", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "charts", "namespace": "infra"},
            "interval": "1h", "valuesFile": "a.yaml", "valuesFiles": ["b.yaml"], "reconcileStrategy": "Revision",
            "ignoreMissingValuesFiles": True, "verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
        },
    }  # fmt: skip
    app = read_helm_release(resource(chart=template))
    assert app.source == ObjectRef("source.toolkit.fluxcd.io", "HelmChart", "infra", "shop-web")
    assert app.release is not None
    made = app.release.chart_object
    assert made is not None
    assert (made["metadata"]["namespace"], made["metadata"]["name"]) == ("infra", "shop-web")
    assert made["metadata"]["labels"] == {
        "team": "a", "helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop",
    }  # fmt: skip
    assert made["metadata"]["annotations"] == {"note": "b"}
    assert made["spec"] == {
        "chart": "web", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "charts"}, "interval": "1h",
        "reconcileStrategy": "Revision", "valuesFiles": ["a.yaml", "b.yaml"], "ignoreMissingValuesFiles": True,
        "verify": {"provider": "cosign", "secretRef": {"name": "keys"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "digested"), [("OCIRepository", True), ("HelmChart", False), ("ExternalArtifact", True)]
)
def test_a_chart_may_be_referred_to(kind: str, digested: bool) -> None:
    app = read_helm_release(resource(chartRef={"kind": kind, "name": "web", "namespace": "infra"}))
    assert app.source == ObjectRef("source.toolkit.fluxcd.io", kind, "infra", "web")
    assert app.release is not None
    assert app.release.chart_object is None
    assert app.release.artifact_digest is digested


def test_one_chart_must_be_named_and_only_one() -> None:
    both = resource()
    both["spec"]["chartRef"] = {"kind": "HelmChart", "name": "web"}
    none = resource()
    del none["spec"]["chart"]
    for obj in (both, none):
        with pytest.raises(InvalidInput, match="either chart or chartRef"):
            read_helm_release(obj)


@pytest.mark.parametrize(
    ("upgrade", "retries", "last", "remedy"),
    [
        ({}, 0, False, Remedy.ROLLBACK),
        ({"remediation": {"retries": 3}}, 3, True, Remedy.ROLLBACK),
        ({"remediation": {"retries": 3, "remediateLastFailure": False}}, 3, False, Remedy.ROLLBACK),
        ({"remediation": {"remediateLastFailure": True, "strategy": "uninstall"}}, 0, True, Remedy.UNINSTALL),
    ],
)
def test_the_last_failure_is_remedied_by_default_where_there_are_retries(
    upgrade: dict[str, Any], retries: int, last: bool, remedy: Remedy
) -> None:
    found = release(upgrade=upgrade).upgrade.remediation
    assert (found.retries, found.remediate_last_failure, found.remedy) == (retries, last, remedy)


def test_retry_on_failure_has_an_interval_and_no_remedy() -> None:
    again = {"strategy": {"name": "RetryOnFailure"}}
    assert release(install=again).install.remediation.retry_interval == timedelta(minutes=5)
    again["strategy"]["retryInterval"] = "90s"
    assert release(upgrade=again).upgrade.remediation.retry_interval == timedelta(seconds=90)
    with pytest.raises(InvalidInput, match="RetryOnFailure"):
        release(install={"strategy": {"name": "RemediateOnFailure", "retryInterval": "1m"}})


def test_ignored_test_failures_are_said_once_or_for_each_action() -> None:
    found = release(
        test={"enable": True, "ignoreFailures": True, "filters": [{"name": "slow", "exclude": True}]},
        upgrade={"remediation": {"ignoreTestFailures": False}},
    )
    assert found.install.remediation.ignore_test_failures
    assert not found.upgrade.remediation.ignore_test_failures
    assert [(each.name, each.exclude) for each in found.test.filters] == [("slow", True)]


def test_an_older_version_of_the_resource_says_the_same_in_its_words() -> None:
    obj = resource("v2beta1", install={"skipCRDs": True}, postRenderers=[{"kustomize": {
        "patchesStrategicMerge": [{"kind": "Deployment", "metadata": {"name": "web"}}],
        "patchesJson6902": [{"patch": [{"op": "remove", "path": "/spec/replicas"}], "target": {"kind": "Deployment"}}],
        "images": [{"name": "nginx", "newTag": "2"}],
    }}])  # fmt: skip
    found = read_helm_release(obj).release
    assert found is not None
    assert found.install.crds is CrdPolicy.SKIP
    (renderer,) = found.post_renderers
    assert [bool(patch.target) for patch in renderer.patches] == [False, True]
    assert renderer.images[0].new_tag == "2"


def test_another_cluster_is_a_secret_or_a_config_map_of_the_same_namespace() -> None:
    found = read_helm_release(resource("v2beta1", kubeConfig={"secretRef": {"name": "a", "key": "config"}}))
    assert found.target == KubeconfigSecret(ObjectRef("", "Secret", "shop", "a"), "config")
    found = read_helm_release(resource(kubeConfig={"configMapRef": {"name": "b"}}))
    assert found.target == KubeconfigMap(ObjectRef("", "ConfigMap", "shop", "b"))
    for wrong in ({}, {"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}):
        with pytest.raises(InvalidInput, match="exactly one"):
            read_helm_release(resource(kubeConfig=wrong))


def test_requests_to_force_or_reset_count_once_and_only_with_a_reconcile() -> None:
    obj = resource()
    notes = obj["metadata"].setdefault("annotations", {})
    notes |= {
        "reconcile.fluxcd.io/requestedAt": "2",
        "reconcile.fluxcd.io/forceAt": "2",
        "reconcile.fluxcd.io/resetAt": "1",
    }
    asked = DIALECT.read_requests(obj)
    assert (asked.token, asked.force, asked.reset) == ("2", "2", "")
    obj["status"] = {"lastHandledForceAt": "2"}
    assert DIALECT.read_requests(obj).force == ""


STATE = ReleaseState(
    history=(
        snapshot(
            2,
            tests=(
                ReleaseTest(name="probe", started_at="2026-01-01T00:00:00Z", phase="Succeeded"),
                ReleaseTest(name="other"),
            ),
        ),
        snapshot(1, status="superseded", action="install"),
    ),
    attempt=Attempt(
        generation=3, revision="1.0.0", artifact_digest="sha256:a", config_digest="sha256:c", action="upgrade"
    ),
    failures=2,
    install_failures=1,
    upgrade_failures=1,
    handled_force="f",
    handled_reset="r",
    storage_namespace="shop",
    post_render_digest="sha256:p",
    chart_object="infra/shop-web",
    released=Mark(True, "UpgradeSucceeded", "Helm upgrade succeeded"),
    tested=Mark(True, "TestSucceeded", "Helm test succeeded"),
)


def status(state: State = State.READY, reason: str = "TestSucceeded", **fields: Any) -> AppStatus:
    return AppStatus(
        **{"state": state, "reason": reason, "message": "said", "observed_generation": 3, "release": STATE, **fields}
    )


def written(obj: dict[str, Any], said: AppStatus) -> dict[str, Any]:
    """The resource with the patch merged."""
    patch = DIALECT.status_patch(obj, said, NOW)
    assert patch is not None
    merged = {
        key: value for key, value in {**obj.get("status", {}), **patch.body["status"]}.items() if value is not None
    }
    return {**obj, "status": merged}


def test_what_a_status_remembers_is_read_back() -> None:
    obj = written(resource(), status())
    read = stored_release(obj)
    tests = tuple(sorted(STATE.history[0].tests or (), key=lambda run: run.name))
    wanted = structs.replace(STATE, history=(structs.replace(STATE.history[0], tests=tests), STATE.history[1]))
    assert read == wanted
    assert DIALECT.status_patch(obj, status(), NOW) is None, "an equal status is no write"


def test_definitions_are_in_the_inventory_beside_the_objects() -> None:
    crd = InventoryEntry(ObjectRef("apiextensions.k8s.io", "CustomResourceDefinition", "", "things.example.com"), "v1")
    one = InventoryEntry(ObjectRef("", "ConfigMap", "shop", "web"), "v1")
    state = structs.replace(STATE, crds=(crd,))
    obj = written(resource(), status(inventory=Inventory.of([one]), release=state))
    assert [row["id"] for row in obj["status"]["inventory"]["entries"]] == [
        "_things.example.com_apiextensions.k8s.io_CustomResourceDefinition", "shop_web__ConfigMap",
    ]  # fmt: skip


ROLLED_BACK = structs.replace(
    STATE,
    released=Mark(False, "UpgradeFailed", "it failed"),
    tested=None,
    remediated=Mark(True, "RollbackSucceeded", "rolled back"),
)


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        (
            status(),
            {
                "Ready": ("True", "TestSucceeded"), "Released": ("True", "UpgradeSucceeded"),
                "TestSuccess": ("True", "TestSucceeded"),
            },
        ),
        (
            status(State.PROGRESSING, "Progressing", release=ReleaseState()),
            {"Ready": ("Unknown", "Progressing"), "Reconciling": ("True", "Progressing")},
        ),
        (
            status(State.STALLED, "RetriesExceeded", release=ROLLED_BACK),
            {
                "Ready": ("False", "RollbackSucceeded"), "Stalled": ("True", "RetriesExceeded"),
                "Released": ("False", "UpgradeFailed"), "Remediated": ("True", "RollbackSucceeded"),
            },
        ),
        (
            status(State.RETRYING, "InstallFailed", release=ReleaseState(released=Mark(False, "InstallFailed", "no"))),
            {
                "Ready": ("False", "InstallFailed"), "Reconciling": ("True", "ProgressingWithRetry"),
                "Released": ("False", "InstallFailed"),
            },
        ),
        (
            status(State.WAITING, "SourceNotReady", release=ReleaseState()),
            {"Ready": ("False", "ArtifactFailed"), "Reconciling": ("True", "ProgressingWithRetry")},
        ),
        (
            status(State.STALLED, "StorageFailed", release=STATE),
            {
                "Ready": ("False", "StorageFailed"), "Stalled": ("True", "StorageFailed"),
                "Released": ("True", "UpgradeSucceeded"), "TestSuccess": ("True", "TestSucceeded"),
            },
        ),
    ],
)  # fmt: skip
def test_conditions_say_how_each_action_ended_and_which_of_them_counts(
    said: AppStatus, rows: dict[str, tuple[str, str]]
) -> None:
    obj = written(resource(), said)
    found = {row["type"]: (row["status"], row["reason"]) for row in obj["status"]["conditions"]}
    assert found == rows
    assert not contradictions(obj["status"], 3)


def test_the_status_of_an_older_version_is_put_away() -> None:
    obj = resource("v2beta1") | {
        "status": {"lastAppliedRevision": "1.0.0", "lastReleaseRevision": 4, "helmChart": "a/b"}
    }
    assert stored_release(obj).latest is None, "what it released is taken over by an upgrade"
    after = written(obj, status())["status"]
    assert "lastReleaseRevision" not in after
    assert "lastAppliedRevision" not in after


def test_the_command_line_is_told_of_releases() -> None:
    obj = written(resource(), status())
    revision = DIALECT.stored_applied_revision(obj)
    assert revision is not None
    assert revision.short == "1.0.0"
    assert [(entry.id, entry.succeeded) for entry in DIALECT.stored_history(obj)] == [(1, True), (2, True)]
