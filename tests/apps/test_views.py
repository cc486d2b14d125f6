"""An App and a source in one word, for both dialects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.kit import COMMIT, NOW, OTHER, application, condition, kustomization
from trueup.apps.status import Status
from trueup.apps.views import view_app, view_source
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.flux.dialect import FluxDialect


def flux(*conditions: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return kustomization(status={"conditions": list(conditions), **parts.pop("status", {})}, **parts)


READY = condition("Ready", "True", "ReconciliationSucceeded", "Applied")
FLUX_CASES = {
    "ready": (flux(READY), Status.READY, "Applied"),
    "never looked at": (flux(), Status.UNKNOWN, "waiting to be looked at by a controller"),
    "at work": (
        flux(
            condition("Reconciling", "True", "Progressing", "Applying manifests"),
            condition("Ready", "Unknown", "Progressing", "Reconciliation in progress"),
            status={"observedGeneration": -1},
        ),
        Status.PROGRESSING,
        "Applying manifests",
    ),
    "failed, tried again": (
        flux(
            condition("Reconciling", "True", "ProgressingWithRetry", "no such path"),
            condition("Ready", "False", "BuildFailed", "no such path"),
        ),
        Status.FAILED,
        "no such path",
    ),
    "stalled": (
        flux(
            condition("Stalled", "True", "InvalidInput", "spec.path is wrong"),
            condition("Ready", "False", "InvalidInput", "spec.path is wrong"),
        ),
        Status.STALLED,
        "spec.path is wrong",
    ),
    "a new spec that nobody has looked at": (
        flux(READY, metadata={"generation": 2}),
        Status.PROGRESSING,
        "a new spec is waiting to be looked at",
    ),
    "suspended": (flux(READY, spec={"suspend": True}), Status.SUSPENDED, "Applied"),
    "deleting": (flux(READY, metadata={"deletionTimestamp": "2026-11-23T11:00:00Z"}), Status.DELETING, "Applied"),
}
ARGOCD_CASES = {
    "synced and well": (application(), Status.READY, "successfully synced (all tasks run)"),
    "never looked at": (
        {**application(), "status": {}},
        Status.UNKNOWN,
        "waiting to be looked at by a controller",
    ),
    "asked for": (
        application(more={"operation": {"sync": {}}}),
        Status.PROGRESSING,
        "successfully synced (all tasks run)",
    ),
    "syncing": (
        application(status={"operationState": {"phase": "Running", "message": "syncing"}}),
        Status.PROGRESSING,
        "syncing",
    ),
    "out of sync": (
        application(status={"sync": {"status": "OutOfSync", "revision": OTHER}}),
        Status.OUT_OF_SYNC,
        "it differs from Git",
    ),
    "degraded, and which object is": (
        application(
            status={
                "health": {"status": "Degraded"},
                "resources": [
                    {"kind": "Service", "namespace": "shop", "name": "web", "health": {"status": "Healthy"}},
                    {
                        "kind": "Deployment",
                        "namespace": "shop",
                        "name": "web",
                        "health": {"status": "Degraded", "message": "crash loop"},
                    },
                ],
            }
        ),
        Status.DEGRADED,
        "Deployment/shop/web: crash loop",
    ),
    "a render that failed": (
        application(status={"conditions": [{"type": "ComparisonError", "message": "apps/web.yaml:3: tab"}]}),
        Status.FAILED,
        "apps/web.yaml:3: tab",
    ),
    "a spec that cannot be": (
        application(status={"conditions": [{"type": "InvalidSpecError", "message": "spec.sources is not built yet"}]}),
        Status.STALLED,
        "spec.sources is not built yet",
    ),
    "a warning is no error": (
        application(status={"conditions": [{"type": "SharedResourceWarning", "message": "shared"}]}),
        Status.READY,
        "successfully synced (all tasks run)",
    ),
    "left alone": (
        application(annotations={"argocd.argoproj.io/skip-reconcile": "true"}),
        Status.SUSPENDED,
        "successfully synced (all tasks run)",
    ),
}


@pytest.mark.parametrize("case", FLUX_CASES)
def test_a_kustomization_in_one_word(case: str) -> None:
    obj, status, message = FLUX_CASES[case]
    view = view_app(obj, FluxDialect(), NOW)
    assert (view.status, view.message) == (status, message)


@pytest.mark.parametrize("case", ARGOCD_CASES)
def test_an_application_in_one_word(case: str) -> None:
    obj, status, message = ARGOCD_CASES[case]
    view = view_app(obj, ArgoCdDialect(), NOW)
    assert (view.status, view.message) == (status, message)


def test_both_dialects_tell_the_revision() -> None:
    for obj, dialect in ((kustomization(), FluxDialect()), (application(), ArgoCdDialect())):
        revision = view_app(obj, dialect, NOW).revision
        assert revision is not None
        assert revision.digest == COMMIT


@pytest.mark.parametrize(("until", "in_force"), [("2026-11-23T13:00:00Z", True), ("2026-11-23T11:00:00Z", False)])
def test_a_pin_is_shown_while_it_is_in_force(until: str, in_force: bool) -> None:
    obj = kustomization(annotations={"trueup.dev/pin": f"main@sha1:{OTHER}", "trueup.dev/pin-until": until})
    assert (view_app(obj, FluxDialect(), NOW).pin is not None) is in_force


def test_a_source_in_one_word() -> None:
    obj = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": "shop", "generation": 1},
        "spec": {"url": "https://git.example.com/shop.git"},
        "status": {
            "observedGeneration": 1,
            "artifact": {"revision": f"main@sha1:{COMMIT}"},
            "conditions": [condition("Ready", "True", "Succeeded", "stored artifact")],
        },
    }
    view = view_source(obj)
    assert view.status is Status.READY
    assert view.url == "https://git.example.com/shop.git"
    assert view.revision is not None
    assert view.revision.short == "main@1a2b3c4"


def test_a_registry_of_charts_is_ready_once_its_status_is_gone() -> None:
    registry = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "shop"},
        "spec": {"type": "oci", "url": "oci://registry.example.com/charts"},
    }
    assert view_source({**registry, "status": {"observedGeneration": -1}}).status is Status.UNKNOWN
    assert view_source({**registry, "status": {}}).status is Status.READY


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"url": "https://example.com/shop.git"}, "https://example.com/shop.git"),
        ({"bucketName": "shop", "endpoint": "minio:9000"}, "minio:9000/shop"),
        ({"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}, "web of HelmRepository/charts"),
    ],
)
def test_each_kind_of_source_says_where_it_is(spec: dict[str, Any], place: str) -> None:
    obj = {"apiVersion": "v1", "kind": "Any", "metadata": {"name": "a", "namespace": "b"}, "spec": spec}
    assert view_source(obj).url == place
