"""From what is remembered of an App to what its status says. Pure; the dialect puts it into its own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from trueup.controllers.memory import AppMemory
from trueup.controllers.progress import after
from trueup.model.app import OptOut
from trueup.model.change import Action, SyncReport
from trueup.model.health import Health, worst
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest
from trueup.model.outcome import AppStatus, HistoryEntry, Notice, ResourceState, State
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.sync.facts import Absent, LiveFacts, LiveView
from trueup.sync.optout import has_mark

LISTED_FAILURES = 5
"""Failed objects that a message names; the records hold them all."""


def make_status(memory: AppMemory, generation: int, live: LiveView, now: datetime, *, token: str = "") -> AppStatus:
    """Everything that there is to say about the App now. `token`: the request that this outcome answers."""
    saved, app = memory.saved, memory.app
    resources = resource_states(memory, live)
    return AppStatus(
        state=saved.state,
        reason=saved.reason,
        message=saved.message,
        observed_generation=generation,
        attempted=saved.attempted,
        parts=saved.parts,
        applied=saved.applied,
        handled_request=token,
        inventory=saved.inventory,
        resources=resources,
        health=app_health(resources),
        waits_for_health=bool(app and (app.rules.wait or app.rules.health_checks)),
        synced=memory.synced,
        history=saved.history,
        operation=saved.operation,
        hooks=after(saved.hooks, saved.progress) if saved.progress else saved.hooks,
        notices=memory.notices,
        images=saved.images,
        source_type=saved.source_type,
        compared_at=memory.synced_at or now,
        release=memory.release,
    )


def resource_states(memory: AppMemory, live: LiveView) -> tuple[ResourceState, ...]:
    """One row per object that the App owns or (not synced yet) would own, in a stable order."""
    wanted: Mapping[ObjectRef, Any] = memory.desired if memory.desired is not None else memory.records
    entries = Inventory.of((*memory.saved.inventory.entries, *memory.shown)).entries if memory.shown else ()
    opt_out = memory.app.rules.opt_out if memory.app is not None else OptOut()
    return tuple(
        _resource_state(entry, wanted, memory.out_of_sync, live.get(entry.ref), opt_out)
        for entry in entries or memory.saved.inventory.entries
    )


def _resource_state(
    entry: InventoryEntry,
    wanted: Mapping[ObjectRef, Any],
    out_of_sync: set[ObjectRef],
    facts: LiveFacts | Absent | None,
    opt_out: OptOut,
) -> ResourceState:
    leftover = entry.ref not in wanted
    return ResourceState(
        ref=entry.ref,
        version=entry.version,
        synced=not leftover and entry.ref not in out_of_sync,
        verdict=facts.verdict if isinstance(facts, LiveFacts) else None,
        exists=not isinstance(facts, Absent),
        requires_pruning=leftover,
        counts=not (isinstance(facts, LiveFacts) and has_mark(opt_out.ignore_health, facts.labels, facts.annotations)),
    )


def app_health(resources: Iterable[ResourceState]) -> Health:
    """The worst of the App's own objects; kinds without a rule do not count, a missing object counts as Missing."""
    healths: list[Health] = []
    for resource in resources:
        if not resource.exists:
            healths.append(Health.MISSING)
        elif resource.counts and resource.verdict is not None and resource.verdict.health is not None:
            healths.append(resource.verdict.health)
    return worst(healths)


def failure_message(report: SyncReport) -> str:
    """The failed objects, one per line, at most a few; each says where it is declared."""
    failures = report.failures
    lines = []
    for change in failures[:LISTED_FAILURES]:
        origin = f" ({change.origin})" if change.origin else ""
        text = change.message if change.message.startswith(str(change.ref)) else f"{change.ref}: {change.message}"
        lines.append(f"{text}{origin}")
    if len(failures) > LISTED_FAILURES:
        lines.append(f"and {len(failures) - LISTED_FAILURES} more")
    return "\n".join(lines)


def change_summary(report: SyncReport) -> str:
    """`3 created, 1 configured, 12 unchanged`: what was done, in a fixed order; empty parts are left out."""
    parts = [f"{count} {action.value}" for action in Action if (count := report.count(action))]
    return ", ".join(parts) or "nothing to do"


def with_deployment(
    history: tuple[HistoryEntry, ...],
    *,
    revision: Revision,
    digest: str,
    succeeded: bool,
    started: datetime,
    finished: datetime,
    initiated_by: str,
    limit: int,
    parts: tuple[Revision, ...] = (),
) -> tuple[HistoryEntry, ...]:
    """The history with one more deployment: equal to the last in content and result counts up, as Flux does."""
    took = finished - started
    last = history[-1] if history else None
    if last is not None and (last.digest, last.succeeded) == (digest, succeeded) and last.revision == str(revision):
        again = structs.replace(last, last_at=finished, duration=took, count=last.count + 1)
        return (*history[:-1], again)
    entry = HistoryEntry(
        id=(last.id + 1) if last else 0,
        revision=str(revision),
        digest=digest,
        first_at=finished,
        last_at=finished,
        duration=took if took > timedelta() else timedelta(),
        succeeded=succeeded,
        initiated_by=initiated_by,
        parts=tuple(map(str, parts)),
    )
    return _newest((*history, entry), limit)


def _newest(entries: tuple[HistoryEntry, ...], limit: int) -> tuple[HistoryEntry, ...]:
    """So many successes and so many failures, so that a bad day pushes no success out; the last one always stays."""
    kept: list[HistoryEntry] = []
    counts = {True: 0, False: 0}
    for entry in reversed(entries):
        counts[entry.succeeded] += 1
        if counts[entry.succeeded] <= limit or not kept:
            kept.append(entry)
    return tuple(reversed(kept))


def images_of(manifests: Iterable[Manifest]) -> tuple[str, ...]:
    """The container images that pod specs of any workload name, sorted."""
    found: set[str] = set()
    for manifest in manifests:
        _collect_images(manifest.get("spec"), found, depth=0)
    return tuple(sorted(found))


def _collect_images(node: object, found: set[str], depth: int) -> None:
    # A pod spec sits at most four levels below `spec` (CronJob: jobTemplate.spec.template.spec).
    if not isinstance(node, dict) or depth > 5:
        return
    for name in ("containers", "initContainers"):
        for container in node.get(name) or ():
            if isinstance(container, dict) and isinstance(image := container.get("image"), str):
                found.add(image)
    for name in ("template", "jobTemplate", "spec"):
        _collect_images(node.get(name), found, depth + 1)


def notice_events(before: tuple[Notice, ...], after: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """Notices that were not there before: the ones to write an Event for."""
    known = set(before)
    return tuple(notice for notice in after if notice not in known)


def is_settled(state: State) -> bool:
    """Whether nothing more happens by itself."""
    return state in (State.READY, State.STALLED)
