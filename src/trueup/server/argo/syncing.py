"""Syncs, rollbacks and their end, as Argo CD's API takes them: as the Application's `operation`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.apps.asks import Ask
from trueup.apps.wishes import request_termination
from trueup.dialects.argocd.results import operation_state
from trueup.dialects.dialect import Dialect
from trueup.dialects.reading import rows_of
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.manifest import Manifest, ref_of, resource_version_of, spec_of, status_of
from trueup.server.acting.apps import Acting
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation, Surface
from trueup.server.api.refusals import BadQuery, Conflict, Refused
from trueup.server.argo.finding import APP, ArgoApps, Place
from trueup.server.live.masking import shown


class NotNow(Refused):
    """gRPC's FailedPrecondition, which Argo CD's gateway answers as 400."""

    status = 400
    reason = "PreconditionFailed"


class SyncItems(Struct, frozen=True, kw_only=True):
    items: tuple[str, ...] | None = None


class SyncBody(Place, frozen=True, kw_only=True, rename="camel"):
    """What is left out is as Argo CD has it: no prune, hooks run, everything is synced."""

    name: str = ""
    revision: str = ""
    revisions: tuple[str, ...] | None = None
    source_positions: tuple[int | str, ...] | None = None
    dry_run: bool = False
    prune: bool = False
    strategy: dict[str, Any] | None = None
    resources: tuple[dict[str, Any], ...] | None = None
    manifests: tuple[str, ...] | None = None
    infos: tuple[dict[str, Any], ...] | None = None
    retry_strategy: dict[str, Any] | None = None
    sync_options: SyncItems | None = None


class RollbackBody(Place, frozen=True, kw_only=True, rename="camel"):
    """`id` is of the Application's history."""

    name: str = ""
    id: int | str = 0
    dry_run: bool = False
    prune: bool = False


class Syncing:
    """The handlers."""

    def __init__(self, apps: ArgoApps, acting: Acting) -> None:
        self._apps = apps
        self._acting = acting

    async def sync(self, call: Call) -> Answer:
        body, who = call.body, call.caller.shown
        call.note(revision=body.revision, message=reason_of(body))
        if body.manifests:
            raise NotBuiltYet("local manifests are not synced", field="manifests", hint="push them to a branch")
        known = self._apps.known(call)
        sources = len(rows_of(spec_of(known.obj).get("sources")))
        revisions = _revisions(known.obj, body, sources) or [body.revision]
        await self._acting.require_override(call, known, revisions)
        return await self._begun(call, lambda obj: sync_operation(obj, who, body))

    async def rollback(self, call: Call) -> Answer:
        body, who = call.body, call.caller.shown
        return await self._begun(call, lambda obj: rollback_operation(obj, who, body))

    async def terminate(self, call: Call) -> Answer:
        try:
            await self._acting.asked(call, self._apps.known(call), request_termination)
        except Conflict as error:
            raise NotNow(f"Unable to terminate operation. {error.message}", ref=error.ref) from error
        return Answer(body={})

    async def _begun(self, call: Call, make: Any) -> Answer:
        def ask(obj: Manifest, dialect: Dialect) -> Ask:
            if dialect.suspended(obj):
                raise InvalidInput("it is suspended", ref=ref_of(obj), hint="resume it first")
            if "operation" in obj or operation_state(obj).get("phase") in ("Running", "Terminating"):
                raise InvalidInput("another operation is already in progress", ref=ref_of(obj))
            return Ask({"metadata": {"resourceVersion": resource_version_of(obj)}, "operation": make(obj)})

        try:
            after, _ = await self._acting.asked(call, self._apps.known(call), ask)
        except Conflict as error:
            raise NotNow(error.message, ref=error.ref, hint=error.hint) from error
        return Answer(body=shown(after))


def reason_of(body: SyncBody) -> str:
    """What people say with a sync, for the audit log."""
    return "; ".join(f"{one.get('name')}: {one.get('value')}" for one in body.infos or ())[:500]


