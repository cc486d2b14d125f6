"""Uninstalls a release: hooks, objects, hooks, records. The most dangerous thing that is done to one.

Objects go only when the release's own records (or, where they are lost, the inventory) name them and they carry Helm's
marks of this very release.
"""

from __future__ import annotations

from msgspec import structs

from trueup.controllers.releases.actions import inventory_of
from trueup.controllers.releases.hooks import HookRunner
from trueup.controllers.releases.records import StoredRelease
from trueup.controllers.releases.work import ActionFailed, ReleaseWork
from trueup.controllers.reporting import failure_message
from trueup.model.app import DeletionPolicy
from trueup.model.change import Action, SyncReport
from trueup.model.errors import TrueupError
from trueup.model.inventory import Inventory
from trueup.model.releaserecord import ReleaseStatus
from trueup.render.releases import NoRelease
from trueup.sync.execute import execute_prunes
from trueup.sync.facts import Absent
from trueup.sync.prunes import plan_deletion
from trueup.sync.releases.hookorder import HookEvent
from trueup.sync.releases.records import snapshot_of, with_snapshot


async def uninstall(work: ReleaseWork) -> SyncReport | None:
    """What was done to the objects. None: there was nothing to uninstall. Raises ActionFailed."""
    rules = work.spec.uninstall
    try:
        stored = await work.records.last()
    except NoRelease:
        stored = None  # the inventory has to do
    memory = work.memory
    if stored is None and not memory.saved.inventory.entries:
        return None
    if stored is not None and stored.release.info.status is ReleaseStatus.UNINSTALLED:
        if not rules.keep_history:
            await work.records.drop(sorted(await work.records.versions()))
        return None
    if stored is not None:
        memory.saved.inventory = memory.saved.inventory.union(await inventory_of(work, stored))
        info = structs.replace(
            stored.release.info,
            status=ReleaseStatus.UNINSTALLING,
            deleted=work.now(),
            description="Deletion in progress (or silently failed)",
        )
        stored = structs.replace(stored, release=structs.replace(stored.release, info=info))
        stored = await _hooks(work, stored, HookEvent.PRE_DELETE)
        stored = await work.records.update(stored, stored.release)
    report = await delete_objects(work)
    if stored is not None:
        stored = await _hooks(work, stored, HookEvent.POST_DELETE)
        await _close(work, stored)
    return report


async def _hooks(work: ReleaseWork, stored: StoredRelease, event: HookEvent) -> StoredRelease:
    rules = work.spec.uninstall
    if not rules.hooks:
        return stored
    runner = HookRunner(work, stored)
    await runner.run(event, rules.timeout)
    return runner.stored


async def delete_objects(work: ReleaseWork) -> SyncReport:
    """Deletes what the inventory names and is the release's own, last first; waits until it is gone where that is asked."""
    shell, memory, rules = work.shell, work.memory, work.spec.uninstall
    sync_rules = structs.replace(
        work.app.rules, deletion_policy=DeletionPolicy.DELETE, suspend=False, delete_propagation=rules.propagation
    )
    inventory = memory.saved.inventory
    shell.managed.claim(memory.ref, inventory.refs, sync_rules)
    await shell.tracking.follow({(e.ref.group, e.version, e.ref.kind) for e in inventory.entries})
    records, memory.records = memory.records, {}  # what goes now is no drift
    prunes = plan_deletion(inventory, shell.tracking.facts(inventory.refs), sync_rules)
    try:
        execution = await execute_prunes(
            prunes, inventory, work.applier, sync_rules, in_flight=shell.in_flight, on_change=lambda _: None
        )
    except TrueupError:
        memory.records = records
        raise
    report = execution.report
    if report.failures:
        raise ActionFailed(failure_message(report))
    going = {c.ref for c in report.changes if c.action is Action.PRUNED or c.reason == "Terminating"}
    memory.saved.inventory = Inventory.of(entry for entry in inventory.entries if entry.ref in going)
    memory.desired = None
    memory.heals.clear()

    async def gone() -> bool | None:
        facts = shell.tracking.facts(going)
        return True if all(isinstance(facts.get(ref), Absent) for ref in going) else None

    if rules.wait and rules.propagation != "Orphan" and await work.until(gone, rules.timeout) is None:
        facts = shell.tracking.facts(going)
        left = sorted(str(ref) for ref in going if not isinstance(facts.get(ref), Absent))
        raise ActionFailed(f"still there after {rules.timeout}: {', '.join(left[:10])}")
    memory.saved.inventory = Inventory()
    shell.managed.claim(memory.ref, (), sync_rules)
    return report


async def _close(work: ReleaseWork, stored: StoredRelease) -> None:
    """Without `keepHistory` the records go; with it the last one says that the release was uninstalled."""
    info = structs.replace(stored.release.info, status=ReleaseStatus.UNINSTALLED, description="Uninstallation complete")
    release = structs.replace(stored.release, info=info)
    digest, config = stored.digest, stored.config_digest
    if work.spec.uninstall.keep_history:
        for each in await work.records.deployed():
            if each.ref != stored.ref:
                old = structs.replace(each.release.info, status=ReleaseStatus.SUPERSEDED)
                await work.records.update(each, structs.replace(each.release, info=old))
        stored = await work.records.update(stored, release)
        digest, config = stored.digest, stored.config_digest
    else:
        await work.records.drop(sorted(await work.records.versions()))
    if work.state.latest is not None and work.state.latest.version == release.version:
        known = work.state.latest
        snapshot = snapshot_of(
            release, digest=digest, config_digest=config, action=known.action, oci_digest=known.oci_digest
        )
        work.state = structs.replace(work.state, history=with_snapshot(work.state.history, snapshot))
