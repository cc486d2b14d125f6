"""A sync as a person asks for it, with every option, in the words of the App's dialect. Pure.

Argo CD's `operation` takes all of it. Flux is asked by an annotation that says no more than "now": what it cannot be told is
refused, never passed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.apps.asks import ARGOCD, Ask, request_reconcile, request_refresh
from trueup.apps.pins import PIN, PIN_BY, PIN_REASON, PIN_UNTIL, Pin, pin_text
from trueup.dialects.argocd.operation import prunes_by_itself
from trueup.dialects.argocd.results import operation_state
from trueup.dialects.dialect import Dialect
from trueup.dialects.reading import format_time
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of, resource_version_of
from trueup.model.refs import ObjectRef


class SyncWish(Struct, frozen=True, kw_only=True):
    """`prune` None: as the App says. `resources` empty: all. `hooks` False: apply alone. `retries` None: as the App says."""

    revision: str = ""
    prune: bool | None = None
    dry_run: bool = False
    force: bool = False
    hooks: bool = True
    resources: tuple[ObjectRef, ...] = ()
    options: tuple[str, ...] = ()
    retries: int | None = None
    message: str = ""


def request_wished_sync(obj: Manifest, dialect: Dialect, now: datetime, who: str, wish: SyncWish) -> Ask:
    """Raises InvalidInput for a suspended App, one that is busy, and for what its dialect cannot be told."""
    if dialect.suspended(obj):
        raise InvalidInput("it is suspended", ref=ref_of(obj), hint="resume it first")
    if dialect.name != ARGOCD:
        _refuse_options(obj, wish)
        return request_reconcile(obj, now)
    if "operation" in obj or operation_state(obj).get("phase") in ("Running", "Terminating"):
        raise InvalidInput("another sync is under way", ref=ref_of(obj), hint="wait for it, or terminate it")
    metadata = {"resourceVersion": resource_version_of(obj)}
    return Ask({"metadata": metadata, "operation": operation_of(obj, who, wish)})


def operation_of(obj: Manifest, who: str, wish: SyncWish) -> dict[str, Any]:
    """The Application's `operation`."""
    strategy = {"force": True} if wish.force else {}
    sync: dict[str, Any] = {
        "prune": prunes_by_itself(obj) if wish.prune is None else wish.prune,
        "syncStrategy": {"hook" if wish.hooks else "apply": strategy},
    }
    if wish.revision:
        sync["revision"] = wish.revision
    if wish.dry_run:
        sync["dryRun"] = True
    if wish.options:
        sync["syncOptions"] = list(wish.options)
    if wish.resources:
        sync["resources"] = [
            {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
            for ref in wish.resources
        ]
    operation: dict[str, Any] = {"initiatedBy": {"username": who}, "sync": sync}
    if wish.message:
        operation["info"] = [{"name": "Reason", "value": wish.message}]
    if wish.retries is not None:
        operation["retry"] = {"limit": wish.retries}
    return operation


def _refuse_options(obj: Manifest, wish: SyncWish) -> None:
    asked = {
        "revision": bool(wish.revision),
        "prune": wish.prune is not None,
        "dryRun": wish.dry_run,
        "force": wish.force,
        "hooks": not wish.hooks,
        "resources": bool(wish.resources),
        "options": bool(wish.options),
        "retries": wish.retries is not None,
    }
    if refused := [name for name, is_asked in asked.items() if is_asked]:
        raise InvalidInput(
            f"a {obj.get('kind')} cannot be told this for one sync alone: {', '.join(refused)}",
            ref=ref_of(obj),
            field=refused[0],
            hint="change its spec in Git; the plan shows what a sync would do, and a pin holds another revision",
        )


def request_termination(obj: Manifest, dialect: Dialect) -> Ask:
    """Of a sync that is under way. Raises InvalidInput where none is, or where there is no such thing."""
    if dialect.name != ARGOCD:
        raise InvalidInput(
            f"a sync of a {obj.get('kind')} cannot be terminated",
            ref=ref_of(obj),
            hint="a newer revision ends its waiting; suspend it, and nothing more is begun",
        )
    if operation_state(obj).get("phase") != "Running":
        raise InvalidInput("no sync is under way", ref=ref_of(obj))
    metadata = {"resourceVersion": resource_version_of(obj)}
    return Ask({"metadata": metadata, "status": {"operationState": {"phase": "Terminating"}}})


def request_look(obj: Manifest, dialect: Dialect, now: datetime, *, hard: bool) -> Ask:
    """Look at Git and the cluster again. For a Kustomization that is a reconcile, and so a sync."""
    return request_refresh(now, hard=hard) if dialect.name == ARGOCD else request_reconcile(obj, now)


def pin_patch(pin: Pin) -> Ask:
    """The annotations of a pin; what an earlier pin said and this one does not is removed."""
    values = {
        PIN: pin_text(pin),
        PIN_BY: pin.by or None,
        PIN_REASON: pin.reason or None,
        PIN_UNTIL: format_time(pin.until) if pin.until else None,
    }
    return Ask({"metadata": {"annotations": values}})


def unpin_patch() -> Ask:
    return Ask({"metadata": {"annotations": dict.fromkeys((PIN, PIN_BY, PIN_REASON, PIN_UNTIL))}})
