"""Argo CD's queue of one: the top-level `operation` as a request, and `status.operationState` as its report.

Clients write both: `operation` to ask, the phase Terminating to stop. So every patch that touches either carries the
resourceVersion, and is made anew when somebody else wrote meanwhile.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from trueup.dialects.argocd.application_resource import Operation
from trueup.dialects.argocd.history import sources_in
from trueup.dialects.argocd.options import read_options
from trueup.dialects.argocd.results import operation_state, stored_hooks, sync_result
from trueup.dialects.argocd.retries import read_retry
from trueup.dialects.argocd.shared import revision_text
from trueup.dialects.reading import format_time, parse_time, read_struct, rows_of
from trueup.model.app import SyncRules
from trueup.model.manifest import Manifest, ref_of, spec_of
from trueup.model.outcome import OperationPhase, OperationRequest, OperationStatus, StoredSync
from trueup.model.refs import ObjectRef
from trueup.model.revision import parse_revision

_FINAL = (OperationPhase.SUCCEEDED, OperationPhase.FAILED, OperationPhase.ERROR)


def read_operation(obj: Manifest) -> OperationRequest | None:
    """What `operation.sync` asks; None where nothing is asked. Raises InvalidInput for a shape that cannot be."""
    raw = obj.get("operation")
    if not isinstance(raw, dict):
        return None
    said = read_struct(Operation, raw, ref=ref_of(obj), root="operation")
    if said.sync is None:
        return None
    sync, strategy = said.sync, said.sync.sync_strategy
    force = bool(strategy and ((strategy.apply and strategy.apply.force) or (strategy.hook and strategy.hook.force)))
    return OperationRequest(
        revision=sync.revision,
        revisions=sync.revisions,
        prune=sync.prune,
        dry_run=sync.dry_run,
        force=force,
        resources=tuple(ObjectRef(r.group, r.kind, r.namespace, r.name) for r in sync.resources),
        without_hooks=bool(sync.resources) or bool(strategy and strategy.apply and not strategy.hook),
        options=sync.sync_options,
        initiated_by=said.initiated_by.username,
        automated=said.initiated_by.automated,
        retry=read_retry(said.retry, ref_of(obj), "operation.retry"),
    )


def unbuilt_operation(obj: Manifest) -> list[str]:
    """Fields of a requested operation that have a meaning and are not built yet."""
    raw = obj.get("operation")
    sync = raw.get("sync") if isinstance(raw, dict) else None
    if not isinstance(sync, dict):
        return []
    found = [f"operation.sync.{key}" for key in ("manifests",) if sync.get(key)]
    several, wanted = sync.get("sources"), spec_of(obj).get("sources")
    if isinstance(several, list) and several:
        rows = wanted if isinstance(wanted, list) else []
        if [_without_revision(row) for row in several] != [_without_revision(row) for row in rows]:
            found.append("operation.sync.sources")
    # A rollback repeats the source that it goes back to; only its revision may differ from today's.
    source, declared = sync.get("source"), spec_of(obj).get("source")
    if isinstance(source, dict) and _without_revision(source) != _without_revision(declared):
        found.append("operation.sync.source")
    options = sync.get("syncOptions")
    texts = [str(text) for text in options] if isinstance(options, list) else []
    return [*found, *(f"operation.sync.syncOptions={text}" for text in read_options(texts).unbuilt)]


def _without_revision(source: object) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key != "targetRevision"} if isinstance(source, dict) else {}


def prunes_by_itself(obj: Manifest) -> bool:
    """Whether an automated sync of this Application prunes."""
    policy = spec_of(obj).get("syncPolicy")
    automated = policy.get("automated") if isinstance(policy, dict) else None
    return isinstance(automated, dict) and automated.get("prune") is True


def requested_rules(rules: SyncRules, request: OperationRequest) -> SyncRules:
    """The rules of one sync that a client asked for: its own prune, force, retry and options, on top of the Application's."""
    options = read_options(request.options)
    return structs.replace(
        rules,
        prune=request.prune and not options.never_prune,
        prune_last=rules.prune_last or options.prune_last,
        confirm_prune=rules.confirm_prune or options.confirm_prune,
        respect_ignored=rules.respect_ignored or options.respect_ignored,
        waits_for_unchanged=rules.waits_for_unchanged and not options.only_out_of_sync,
        create_namespace=rules.create_namespace or options.create_namespace,
        force=rules.force or request.force or options.force,
        replace=rules.replace or options.replace,
        refuse_shared=rules.refuse_shared or options.refuse_shared,
        validate=rules.validate and options.validate,
        delete_propagation=options.propagation or rules.delete_propagation,
        retry=request.retry or rules.retry,
    )


