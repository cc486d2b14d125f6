"""Outcomes -> status patches, in each dialect's words. The cases are files; every patch is exact."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.dialects.kit import cases, merged
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.conditions import contradictions
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.outcome import AppStatus, Artifact, SourceStatus, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import git_revision
from trueup.model.snapshot import Details

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
DIALECTS: dict[str, Dialect] = {"flux": FluxDialect(), "argocd": ArgoCdDialect()}
WEB = InventoryEntry(ObjectRef("apps", "Deployment", "shop", "web"), "v1")
ROLE = InventoryEntry(ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "system:web"), "v1")


@pytest.mark.parametrize("case", cases("statuses"))
def test_an_outcome_is_written_with_the_smallest_patch(case: dict[str, Any]) -> None:
    dialect, status = DIALECTS[case["dialect"]], msgspec.convert(case["status"], AppStatus)
    untouched = copy.deepcopy(case["object"])
    patch = dialect.status_patch(case["object"], status, NOW)
    assert patch is not None
    assert {"subresource": patch.subresource, "body": patch.body} == case["patch"]
    assert case["object"] == untouched


@pytest.mark.parametrize("case", cases("statuses"))
def test_a_status_that_was_written_is_not_written_again(case: dict[str, Any]) -> None:
    dialect, status = DIALECTS[case["dialect"]], msgspec.convert(case["status"], AppStatus)
    patch = dialect.status_patch(case["object"], status, NOW)
    assert patch is not None
    after = merged(case["object"], patch.body)
    assert dialect.status_patch(after, status, NOW + timedelta(minutes=5)) is None


@pytest.mark.parametrize("case", [case for case in cases("statuses") if case.values[0]["dialect"] == "flux"])
def test_a_flux_status_never_contradicts_itself(case: dict[str, Any]) -> None:
    status = msgspec.convert(case["status"], AppStatus)
    patch = DIALECTS["flux"].status_patch(case["object"], status, NOW)
    assert patch is not None
    after = merged(case["object"], patch.body)
    assert contradictions(after["status"], after["metadata"]["generation"]) == []


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_no_succession_of_states_leaves_a_contradiction(before: State, after: State) -> None:
    obj: dict[str, Any] = {"metadata": {"name": "a", "namespace": "b", "generation": 1}}
    for state in (before, after):
        for dialect, make in (("flux", app_status), ("flux", source_status)):
            status = make(state)
            patch = (
                DIALECTS[dialect].status_patch(obj, status, NOW)
                if isinstance(status, AppStatus)
                else DIALECTS[dialect].source_status_patch({**obj, **A_GIT_REPOSITORY}, status, NOW)
            )
            result = merged(obj, patch.body if patch else {})
            assert contradictions(result["status"], 1) == []
        patch = DIALECTS["flux"].status_patch(obj, app_status(state), NOW)
        obj = merged(obj, patch.body if patch else {})


A_GIT_REPOSITORY = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}


def app_status(state: State) -> AppStatus:
    return AppStatus(
        state=state, reason="ReconciliationFailed", message="why", observed_generation=1, waits_for_health=True
    )


def source_status(state: State) -> SourceStatus:
    return SourceStatus(
        state=state,
        reason="FetchFailed",
        message="why",
        observed_generation=1,
        fetch_failed=state is State.RETRYING,
        artifact=ARTIFACT,
    )


ARTIFACT = Artifact(
    revision=git_revision("main", "a" * 40),
    path="gitrepository/flux-system/fleet/aaaa.tar.gz",
    url="http://trueup/aaaa.tar.gz",
    digest="gittree:" + "b" * 40,
    size=None,
    last_update=NOW,
)


def test_a_source_names_its_stored_artifact() -> None:
    obj = {
        **A_GIT_REPOSITORY,
        "metadata": {"name": "fleet", "namespace": "flux-system", "generation": 1},
        "spec": {"ignore": "*.md", "sparseCheckout": ["apps"]},
    }
    status = SourceStatus(
        state=State.READY,
        reason="Succeeded",
        message="",
        observed_generation=1,
        artifact=ARTIFACT,
        handled_request="now",
    )
    patch = FluxDialect().source_status_patch(obj, status, NOW)
    assert patch is not None
    assert patch.subresource == "status"
    message = f"stored artifact for revision 'main@sha1:{'a' * 40}'"
    row = {"status": "True", "reason": "Succeeded", "message": message, "observedGeneration": 1}
    assert patch.body["status"] == {
        "observedGeneration": 1,
        "conditions": [
            {"type": "Ready", **row, "lastTransitionTime": "2026-11-23T07:00:00Z"},
            {"type": "ArtifactInStorage", **row, "lastTransitionTime": "2026-11-23T07:00:00Z"},
        ],
        "artifact": {
            "path": "gitrepository/flux-system/fleet/aaaa.tar.gz",
            "url": "http://trueup/aaaa.tar.gz",
            "revision": f"main@sha1:{'a' * 40}",
            "digest": "gittree:" + "b" * 40,
            "lastUpdateTime": "2026-11-23T07:00:00Z",
        },
        "observedIgnore": "*.md",
        "observedSparseCheckout": ["apps"],
        "lastHandledReconcileAt": "now",
    }
    later = msgspec.structs.replace(status, artifact=msgspec.structs.replace(ARTIFACT, last_update=NOW + timedelta(1)))
    assert FluxDialect().source_status_patch(merged(obj, patch.body), later, NOW + timedelta(1)) is None


def test_a_failed_fetch_says_so_and_keeps_the_artifact() -> None:
    obj = {
        **A_GIT_REPOSITORY,
        "metadata": {"name": "fleet", "generation": 1},
        "status": {"artifact": {"path": "a", "url": "b"}},
    }
    status = SourceStatus(
        state=State.RETRYING, reason="RefNotFound", message="no branch", observed_generation=1, fetch_failed=True
    )
    patch = FluxDialect().source_status_patch(obj, status, NOW)
    assert patch is not None
    assert "artifact" not in patch.body["status"]
    assert [(c["type"], c["status"], c["reason"]) for c in patch.body["status"]["conditions"]] == [
        ("Reconciling", "True", "ProgressingWithRetry"),
        ("Ready", "False", "GitOperationFailed"),
        ("FetchFailed", "True", "GitOperationFailed"),
    ]


def rows_after(kind: str, reason: str) -> list[tuple[str, str, str]]:
    """Condition, status and reason of a source whose newer revision could not be had, and which has an older one."""
    obj = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind, "metadata": {"name": "a", "generation": 1}}
    status = SourceStatus(
        state=State.RETRYING,
        reason=reason,
        message="why",
        observed_generation=1,
        fetch_failed=True,
        artifact=ARTIFACT,
        details=Details(verified="verified signature of an older one"),
    )
    patch = FluxDialect().source_status_patch(obj, status, NOW)
    assert patch is not None
    return [(c["type"], c["status"], c["reason"]) for c in patch.body["status"]["conditions"]]


def test_a_revision_that_nobody_trusted_signed_is_said_in_the_condition_for_it() -> None:
    for reason in ("InvalidCommitSignature", "InvalidTagSignature", "InvalidGitObject", "VerificationError"):
        rows = rows_after("GitRepository", reason)
        assert ("SourceVerified", "False", reason) in rows
        assert ("Ready", "False", reason) in rows
        assert "FetchFailed" not in {row[0] for row in rows}
        assert [row[0] for row in rows].count("SourceVerified") == 1


def test_what_cannot_be_included_is_said_by_those_kinds_that_include() -> None:
    for reason in ("IncludeUnavailable", "SourceNotReady", "SourceNotFound"):
        assert ("IncludeUnavailable", "True", reason) in rows_after("GitRepository", reason)
    assert "IncludeUnavailable" not in {row[0] for row in rows_after("HelmChart", "SourceNotReady")}


@pytest.mark.parametrize("name", ["flux", "argocd"])
def test_the_inventory_that_is_written_before_an_apply_is_read_back(name: str) -> None:
    dialect = DIALECTS[name]
    obj = {"metadata": {"name": "a", "namespace": "argocd", "resourceVersion": "3"}, "spec": {}}
    inventory = Inventory.of([WEB, ROLE])
    patch = dialect.start_patch(obj, git_revision("main", "a" * 40), inventory, NOW)
    assert patch is not None
    after = merged(obj, patch.body)
    assert dialect.stored_inventory(after) == inventory
    assert dialect.start_patch(after, git_revision("main", "a" * 40), inventory, NOW) is None


def test_a_flux_sync_that_begins_says_what_it_works_on() -> None:
    obj = {
        "metadata": {"name": "a", "namespace": "b", "generation": 2},
        "status": {"lastAppliedRevision": "main@sha1:aa"},
    }
    patch = FluxDialect().start_patch(obj, git_revision("main", "a" * 40), Inventory.of([WEB]), NOW)
    assert patch is not None
    status = patch.body["status"]
    assert status["lastAttemptedRevision"] == "main@sha1:" + "a" * 40
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [("Reconciling", "True"), ("Ready", "Unknown")]
    assert "lastAppliedRevision" not in status
    assert contradictions(merged(obj, patch.body)["status"], 2) == []


def test_an_argocd_sync_that_begins_is_running_with_the_request_as_it_came() -> None:
    operation = {"initiatedBy": {"username": "jane"}, "sync": {"revision": "main"}}
    obj = {
        "metadata": {"name": "a", "namespace": "argocd", "resourceVersion": "3"},
        "spec": {},
        "operation": operation,
        "status": {"operationState": {"phase": "Succeeded", "startedAt": "x", "finishedAt": "y", "retryCount": 4}},
    }
    patch = ArgoCdDialect().start_patch(obj, git_revision("main", "a" * 40), Inventory.of([WEB]), NOW)
    assert patch is not None
    assert patch.body["metadata"] == {"resourceVersion": "3"}
    state = merged(obj, patch.body)["status"]["operationState"]
    assert state == {
        "operation": operation,
        "phase": "Running",
        "message": "syncing",
        "startedAt": "2026-11-23T07:00:00Z",
        "syncResult": {"revision": "a" * 40},
    }
    assert "operation" not in patch.body


def test_an_object_of_another_conditions_writer_is_kept() -> None:
    row = {"type": "OrphanedResourceWarning", "message": "1 orphan", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    obj = {"metadata": {"name": "a", "namespace": "argocd"}, "spec": {}, "status": {"conditions": [row]}}
    status = AppStatus(state=State.STALLED, reason="InvalidInput", message="no", observed_generation=0)
    patch = ArgoCdDialect().status_patch(obj, status, NOW)
    assert patch is not None
    assert [c["type"] for c in patch.body["status"]["conditions"]] == ["InvalidSpecError", "OrphanedResourceWarning"]


def test_a_registry_of_charts_loses_its_status_once() -> None:
    repository: dict[str, Any] = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "shop", "generation": 2},
        "spec": {"type": "oci", "url": "oci://registry.example.com/charts"},
        "status": {"observedGeneration": -1, "artifact": {"revision": "sha256:1"}},
    }
    ready = SourceStatus(state=State.READY, reason="", message="", observed_generation=2)
    patch = FluxDialect().source_status_patch(repository, ready, NOW)
    assert patch is not None
    cleared = merged(repository, patch.body)
    assert cleared["status"] == {}
    assert FluxDialect().source_status_patch(cleared, ready, NOW) is None