def sync_operation(obj: Manifest, who: str, body: SyncBody) -> dict[str, Any]:
    """Raises InvalidInput for what an Application that syncs by itself cannot be told."""
    sources = rows_of(spec_of(obj).get("sources"))
    revisions = _revisions(obj, body, len(sources))
    if body.revision and not sources and is_automated(obj) and not body.dry_run:
        target = str((spec_of(obj).get("source") or {}).get("targetRevision") or "HEAD")
        if body.revision != target:
            raise InvalidInput(f"Cannot sync to {body.revision}: auto-sync currently set to {target}", ref=ref_of(obj))
    sync = {
        "revision": body.revision,
        "revisions": revisions,
        "prune": body.prune,
        "dryRun": body.dry_run,
        "syncStrategy": body.strategy,
        "resources": list(body.resources or ()),
        "syncOptions": list((body.sync_options.items if body.sync_options else None) or ()),
    }
    return _operation(who, sync, infos=list(body.infos or ()), retry=body.retry_strategy)


def rollback_operation(obj: Manifest, who: str, body: RollbackBody) -> dict[str, Any]:
    """Raises InvalidInput and BadQuery."""
    if is_automated(obj):
        raise InvalidInput("rollback cannot be initiated when auto-sync is enabled", ref=ref_of(obj))
    wanted = str(body.id)
    row = next((one for one in rows_of(status_of(obj).get("history")) if str(one.get("id", 0)) == wanted), None)
    if row is None:
        name = ref_of(obj).name
        raise BadQuery(f"application {name} does not have deployment id {wanted[:20]} in history", field="id")
    options = [str(one) for one in (spec_of(obj).get("syncPolicy") or {}).get("syncOptions") or ()]
    sync: dict[str, Any] = {
        "revision": row.get("revision"),
        "revisions": row.get("revisions"),
        "source": row.get("source"),
        "sources": row.get("sources"),
        "prune": body.prune,
        "dryRun": body.dry_run,
        "syncStrategy": {"apply": {}},
        "syncOptions": options,
    }
    return _operation(who, sync)


def is_automated(obj: Manifest) -> bool:
    automated = (spec_of(obj).get("syncPolicy") or {}).get("automated")
    return isinstance(automated, dict) and automated.get("enabled") is not False


def _revisions(obj: Manifest, body: SyncBody, sources: int) -> list[str]:
    """One per source, where `sourcePositions` (from 1) say for which."""
    given, positions = list(body.revisions or ()), [str(one) for one in body.source_positions or ()]
    if not positions:
        return given
    if len(positions) != len(given):
        raise BadQuery("there must be one revision for each position", field="sourcePositions", ref=ref_of(obj))
    found = [str(row.get("targetRevision") or "HEAD") for row in rows_of(spec_of(obj).get("sources"))]
    for position, revision in zip(positions, given, strict=True):
        if not position.isdecimal() or not 1 <= int(position) <= sources:
            raise BadQuery(f"there is no source {position[:20]}", field="sourcePositions", ref=ref_of(obj))
        found[int(position) - 1] = revision
    return found


def _operation(who: str, sync: dict[str, Any], *, infos: Any = None, retry: Any = None) -> dict[str, Any]:
    """What is empty is left out."""
    operation = {
        "initiatedBy": {"username": who},
        "sync": {key: value for key, value in sync.items() if value},
        "info": infos,
        "retry": retry,
    }
    return {key: value for key, value in operation.items() if value or key == "sync"}


def operations(syncing: Syncing, apps: ArgoApps) -> list[Operation]:
    def change(name: str, method: str, path: str, summary: str, action: str, handler: Any, **more: Any) -> Operation:
        return Operation(
            id=f"argo.app-{name}",
            method=method,
            path=APP + path,
            summary=summary,
            access=Needs("applications", action, apps.target),
            query=Place,
            surface=Surface.ARGOCD,
            handler=handler,
            **more,
        )

    return [
        change("sync", "POST", "/sync", "Sync", "sync", syncing.sync, body=SyncBody, body_optional=True),
        change(
            "rollback", "POST", "/rollback", "Go back to a sync of before", "sync", syncing.rollback, body=RollbackBody
        ),
        change("terminate", "DELETE", "/operation", "Terminate the operation", "sync", syncing.terminate),
    ]
