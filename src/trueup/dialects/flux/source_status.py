"""Outcomes -> status of a source, condition by condition, in Flux's words. How kinds differ is said by `SourceWords`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from trueup.dialects.dialect import StatusPatch
from trueup.dialects.flux.status import PROGRESSING, SUCCEEDED, WITH_RETRY, clipped, conditions_of, row, status_patch
from trueup.dialects.reading import format_time
from trueup.model.conditions import FALSE, READY, RECONCILING, STALLED, TRUE, UNKNOWN, Condition, merge_conditions
from trueup.model.manifest import Manifest, spec_of, status_of
from trueup.model.outcome import Artifact, SourceStatus, State

_STORAGE = "ArtifactInStorage"
_FETCH_FAILED = "FetchFailed"
_VERIFIED = "SourceVerified"
_INCLUDE = "IncludeUnavailable"
_OWNED = (
    READY, RECONCILING, STALLED, _STORAGE, _FETCH_FAILED, _VERIFIED, _INCLUDE, "ArtifactOutdated", "StorageOperationFailed",
)  # fmt: skip
_UNVERIFIED = (
    "VerificationError", "InvalidCommitSignature", "InvalidTagSignature", "InvalidGitObject", "InvalidVerificationMode",
)  # fmt: skip
_NOT_INCLUDED = ("IncludeUnavailable", "SourceNotReady", "SourceNotFound")


def stored_artifact(spec: Mapping[str, Any], artifact: Artifact, status: SourceStatus) -> str:  # noqa: ARG001
    return f"stored artifact for revision '{artifact.revision}'"


def always_succeeded(spec: Mapping[str, Any]) -> str:  # noqa: ARG001
    return SUCCEEDED


class SourceWords(Struct, frozen=True, kw_only=True):
    """What one kind of source says in its own way."""

    stored: Callable[[Mapping[str, Any], Artifact, SourceStatus], str] = stored_artifact
    """The message of a good outcome, by the spec and what was fetched."""
    succeeded: Callable[[Mapping[str, Any]], str] = always_succeeded
    """The reason of a good outcome, by the spec."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Our reasons that the kind has its own word for; the others are shown as they are."""
    includes: bool = False
    """Whether the sources that it is made of are put into it (GitRepository's `include`)."""
    observed: Callable[[Mapping[str, Any], SourceStatus], dict[str, Any]] = lambda _spec, _status: {}
    """Fields of the status that repeat what of the spec (and the fetch) the artifact was made by."""
    statusless: Callable[[Mapping[str, Any]], bool] = lambda _spec: False
    """Specs that have no status at all; the CRD's default is taken off, or kstatus would wait for it for ever."""


def source_patch(obj: Manifest, status: SourceStatus, words: SourceWords, now: datetime) -> StatusPatch | None:
    """The outcome of looking at a remote."""
    if words.statusless(spec_of(obj)):
        there = status_of(obj)
        return StatusPatch("status", {"status": dict.fromkeys(there)}) if there else None
    ours: dict[str, Any] = {
        "observedGeneration": status.observed_generation,
        "conditions": merge_conditions(
            conditions_of(obj), _source_conditions(spec_of(obj), status, words), owned=_OWNED, now=format_time(now)
        ),
    }
    if status.artifact is not None:
        ours["artifact"] = _artifact(obj, status.artifact)
        ours |= words.observed(spec_of(obj), status)
    if status.handled_request:
        ours["lastHandledReconcileAt"] = status.handled_request
    return status_patch(obj, ours)


def _source_conditions(spec: Mapping[str, Any], status: SourceStatus, words: SourceWords) -> list[Condition]:
    generation = status.observed_generation
    reason = words.reasons.get(status.reason, status.reason)
    message = clipped(status.message)
    stored = words.stored(spec, status.artifact, status) if status.artifact else ""
    succeeded = words.succeeded(spec)
    rows: list[Condition]
    match status.state:
        case State.READY:
            rows = [row(generation, READY, TRUE, succeeded, stored or message)]
        case State.PROGRESSING:
            rows = [
                row(generation, RECONCILING, TRUE, PROGRESSING, message),
                row(generation, READY, UNKNOWN, PROGRESSING, "Reconciliation in progress"),
            ]
        case State.RETRYING | State.WAITING:
            rows = [
                row(generation, RECONCILING, TRUE, WITH_RETRY, message),
                row(generation, READY, FALSE, reason, message),
            ]
        case State.STALLED:
            rows = [row(generation, STALLED, TRUE, reason, message), row(generation, READY, FALSE, reason, message)]
    unverified = status.fetch_failed and status.reason in _UNVERIFIED
    if unverified:
        rows.append(row(generation, _VERIFIED, FALSE, reason, message))
    elif status.fetch_failed and words.includes and status.reason in _NOT_INCLUDED:
        rows.append(row(generation, _INCLUDE, TRUE, reason, message))
    elif status.fetch_failed and status.state is not State.READY:
        rows.append(row(generation, _FETCH_FAILED, TRUE, reason, message))
    if status.details.verified and not unverified:
        rows.append(row(generation, _VERIFIED, TRUE, SUCCEEDED, status.details.verified))
    if stored:
        rows.append(row(generation, _STORAGE, TRUE, succeeded, stored))
    return rows


def artifact_row(artifact: Artifact) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": artifact.path,
        "url": artifact.url,
        "revision": str(artifact.revision),
        "digest": artifact.digest,
        "lastUpdateTime": format_time(artifact.last_update),
    }
    if artifact.size is not None:
        row["size"] = artifact.size
    if artifact.metadata:
        row["metadata"] = dict(artifact.metadata)
    return row


def _artifact(obj: Manifest, artifact: Artifact) -> dict[str, Any]:
    """`lastUpdateTime` says when this artifact was first stored, so an equal one keeps it over restarts."""
    row = artifact_row(artifact)
    stored = status_of(obj).get("artifact")
    if isinstance(stored, dict) and all(
        stored.get(key) == value for key, value in row.items() if key != "lastUpdateTime"
    ):
        row["lastUpdateTime"] = stored.get("lastUpdateTime") or row["lastUpdateTime"]
    return row
