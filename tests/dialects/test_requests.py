"""What clients ask for through a resource, and how it is told from what we wrote ourselves."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.dialects.kit import merged
from trueup.controllers.backoff import retry_delay
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.registry import all_dialects, dialect_for
from trueup.model.app import Retry
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.outcome import AppStatus, State
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.revision import git_revision

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
FLUX, ARGO = FluxDialect(), ArgoCdDialect()


def kustomization(**spec: Any) -> dict[str, Any]:
    base = {"interval": "5m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "fleet"}}
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system", "generation": 1},
        "spec": {**base, **spec},
    }


def application(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "guestbook", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.com/apps", "path": "a", "targetRevision": "main"},
            "destination": {"name": "in-cluster", "namespace": "shop"},
        },
        **more,
    }


def annotated(obj: dict[str, Any], **annotations: str) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    result["metadata"]["annotations"] = {key.replace("__", "/"): value for key, value in annotations.items()}
    return result


def test_fluxs_request_is_a_token() -> None:
    obj = kustomization()
    obj["metadata"]["annotations"] = {"reconcile.fluxcd.io/requestedAt": "2026-11-23T07:00:00Z"}
    assert FLUX.read_requests(obj).token == "2026-11-23T07:00:00Z"
    obj["status"] = {"lastHandledReconcileAt": "x"}
    assert FLUX.handled_request(obj) == "x"


def test_argocds_operation_is_read_whole() -> None:
    obj = application(
        operation={
            "initiatedBy": {"username": "jane"},
            "retry": {"limit": 3, "backoff": {"duration": "10", "factor": 3, "maxDuration": "2m"}},
            "sync": {
                "revision": "abc",
                "prune": True,
                "dryRun": True,
                "syncStrategy": {"apply": {"force": True}},
                "syncOptions": ["Validate=false"],
                "resources": [{"group": "apps", "kind": "Deployment", "name": "web", "namespace": "shop"}],
            },
        }
    )
    request = ARGO.read_requests(obj).operation
    assert request is not None
    assert request.resources == (ObjectRef("apps", "Deployment", "shop", "web"),)
    assert (request.revision, request.prune, request.dry_run, request.force) == ("abc", True, True, True)
    assert (request.initiated_by, request.automated) == ("jane", False)
    rules = ARGO.requested_rules(ARGO.read_app(obj), request)
    assert (rules.prune, rules.force, rules.validate) == (True, True, False)
    assert rules.retry == Retry(first=timedelta(seconds=10), factor=3.0, maximum=timedelta(minutes=2), limit=3)


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (None, []),  # an operation that asks for no retry gets none, whatever the Application says
        ({"limit": 2}, [5, 10]),
        ({"limit": 3, "backoff": {"duration": "1s", "factor": 10, "maxDuration": "30s"}}, [1, 10, 30]),
        ({"limit": 2, "backoff": {"factor": 1}}, [5, 5]),
        ({"limit": 2, "backoff": {"factor": 0}}, [5, 5]),
    ],
)
def test_an_operation_is_tried_again_as_it_says_itself(retry: dict[str, Any] | None, waits: list[int]) -> None:
    obj = application(operation={"sync": {}, **({"retry": retry} if retry else {})})
    obj["spec"]["syncPolicy"] = {"retry": {"limit": 9, "backoff": {"duration": "7m", "maxDuration": "1h"}}}
    request = ARGO.read_requests(obj).operation
    assert request is not None
    rules = ARGO.requested_rules(ARGO.read_app(obj), request)
    delays = [retry_delay(rules.retry, failures, chance=0.5) for failures in range(1, len(waits) + 2)]
    assert delays == [*(timedelta(seconds=wait) for wait in waits), None]


@pytest.mark.parametrize(
    ("backoff", "field"),
    [
        ({"duration": "soon"}, "operation.retry.backoff.duration"),
        ({"maxDuration": "later"}, "operation.retry.backoff.maxDuration"),
    ],
)
def test_a_backoff_of_an_operation_that_cannot_be_is_named(backoff: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ARGO.read_requests(application(operation={"sync": {}, "retry": {"limit": 1, "backoff": backoff}}))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        ({"sync": {"manifests": ["kind: A"]}}, "operation.sync.manifests"),
        ({"sync": {"sources": [{}]}}, "operation.sync.sources"),
        ({"sync": {"syncOptions": ["Nonsense=true"]}}, "operation.sync.syncOptions=Nonsense=true"),
        ({"sync": {"source": {"repoURL": "https://example.com/other", "path": "a"}}}, "operation.sync.source"),
    ],
)
def test_an_operation_that_cannot_be_carried_out_yet_is_named(operation: dict[str, Any], named: str) -> None:
    with pytest.raises(NotBuiltYet, match=named.replace(".", r"\.")):
        ARGO.read_requests(application(operation=operation))


def test_a_rollback_repeats_the_source_with_another_revision() -> None:
    source = {"repoURL": "https://example.com/apps", "path": "a", "targetRevision": "v1"}
    request = ARGO.read_requests(application(operation={"sync": {"revision": "abc", "source": source}})).operation
    assert request is not None
    assert request.revision == "abc"


def test_refreshes_are_normal_or_hard() -> None:
    assert ARGO.read_requests(annotated(application(), argocd__x="")).refresh == ""
    hard = application()
    hard["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": "hard"}
    hard["metadata"]["resourceVersion"] = "8"
    assert (ARGO.read_requests(hard).refresh, ARGO.read_requests(hard).token) == ("hard", "hard@8")
    hard["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": "soon"}
    with pytest.raises(InvalidInput, match="soon"):
        ARGO.read_requests(hard)


def test_a_client_may_ask_to_terminate() -> None:
    obj = application(status={"operationState": {"phase": "Terminating", "startedAt": "x"}})
    assert ARGO.read_requests(obj).terminate
    assert ARGO.requested_digest(obj) != ARGO.requested_digest(application())


def test_our_own_status_writes_ask_for_nothing() -> None:
    status = AppStatus(
        state=State.READY, reason="x", message="", observed_generation=1, applied=git_revision("main", "a" * 40)
    )
    for dialect, obj in ((FLUX, kustomization()), (ARGO, application())):
        patch = dialect.status_patch(obj, status, NOW)
        assert patch is not None
        after = merged(obj, patch.body)
        after["metadata"]["generation"] = 99
        after["metadata"]["resourceVersion"] = "1000"
        assert dialect.requested_digest(after) == dialect.requested_digest(obj)


@pytest.mark.parametrize("dialect", [FLUX, ARGO])
def test_a_pinned_revision_is_a_request(dialect: FluxDialect | ArgoCdDialect) -> None:
    obj = kustomization() if dialect is FLUX else application()
    assert dialect.requested_digest(annotated(obj, trueup_dev__x="1")) == dialect.requested_digest(obj)
    pinned = copy.deepcopy(obj)
    pinned["metadata"]["annotations"] = {"trueup.dev/pinned-revision": "abc"}
    assert dialect.requested_digest(pinned) != dialect.requested_digest(obj)


def test_a_changed_spec_is_a_request() -> None:
    assert FLUX.requested_digest(kustomization()) != FLUX.requested_digest(kustomization(force=True))
    assert ARGO.requested_digest(application()) != ARGO.requested_digest(application(operation={"sync": {}}))


def test_suspension_is_told_even_of_a_resource_that_cannot_be_read() -> None:
    assert FLUX.suspended({"spec": {"suspend": True, "prune": "perhaps"}})
    assert not FLUX.suspended({"spec": {}})
    paused = application()
    paused["metadata"]["annotations"] = {"argocd.argoproj.io/skip-reconcile": "true"}
    assert ARGO.suspended(paused)


def test_flux_adds_its_finalizer_and_argocd_leaves_that_to_users() -> None:
    obj = kustomization()
    patch = FLUX.finalizer_patch(obj, present=True)
    assert patch is not None
    held = merged(obj, patch.body)
    assert FLUX.has_finalizer(held)
    assert FLUX.finalizer_patch(held, present=True) is None
    gone = FLUX.finalizer_patch(held, present=False)
    assert gone is not None
    assert not FLUX.has_finalizer(merged(held, gone.body))
    app = application()
    assert ARGO.finalizer_patch(app, present=True) is None
    app["metadata"]["finalizers"] = ["other", "resources-finalizer.argocd.argoproj.io/background"]
    assert ARGO.has_finalizer(app)
    released = ARGO.finalizer_patch(app, present=False)
    assert released is not None
    assert released.body == {"metadata": {"finalizers": ["other"]}}


def test_subscriptions_are_told_of_and_stop_nothing() -> None:
    obj = application()
    obj["metadata"]["annotations"] = {"notifications.argoproj.io/subscribe.on-sync-failed.slack": "ops"}
    ARGO.read_app(obj)
    assert [notice.type for notice in ARGO.read_notices(obj)] == ["NotBuiltWarning"]


def test_a_kind_finds_its_dialect() -> None:
    dialects = all_dialects()
    found = {
        kind: dialect_for(GroupKind(group, kind), dialects)
        for group, kind in (
            ("kustomize.toolkit.fluxcd.io", "Kustomization"),
            ("source.toolkit.fluxcd.io", "GitRepository"),
            ("argoproj.io", "Application"),
            ("kustomize.config.k8s.io", "Component"),
        )
    }
    assert {kind: dialect.name if dialect else None for kind, dialect in found.items()} == {
        "Kustomization": "flux",
        "GitRepository": "flux",
        "Application": "argocd",
        "Component": None,
    }
