"""What a plan would change, field by field, asked of the server by dry-run: for a diff, a preview, a panel.

Costs two requests per object, so only a person's question is worth it. Nothing is written.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.app import SyncRules
from trueup.model.change import Action, Change, FieldChange, SyncReport
from trueup.model.errors import TrueupError
from trueup.model.fields import EMPTY, Element, format_path, key_values, managed_entries
from trueup.model.manifest import Manifest, annotations_of, labels_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.sync.applier import Applier
from trueup.sync.canonical import LAST_APPLIED, canonical, masked, masking_of
from trueup.sync.explain import explain
from trueup.sync.facts import own_entry
from trueup.sync.fielddiff import HIDDEN, LONGEST, field_changes
from trueup.sync.ignoring import with_live_values, without_ignored
from trueup.sync.normalise import SERVER_OWNED
from trueup.sync.order import CRD, NAMESPACE
from trueup.sync.ownership import is_taken_over
from trueup.sync.plan import Plan, Send
from trueup.sync.prunes import Prune, may_delete
from trueup.sync.replacing import is_recreated, replacement

_MISSING: Any = object()


Seen = Callable[[ObjectRef, Manifest | None, Manifest | None], None]
"""What is live and what the server would make of it, as people are to see them: nothing secret, nothing that changes by itself."""


async def preview(
    plan: Plan, applier: Applier, rules: SyncRules, *, in_flight: int, seen: Seen | None = None
) -> SyncReport:
    """The report that `execute` would give, as far as the server can tell now; changes in the order of the plan."""
    started = asyncio.get_running_loop().time()
    bound = asyncio.Semaphore(in_flight)
    key = secrets.token_bytes(32)

    async def send(item: Send) -> Change:
        async with bound:
            return await _send(item, plan, applier, rules, key, seen)

    async def prune(item: Prune) -> Change:
        async with bound:
            return await _prune(item, plan, applier, rules)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send(item)) for item in plan.sends]
        prunes = [item for stage in plan.prunes.stages for rank in stage for item in rank]
        tasks.extend(group.create_task(prune(item)) for item in prunes)
    took = timedelta(seconds=asyncio.get_running_loop().time() - started)
    return SyncReport(changes=(*plan.settled, *(task.result() for task in tasks)), took=took)


async def _send(send: Send, plan: Plan, applier: Applier, rules: SyncRules, key: bytes, seen: Seen | None) -> Change:
    version = send.desired.version
    try:
        live = await applier.get(send.ref, version)
        if send.only_create and live is not None:
            return _change(send, Action.SKIPPED, reason="OnlyCreate", message="it is there, and is only to be created")
        manifest = with_live_values(send.manifest, live, send.ignore) if send.respect and live else send.manifest
        if is_recreated(send) and live is not None:
            return _change(send, Action.RECREATED, message="it is replaced by force")
        if send.replace and live is not None:
            answer = await applier.replace(replacement(send, manifest, live), dry_run=True)
        else:
            answer = await applier.apply(manifest, dry_run=True)
    except KindNotServed as error:
        if any(_defines(other, send) for other in plan.sends):
            return _change(
                send, Action.CREATED, message="its kind comes with this sync, so the server cannot check it yet"
            )
        return _failed(send, error)
    except ApiError as error:
        if error.is_immutable and send.force:
            return _change(send, Action.RECREATED, message=explain(error, send.ref, version).split("\n", 1)[0])
        if error.is_not_found and _brings_namespace(plan, send.ref.namespace):
            message = "its namespace comes with this sync, so the server cannot check it yet"
            return _change(send, Action.CREATED, message=message)
        return _failed(send, error)
    except TrueupError as error:
        return _failed(send, error)
    if seen is not None:
        seen(send.ref, _visible(live, send, key) if live is not None else None, _visible(answer, send, key))
    if live is None:
        return _change(send, Action.CREATED)
    removed = () if send.merge else removed_by_takeover(live, answer, rules, send)
    fields = (*field_changes(_visible(live, send, key), _visible(answer, send, key)), *removed)
    return _change(send, Action.CONFIGURED if fields else Action.UNCHANGED, fields=fields)


async def _prune(prune: Prune, plan: Plan, applier: Applier, rules: SyncRules) -> Change:
    def change(action: Action, reason: str = "", message: str = "") -> Change:
        return Change(ref=prune.ref, version=prune.entry.version, action=action, reason=reason, message=message)

    if prune.live is not None:
        return change(Action.PRUNED)
    try:
        live = await applier.get(prune.ref, prune.entry.version)
    except KindNotServed:
        live = None
    except TrueupError as error:
        return change(Action.FAILED, error.reason, explain(error, prune.ref, prune.entry.version))
    if live is None:
        return change(Action.SKIPPED, "Gone", "it was gone already")
    refusal = may_delete(prune.ref, labels_of(live), annotations_of(live), rules, whole=plan.prunes.whole)
    return change(Action.SKIPPED, refusal.reason, refusal.message) if refusal else change(Action.PRUNED)


def removed_by_takeover(live: Manifest, answer: Manifest, rules: SyncRules, send: Send) -> tuple[FieldChange, ...]:
    """The fields of managers that are taken over and that the declaration does not say: a dry-run alone keeps them."""
    taken = EMPTY
    for entry in managed_entries(live):
        if is_taken_over(entry, rules.field_manager, rules.takeover_managers):
            taken = taken.union(entry.fields)
    if taken.is_empty:
        return ()
    own, _ = own_entry(answer, rules.field_manager)
    others = EMPTY
    for entry in managed_entries(answer):
        if not is_taken_over(entry, rules.field_manager, rules.takeover_managers):
            others = others.union(entry.fields)
    hide = masking_of(send.desired.manifest, tainted=send.desired.tainted) != "none"
    changes: list[FieldChange] = []
    for path in taken.difference(own).difference(others).leaves():
        if any(LAST_APPLIED in element for element in path):
            continue
        value = value_at(live, path)
        # A leaf of what is taken over may be a parent of what stays, such as a map that others filled.
        if value is _MISSING or own.below(path) is not None or others.below(path) is not None:
            continue
        text = HIDDEN if hide else canonical(value).decode()
        changes.append(FieldChange(format_path(path), text[:LONGEST]))
    return tuple(changes)


def value_at(obj: Any, path: tuple[Element, ...]) -> Any:
    """The value at a path of `model.fields`, or a marker that is not JSON."""
    for element in path:
        form, text = element[:2], element[2:]
        if form == "f:" and isinstance(obj, dict) and text in obj:
            obj = obj[text]
        elif form == "k:" and isinstance(obj, list):
            names, wanted = key_values(element)
            obj = next(
                (item for item in obj if isinstance(item, dict) and tuple(item.get(name) for name in names) == wanted),
                _MISSING,
            )
        elif form == "v:" and isinstance(obj, list):
            obj = next((item for item in obj if canonical(item).decode() == text), _MISSING)
        else:
            return _MISSING
        if obj is _MISSING:
            return _MISSING
    return obj


def _visible(obj: Manifest, send: Send, key: bytes) -> Manifest:
    """Without what changes by itself or says nothing to a person, and without secrets."""
    shown = {name: value for name, value in without_ignored(obj, send.ignore).items() if name != "status"}
    metadata = {name: value for name, value in obj.get("metadata", {}).items() if name not in SERVER_OWNED}
    if isinstance(annotations := metadata.get("annotations"), dict) and LAST_APPLIED in annotations:
        metadata["annotations"] = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
    shown["metadata"] = metadata
    return masked(shown, masking_of(send.desired.manifest, tainted=send.desired.tainted), key)


def _defines(other: Send, send: Send) -> bool:
    if other.ref.group_kind != CRD:
        return False
    spec = spec_of(other.manifest)
    names = spec.get("names")
    return spec.get("group") == send.ref.group and isinstance(names, dict) and names.get("kind") == send.ref.kind


def _brings_namespace(plan: Plan, name: str) -> bool:
    declared = any(send.ref.group_kind == NAMESPACE and send.ref.name == name for send in plan.sends)
    return bool(name) and (declared or plan.create_namespace == name)


def _failed(send: Send, error: TrueupError) -> Change:
    text = explain(error, send.ref, send.desired.version, hide_values=send.desired.tainted)
    return _change(send, Action.FAILED, reason=error.reason, message=text)


def _change(
    send: Send, action: Action, *, reason: str = "", message: str = "", fields: tuple[FieldChange, ...] = ()
) -> Change:
    return Change(
        ref=send.ref,
        version=send.desired.version,
        action=action,
        fields=fields,
        reason=reason,
        message=message,
        origin=send.desired.origin,
    )


__all__ = ["preview", "removed_by_takeover", "value_at"]
