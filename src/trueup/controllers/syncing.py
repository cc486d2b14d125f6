"""One sync: plan against what is live, write the inventory ahead, execute, remember. Says nothing to anybody.

What is remembered is right at every moment of a crash or cancellation: each outcome is noted as it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec import Struct

from trueup.controllers.content import Content
from trueup.controllers.managed import Present
from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.model.app import App
from trueup.model.change import Action
from trueup.model.errors import Transient
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.sync.applier import Applier
from trueup.sync.execute import Execution, execute
from trueup.sync.outcomes import Outcome
from trueup.sync.plan import Plan, make_plan

log = structlog.get_logger(__name__)


class InventoryNotWritten(Transient):
    """The write-ahead inventory could not be stored, so nothing was applied."""

    reason = "ReconciliationFailed"


class SyncWish(Struct, frozen=True, kw_only=True):
    """How to sync: `requested` sends everything, `only` some objects alone; without `heal`, what drifted is left."""

    requested: bool = False
    only: frozenset[ObjectRef] | None = None
    heal: bool = True


def kinds_of(content: Content, inventory: Inventory) -> list[tuple[str, str, str]]:
    """Every (group, version, kind) whose objects matter: all versions that are declared, else the one that was."""
    declared = {(item.ref.group, item.version, item.ref.kind) for item in content.desired.values()}
    known = {(group, kind) for group, _, kind in declared}
    left = {(entry.ref.group, entry.version, entry.ref.kind) for entry in inventory.entries}
    return sorted(declared | {row for row in left if (row[0], row[2]) not in known})


async def watch_checks(memory: AppMemory, app: App, shell: AppShell) -> None:
    """Makes sure that the objects of `healthChecks`, and the hooks that run, are seen closely, whoever's they are."""
    checks = app.rules.health_checks
    wanted = {check.ref: check.version for check in checks} | memory.hooks_watched
    shell.managed.watch(memory.ref, wanted, app.rules)
    await shell.tracking.follow({(ref.group, version, ref.kind) for ref, version in wanted.items()})
    for check in checks:
        if isinstance(shell.tracking.get(check.ref), Present):
            # It was listed before anybody cared: look at it once more.
            obj = await shell.control.get(check.ref, check.version)
            if obj is not None:
                shell.tracking.observe(obj)


async def plan_sync(memory: AppMemory, app: App, content: Content, shell: AppShell, wish: SyncWish) -> Plan:
    """Claims the objects, makes sure that they are watched, and plans. Raises WouldPruneAll."""
    refs = content.desired.keys() | memory.saved.inventory.refs
    shell.managed.claim(memory.ref, refs, app.rules)
    await watch_checks(memory, app, shell)
    await shell.tracking.follow(kinds_of(content, memory.saved.inventory))
    return make_plan(
        content.desired.values(),
        memory.records,
        shell.tracking.facts(refs),
        memory.saved.inventory,
        app.rules,
        requested=wish.requested,
        heal=wish.heal,
        only=wish.only,
        autoscaled=shell.managed.scaled,
        declared_elsewhere=declared_elsewhere(memory, content, shell),
    )


def declared_elsewhere(memory: AppMemory, content: Content, shell: AppShell) -> frozenset[ObjectRef]:
    """Of the objects that leave this App, those that another App declares now: they move, and must not be deleted."""
    leaving = memory.saved.inventory.refs - content.desired.keys()
    if not leaving:
        return frozenset()
    others = [
        other.desired
        for other in shell.memories.values()
        if other is not memory and other.desired and other.saved.cluster == memory.saved.cluster
    ]
    return frozenset(ref for ref in leaving if any(ref in desired for desired in others))


async def run_plan(
    memory: AppMemory,
    app: App,
    plan: Plan,
    applier: Applier,
    shell: AppShell,
    *,
    revision: Revision,
    started: datetime,
    keep: Callable[[ObjectRef, Manifest], None] | None = None,
) -> Execution:
    """Writes ahead, executes, and brings the memory up to date. `keep` is given every object that the server answered."""
    if plan.write_ahead is not None:
        await _write_ahead(memory, plan.write_ahead, revision, started, shell)
    sending = frozenset(send.ref for send in plan.sends)

    def note(outcome: Outcome) -> None:
        shell.metrics.changes.labels(outcome.change.action.value).inc()
        if outcome.record is not None:
            memory.records[outcome.change.ref] = outcome.record
        if outcome.answer is not None:
            shell.tracking.observe(outcome.answer)
            if keep is not None:
                keep(outcome.change.ref, outcome.answer)

    with shell.managed.applying(sending):
        execution = await execute(
            plan,
            applier,
            app.rules,
            in_flight=shell.in_flight,
            secret_key=shell.secret_key,
            on_change=note,
            established=shell.established,
        )
    settle(memory, execution)
    # Kinds that came to be by this very sync could not be watched before.
    await shell.tracking.follow(sorted({(e.ref.group, e.version, e.ref.kind) for e in memory.saved.inventory.entries}))
    return execution


def settle(memory: AppMemory, execution: Execution) -> None:
    """What an execution leaves behind in memory."""
    memory.records.update(execution.records)
    for ref in execution.forgotten:
        memory.records.pop(ref, None)
    memory.saved.inventory = execution.inventory
    memory.missing_kinds = execution.waiting_for
    memory.report = execution.report


async def _write_ahead(
    memory: AppMemory, inventory: Inventory, revision: Revision, started: datetime, shell: AppShell
) -> None:
    """The one status write before the first apply. When it fails nothing is applied: no orphan can come to be."""
    dialect = shell.dialect_of(memory.ref)
    memory.saved.inventory = inventory
    written = await shell.writer.write(
        memory.ref, lambda obj: dialect.start_patch(obj, revision, inventory, started), why="start"
    )
    if not written:
        raise InventoryNotWritten(
            "the inventory could not be written to the status before the apply, so nothing was applied",
            hint="check that the controller may patch the status of this resource",
        )


def differing(plan: Plan) -> frozenset[ObjectRef]:
    """The objects that a plan finds different from Git, whether it may change them or not."""
    drifted = {change.ref for change in plan.settled if change.reason in ("Drifted", "PruneDisabled", "TakenOver")}
    return frozenset((drifted | {send.ref for send in plan.sends} | _pruned(plan)) - plan.extraneous)


def brought_back(execution: Execution) -> set[ObjectRef]:
    done = (Action.CREATED, Action.CONFIGURED, Action.RECREATED, Action.UNCHANGED, Action.PRUNED)
    return {change.ref for change in execution.report.changes if change.action in done}


def _pruned(plan: Plan) -> set[ObjectRef]:
    return {prune.ref for stage in plan.prunes.stages for rank in stage for prune in rank}
