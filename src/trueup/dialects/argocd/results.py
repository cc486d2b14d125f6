"""What a sync did, as `status.operationState.syncResult` says it: one row per object, and one per run of a hook."""

from __future__ import annotations

from typing import Any

from trueup.dialects.argocd.history import sources_in
from trueup.dialects.argocd.options import read_options
from trueup.dialects.argocd.shared import revision_text
from trueup.dialects.reading import rows_of
from trueup.model.change import Action, Change
from trueup.model.hook import HookPhase, HookResult, Phase
from trueup.model.manifest import Manifest, spec_of, status_of
from trueup.model.outcome import OperationStatus
from trueup.model.refs import ObjectRef

_RESULTS = {
    Action.CREATED: "Synced",
    Action.CONFIGURED: "Synced",
    Action.UNCHANGED: "Synced",
    Action.RECREATED: "Synced",
    Action.PRUNED: "Pruned",
    Action.SKIPPED: "PruneSkipped",
    Action.FAILED: "SyncFailed",
}


def operation_state(obj: Manifest) -> dict[str, Any]:
    value = status_of(obj).get("operationState")
    return value if isinstance(value, dict) else {}


def sync_result(obj: Manifest, status: OperationStatus) -> dict[str, Any]:
    result: dict[str, Any] = {"revision": revision_text(status.revision), **sources_in(obj)}
    if "sources" in result:
        result["revision"] = ""
    if status.parts:
        result["revisions"] = [revision_text(part) for part in status.parts]
    if managed := _managed_namespace_metadata(obj):
        result["managedNamespaceMetadata"] = managed
    if status.report is not None:
        rows = [_result_row(change, status) for change in status.report.changes]
        result["resources"] = [*rows, *(hook_row(hook) for hook in status.hooks)]
    return result


def _managed_namespace_metadata(obj: Manifest) -> dict[str, Any]:
    """What the sync kept on the namespace, as the original tells it of its results."""
    policy = spec_of(obj).get("syncPolicy")
    if not isinstance(policy, dict) or not isinstance(managed := policy.get("managedNamespaceMetadata"), dict):
        return {}
    options = policy.get("syncOptions")
    texts = [str(text) for text in options] if isinstance(options, list) else []
    return dict(managed) if read_options(texts).create_namespace else {}


def hook_row(hook: HookResult) -> dict[str, Any]:
    """One run of a hook among the results of a sync."""
    ref = hook.ref
    row = {
        "group": ref.group,
        "version": hook.version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "hookType": str(hook.phase),
        "hookPhase": str(hook.state),
        "syncPhase": str(hook.phase),
    }
    if hook.message:
        row["message"] = hook.message
    if hook.refused or hook.state is HookPhase.RUNNING:
        row["status"] = "SyncFailed" if hook.refused else "Synced"
    return row


def stored_hooks(obj: Manifest) -> tuple[HookResult, ...]:
    """The runs that the status tells of: the rows of the last sync."""
    result = operation_state(obj).get("syncResult")
    found = []
    for row in rows_of(result.get("resources") if isinstance(result, dict) else None):
        phase, state = row.get("hookType"), row.get("hookPhase")
        if phase in set(Phase) and state in set(HookPhase) and row.get("kind") and row.get("name"):
            ref = ObjectRef(str(row.get("group") or ""), row["kind"], str(row.get("namespace") or ""), row["name"])
            found.append(
                HookResult(
                    ref=ref,
                    version=str(row.get("version") or ""),
                    phase=Phase(phase),
                    state=HookPhase(state),
                    message=str(row.get("message") or ""),
                    refused=row.get("status") == "SyncFailed",
                )
            )
    return tuple(found)


def _result_row(change: Change, status: OperationStatus) -> dict[str, Any]:
    ref = change.ref
    failed = change.action is Action.FAILED
    ended = change.action is Action.PRUNED or ref in status.healthy
    kind = f"{ref.kind.lower()}.{ref.group}" if ref.group else ref.kind.lower()
    row = {
        "group": ref.group,
        "version": change.version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "message": change.message or f"{kind}/{ref.name} {change.action}",
        "hookPhase": "Failed" if failed else "Succeeded" if ended else "Running",
        "syncPhase": "Sync",
    }
    # An object that was left alone by its own mark was neither applied nor pruned: it has no result code.
    if change.action is not Action.SKIPPED or change.reason == "PruneSkipped":
        row["status"] = _RESULTS[change.action]
    return row