def asks_to_terminate(obj: Manifest) -> bool:
    return operation_state(obj).get("phase") == OperationPhase.TERMINATING


def is_final(status: OperationStatus) -> bool:
    return status.phase in _FINAL


def new_state(obj: Manifest, status: OperationStatus) -> dict[str, Any]:
    """The whole `operationState`. While a client's Terminating stands, only a final phase replaces it."""
    before = operation_state(obj)
    phase = status.phase
    if asks_to_terminate(obj) and not is_final(status):
        phase = OperationPhase.TERMINATING
    state: dict[str, Any] = {
        "operation": _operation(obj, status),
        "phase": str(phase),
        "message": status.message or _message(status),
        "startedAt": format_time(status.started_at),
        "syncResult": sync_result(obj, status),
    }
    if status.finished_at is not None:
        state["finishedAt"] = format_time(status.finished_at)
    if status.retry_count:
        state["retryCount"] = status.retry_count
    if (
        not status.report
        and before.get("startedAt") == state["startedAt"]
        and isinstance(before.get("syncResult"), dict)
    ):
        state["syncResult"] = {**before["syncResult"], **state["syncResult"]}
    return state


def operation_is_done(obj: Manifest, status: OperationStatus) -> bool:
    """Whether `operation` is to be removed with this state: it is the one that ended, not one that came meanwhile."""
    raw = obj.get("operation")
    if not isinstance(raw, dict) or not is_final(status) or was_reported(obj, status):
        return False
    before = operation_state(obj)
    if before.get("phase") in (OperationPhase.RUNNING, OperationPhase.TERMINATING):
        return bool(before.get("operation") == raw)
    return not status.automated or is_automated(raw)


def was_reported(obj: Manifest, status: OperationStatus) -> bool:
    """Whether the stored state is this very end already, or tells of a sync that began after it."""
    before = operation_state(obj)
    started = str(before.get("startedAt") or "")
    if started == format_time(status.started_at):
        return before.get("phase") in _FINAL
    return status.finished_at is not None and started > format_time(status.finished_at)


def is_automated(raw: dict[str, Any]) -> bool:
    initiator = raw.get("initiatedBy")
    return isinstance(initiator, dict) and initiator.get("automated") is True


def _operation(obj: Manifest, status: OperationStatus) -> dict[str, Any]:
    before = operation_state(obj)
    if before.get("startedAt") == format_time(status.started_at) and isinstance(before.get("operation"), dict):
        return dict(before["operation"])
    raw = obj.get("operation")
    if not status.automated and isinstance(raw, dict):
        return dict(raw)
    sync: dict[str, Any] = {"prune": True} if status.prune else {}
    if status.dry_run:
        sync["dryRun"] = True
    if status.revision is not None and "sources" not in sources_in(obj):
        sync["revision"] = revision_text(status.revision)
    if status.parts:
        sync["revisions"] = [revision_text(part) for part in status.parts]
    initiator: dict[str, Any] = {"automated": True} if status.automated else {"username": status.initiated_by}
    return {"initiatedBy": initiator, "sync": sync}


def stored_sync(obj: Manifest) -> StoredSync | None:
    """A sync with hooks that runs by the status; one that has failed and waits for its next try is none."""
    state = operation_state(obj)
    result = state.get("syncResult")
    hooks, started = stored_hooks(obj), parse_time(state.get("startedAt"))
    revision = parse_revision(str(result.get("revision") or "")) if isinstance(result, dict) else None
    if state.get("phase") != OperationPhase.RUNNING or not hooks or started is None or revision is None:
        return None
    rows = rows_of(result.get("resources") if isinstance(result, dict) else None)
    if any(row.get("status") == "SyncFailed" or row.get("hookPhase") in ("Failed", "Error") for row in rows):
        return None
    done = frozenset(
        ObjectRef(str(row.get("group") or ""), row["kind"], str(row.get("namespace") or ""), row["name"])
        for row in rows
        if not row.get("hookType") and row.get("kind") and row.get("name")
    )
    same = obj.get("operation") is not None and obj.get("operation") == state.get("operation")
    return StoredSync(
        started=started, revision=revision, done=done, hooks=hooks, operation=read_operation(obj) if same else None
    )


def _message(status: OperationStatus) -> str:
    match status.phase:
        case OperationPhase.SUCCEEDED:
            return "successfully synced (all tasks run)"
        case OperationPhase.TERMINATING:
            return "operation is terminating"
        case OperationPhase.RUNNING:
            return "syncing"
        case OperationPhase.FAILED | OperationPhase.ERROR:
            failures = len(status.report.failures) if status.report else 0
            return f"{failures} objects could not be synced" if failures else "the sync failed"
