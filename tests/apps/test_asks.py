"""What is asked of an App in its dialect's words, and when the answer has come."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.kit import NOW, application, condition, kustomization
from trueup.apps.asks import (
    Ask,
    Outcome,
    ready_outcome,
    refresh_outcome,
    request_refresh,
    request_suspension,
    request_sync,
    sync_outcome,
)
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.argocd.operation import read_operation
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.patching import overlaid
from trueup.model.errors import InvalidInput

FLUX, ARGOCD = FluxDialect(), ArgoCdDialect()


def patched(obj: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """RFC 7386 on a resource, for one or two levels as our patches have them."""

    def merge(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        merged = {
            key: merge(before.get(key) or {}, value) if isinstance(value, dict) else value
            for key, value in after.items()
        }
        return overlaid(before, merged)

    return merge(obj, ask.patch)


def test_flux_is_asked_by_an_annotation_that_the_dialect_reads_as_a_request() -> None:
    ask = request_sync(kustomization(), FLUX, NOW, who="somchai")
    assert FLUX.read_requests(patched(kustomization(), ask)).token == ask.token != ""


def test_two_requests_to_flux_are_never_the_same() -> None:
    later = NOW.replace(microsecond=1)
    assert (
        request_sync(kustomization(), FLUX, NOW, who="a").token
        != request_sync(kustomization(), FLUX, later, who="a").token
    )


@pytest.mark.parametrize(
    ("automated_prunes", "asked", "prunes"),
    [(True, None, True), (False, None, False), (False, True, True), (True, False, False)],
)
def test_argo_cd_is_asked_by_an_operation_that_prunes_as_the_app_says_unless_told(
    automated_prunes: bool, asked: bool | None, prunes: bool
) -> None:
    obj = application(
        spec={"syncPolicy": {"automated": {"prune": automated_prunes}}}, metadata={"resourceVersion": "7"}
    )
    ask = request_sync(obj, ARGOCD, NOW, who="somchai", prune=asked)
    operation = read_operation(patched(obj, ask))
    assert operation is not None
    assert (operation.prune, operation.initiated_by, operation.automated) == (prunes, "somchai", False)
    assert ask.patch["metadata"]["resourceVersion"] == "7", "another operation that came meanwhile must not be lost"


@pytest.mark.parametrize(
    ("obj", "dialect", "complaint"),
    [
        (kustomization(spec={"suspend": True}), FLUX, "suspended"),
        (application(annotations={"argocd.argoproj.io/skip-reconcile": "true"}), ARGOCD, "suspended"),
        (application(more={"operation": {"sync": {}}}), ARGOCD, "another sync is under way"),
    ],
)
def test_what_cannot_be_asked_now_says_why(obj: dict[str, Any], dialect: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        request_sync(obj, dialect, NOW, who="somchai")


def test_whether_to_prune_is_no_question_for_flux() -> None:
    with pytest.raises(InvalidInput, match=r"spec\.prune"):
        request_sync(kustomization(), FLUX, NOW, who="somchai", prune=True)


ASK = Ask({}, "t2")
FAILED = [condition("Ready", "False", "BuildFailed", "no such path")]
FLUX_OUTCOMES = {
    "not yet seen": ({"lastHandledReconcileAt": "t1"}, None),
    "done": ({"lastHandledReconcileAt": "t2"}, True),
    "failed": ({"lastHandledReconcileAt": "t2", "conditions": FAILED}, False),
    "an old failure is no answer": ({"lastHandledReconcileAt": "t1", "conditions": FAILED}, None),
    "still waiting for health": (
        {"lastHandledReconcileAt": "t2", "conditions": [condition("Ready", "Unknown", "Progressing")]},
        None,
    ),
}


@pytest.mark.parametrize("case", FLUX_OUTCOMES)
def test_the_answer_of_flux(case: str) -> None:
    status, succeeded = FLUX_OUTCOMES[case]
    outcome = sync_outcome(kustomization(status=status), FLUX, ASK, NOW)
    assert (outcome.succeeded if outcome else None) is succeeded


def test_the_answer_of_argo_cd_comes_when_the_operation_is_gone() -> None:
    running = application(more={"operation": {"sync": {}}})
    assert sync_outcome(running, ARGOCD, ASK, NOW) is None
    assert sync_outcome(application(), ARGOCD, ASK, NOW) == Outcome(True, "successfully synced (all tasks run)")


def test_a_failed_sync_of_argo_cd_names_the_objects() -> None:
    rows = [
        {"kind": "Deployment", "namespace": "shop", "name": "web", "status": "SyncFailed", "message": "immutable"},
        {"kind": "Namespace", "name": "shop", "status": "SyncFailed", "message": "forbidden"},
        {"kind": "Service", "namespace": "shop", "name": "web", "status": "Synced", "message": "configured"},
    ]
    obj = application(
        status={"operationState": {"phase": "Failed", "message": "2 objects", "syncResult": {"resources": rows}}}
    )
    assert sync_outcome(obj, ARGOCD, ASK, NOW) == Outcome(
        False, "Deployment/shop/web: immutable\nNamespace/shop: forbidden"
    )


def test_a_refresh_is_done_when_its_annotation_is_gone() -> None:
    ask = request_refresh(NOW)
    asked = patched(application(), ask)
    assert ARGOCD.read_requests(asked).refresh == "normal"
    assert refresh_outcome(asked, ask) is None
    assert refresh_outcome(application(), ask) is not None


@pytest.mark.parametrize(("obj", "dialect"), [(kustomization(), FLUX), (application(), ARGOCD)])
def test_suspending_and_resuming_are_what_the_dialect_reads(obj: dict[str, Any], dialect: Any) -> None:
    suspend = request_suspension(obj, dialect, NOW, is_source=False, suspend=True)
    assert suspend is not None
    suspended = patched(obj, suspend)
    assert dialect.suspended(suspended)
    assert request_suspension(suspended, dialect, NOW, is_source=False, suspend=True) is None, "it is so already"
    resume = request_suspension(suspended, dialect, NOW, is_source=False, suspend=False)
    assert resume is not None
    assert not dialect.suspended(patched(suspended, resume))


def test_resuming_asks_flux_to_look_at_what_changed_meanwhile() -> None:
    resume = request_suspension(kustomization(spec={"suspend": True}), FLUX, NOW, is_source=False, suspend=False)
    assert resume is not None
    assert resume.token


@pytest.mark.parametrize(
    ("obj", "dialect", "outcome"),
    [
        (kustomization(), FLUX, True),
        (kustomization(status={"conditions": FAILED}), FLUX, False),
        (application(status={"sync": {"status": "OutOfSync"}}), ARGOCD, True),
        (application(status={"health": {"status": "Degraded"}}), ARGOCD, False),
        (application(status={"health": {"status": "Progressing"}}), ARGOCD, None),
    ],
)
def test_the_end_of_what_is_under_way(obj: dict[str, Any], dialect: Any, outcome: bool | None) -> None:
    found = ready_outcome(obj, dialect, NOW)
    assert (found.succeeded if found else None) is outcome
