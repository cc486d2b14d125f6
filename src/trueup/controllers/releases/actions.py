"""The actions on a release, step by step as Helm takes them: record, hooks, objects, wait, hooks, record.

An action ends by returning, its record saying "deployed", or by raising ActionFailed, its record saying "failed". What
fails before there is a record raises NotBegun: nothing was done. Which action is taken when is `sync.releases`' to decide.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from msgspec import Struct, structs

from trueup.controllers.content import Content
from trueup.controllers.recording import make_record
from trueup.controllers.releases.applying import (
    Applied,
    ApplyFailed,
    apply_content,
    content_of,
    delete_created,
    install_definitions,
    make_namespace,
    refuse_others,
    wait_for_objects,
)
from trueup.controllers.releases.hooks import HookRunner
from trueup.controllers.releases.records import StoredRelease
from trueup.controllers.releases.work import ActionFailed, ReleaseWork
from trueup.controllers.reporting import change_summary
from trueup.model.apierror import LeaseLost
from trueup.model.change import Action
from trueup.model.errors import TrueupError
from trueup.model.inventory import Inventory
from trueup.model.release import ActionRules, InstallRules, UpgradeRules
from trueup.model.releaserecord import Release, ReleaseInfo, ReleaseStatus
from trueup.model.releasestate import Attempt, ReleaseAction
from trueup.records.record import RecordKind
from trueup.render.releases import Document, Preparation, Prepared
from trueup.sync.releases.hookorder import HookEvent, is_chosen
from trueup.sync.releases.records import snapshot_of, with_snapshot

_REPLACEABLE = (ReleaseStatus.UNINSTALLED, ReleaseStatus.FAILED)


class NotBegun(TrueupError):
    """An action failed before anything was recorded or applied."""

    reason = "ActionFailed"


class Events(Struct, frozen=True):
    before: HookEvent
    after: HookEvent


class Course(Struct, frozen=True, kw_only=True):
    """One action that makes a release: what is recorded, and by which rules it is brought about."""

    action: ReleaseAction
    release: Release
    documents: tuple[Document, ...]
    labels: dict[str, str]
    content: Content
    rules: ActionRules
    events: Events
    done: str
    """The description of a record that ended well."""
    cleanup: bool = False


async def install(work: ReleaseWork) -> None:
    rules = work.spec.install
    last = await work.records.last()
    if last is not None and not (rules.replace and last.release.info.status in _REPLACEABLE):
        # As Helm's install action: a name that is in the history is free again only for who says so.
        raise NotBegun(
            f"cannot reuse a name that is still in use: {last.release.name} {last.release.version} is"
            f" {last.release.info.status} in the history",
            hint="set spec.install.replace: true, or remove the history: helm uninstall",
        )
    version = last.release.version + 1 if last is not None else 1
    course = await _prepared(work, ReleaseAction.INSTALL, rules, version, previous=None, first="")
    if rules.create_namespace:
        await _begin(lambda: make_namespace(work))
    if not rules.take_ownership:
        await _begin(lambda: refuse_others(work, course.content, work.memory.saved.inventory))
    # A new release begins a new history: what was uninstalled is no release to go back to.
    work.state = structs.replace(work.state, history=())
    await _carry_out(work, course, superseded=[])


async def upgrade(work: ReleaseWork) -> None:
    """From the release that is deployed, or else the last one; objects that leave the manifest are pruned."""
    rules = work.spec.upgrade
    last = await work.records.last()
    if last is None:
        raise NotBegun("the release has gone meanwhile")
    deployed = await work.records.deployed()
    current = deployed[0] if deployed else last
    course = await _prepared(
        work,
        ReleaseAction.UPGRADE,
        rules,
        last.release.version + 1,
        previous=current.release if rules.preserve_values else None,
        first=current.release.info.first_deployed,
        labels=last.labels,
    )
    if not rules.take_ownership:
        known = await _begin(lambda: inventory_of(work, current))
        await _begin(lambda: refuse_others(work, course.content, known))
    await _remember_objects(work, [current, last])
    await _carry_out(work, course, superseded=deployed)


async def rollback(work: ReleaseWork, target: StoredRelease) -> None:
    """To an earlier release's manifest, as a new release of its own."""
    rules = work.spec.rollback
    last = await work.records.last()
    if last is None:
        raise NotBegun("the release has gone meanwhile")
    deployed = await work.records.deployed()
    before = target.release
    info = ReleaseInfo(
        first_deployed=last.release.info.first_deployed,
        last_deployed=work.now(),
        status=ReleaseStatus.PENDING_ROLLBACK,
        notes=before.info.notes,
        rollback_revision=before.version,
        description=f"Rollback to {before.version}",
    )
    release = structs.replace(before, info=info, version=last.release.version + 1, apply_method="ssa")
    content = await _begin(lambda: content_of(work, target.objects, tainted=True))
    course = Course(
        action=ReleaseAction.ROLLBACK,
        release=release,
        documents=target.objects,
        labels=target.labels,
        content=content,
        rules=rules,
        events=Events(HookEvent.PRE_ROLLBACK, HookEvent.POST_ROLLBACK),
        done=info.description,
        cleanup=rules.cleanup_on_fail,
    )
    await _remember_objects(work, [last])
    await _carry_out(work, course, superseded=deployed)


async def test(work: ReleaseWork) -> int:
    """Runs the tests that are asked for. How many; raises ActionFailed for the first that fails."""
    rules = work.spec.test
    stored = await work.records.last()
    if stored is None:
        raise NotBegun("the release has gone meanwhile")
    chosen = tuple(hook for hook in stored.release.hooks or () if hook.is_test and is_chosen(hook, rules.filters))
    runner = HookRunner(work, stored)
    try:
        await runner.run(HookEvent.TEST, rules.timeout, chosen=chosen)
    finally:
        if chosen:
            runner.stored = await work.records.update(runner.stored, runner.stored.release)
        _observe(work, runner.stored, ReleaseAction.TEST, tested=True)
    return len(chosen)


async def unlock(work: ReleaseWork) -> StoredRelease:
    """An action that never ended is called a failure, so that the next one may begin."""
    stored = await work.records.last()
    if stored is None:
        raise NotBegun("the release has gone meanwhile")
    status = stored.release.info.status
    info = structs.replace(
        stored.release.info,
        status=ReleaseStatus.FAILED,
        description=f"Release unlocked from stale '{status}' state",
    )
    stored = await work.records.update(stored, structs.replace(stored.release, info=info))
    latest = work.state.latest
    if latest is not None and latest.version == stored.release.version:
        _observe(work, stored, ReleaseAction.UNLOCK)
    return stored


async def inventory_of(work: ReleaseWork, stored: StoredRelease) -> Inventory:
    """The objects of a record's manifest."""
    content = await content_of(work, stored.objects, tainted=True)
    return Inventory.of(item.entry for item in content.desired.values())


# the course of an action that makes a release


async def _prepared(
    work: ReleaseWork,
    action: ReleaseAction,
    rules: InstallRules | UpgradeRules,
    version: int,
    *,
    previous: Release | None,
    first: str,
    labels: dict[str, str] | None = None,
) -> Course:
    """CRDs, then the render: charts ask which kinds the cluster has. Raises NotBegun."""
    upgrades = action is ReleaseAction.UPGRADE
    job = work.job
    assert job is not None
    snapshot = job.snapshot
    assert snapshot is not None
    crds = await _begin(lambda: work.shell.releases.engine.definitions(snapshot, work.chart_path))
    await _begin(lambda: install_definitions(work, crds, rules.crds))
    prepared, content = await _begin(lambda: rendered(work, action, rules.validate_values, version, previous))
    now = work.now()
    info = structs.replace(
        prepared.release.info,
        first_deployed=first or now,
        last_deployed=now,
        status=ReleaseStatus.PENDING_UPGRADE if upgrades else ReleaseStatus.PENDING_INSTALL,
        description="Preparing upgrade" if upgrades else "Initial install underway",
    )
    events = (
        Events(HookEvent.PRE_UPGRADE, HookEvent.POST_UPGRADE)
        if upgrades
        else Events(HookEvent.PRE_INSTALL, HookEvent.POST_INSTALL)
    )
    return Course(
        action=action,
        release=structs.replace(prepared.release, info=info),
        documents=prepared.objects,
        labels=labels or {},
        content=content,
        rules=rules,
        events=events,
        done="Upgrade complete" if upgrades else "Install complete",
        cleanup=isinstance(rules, UpgradeRules) and rules.cleanup_on_fail,
    )


async def rendered(
    work: ReleaseWork, action: ReleaseAction, validate_values: bool, version: int, previous: Release | None
) -> tuple[Prepared, Content]:
    """As an install or an upgrade renders, by what the cluster serves now. Raises BuildFailed and its kinds."""
    spec, shell, job = work.spec, work.shell, work.job
    assert job is not None
    assert job.snapshot is not None
    wanted = Preparation(
        chart=work.chart_path,
        name=spec.name,
        namespace=spec.namespace,
        revision=version,
        upgrade=action is ReleaseAction.UPGRADE,
        values=work.values,
        version=work.chart.version,
        previous=previous,
        capabilities=await shell.capabilities(),
        validate_values=validate_values,
        post_renderers=spec.post_renderers,
        strategy=spec.post_render_strategy,
        labels=spec.origin_labels,
        common_metadata=spec.common_metadata,
    )
    lookup = shell.releases.lookup_for(work.app.rules)
    prepared = await shell.releases.engine.prepare(job.snapshot, wanted, lookup)
    return prepared, await content_of(work, prepared.objects, tainted=prepared.tainted)


async def _carry_out(work: ReleaseWork, course: Course, *, superseded: list[StoredRelease]) -> None:
    """From the pending record to its end. Raises NotBegun, ActionFailed, and what must end everything."""
    stored = await _begin(
        lambda: work.records.create(course.release, course.labels, course.documents, limit=work.spec.max_history)
    )
    _attempted(work, course)
    work.memory.release = work.state  # whoever ends this in the middle knows that something was begun
    runner = HookRunner(work, stored)
    applied: Applied | None = None
    try:
        if course.rules.hooks:
            await runner.run(course.events.before, course.rules.timeout)
        applied = await apply_content(work, course.content, course.rules.timeout)
        if course.rules.wait:
            await wait_for_objects(work, course.content, course.rules.timeout, jobs=course.rules.wait_for_jobs)
        if course.rules.hooks:
            await runner.run(course.events.after, course.rules.timeout)
        for each in superseded:
            await _supersede(work, each)
        await _end(work, runner.stored, ReleaseStatus.DEPLOYED, course.done, course.action)
    except LeaseLost:
        raise
    except TrueupError as error:
        applied = error.applied if isinstance(error, ApplyFailed) else applied
        await _fail(work, course, runner.stored, error, applied)
        raise ActionFailed(work.masker.text(error.message)) from None
    finally:
        _record_changes(work, applied)


async def _fail(
    work: ReleaseWork, course: Course, stored: StoredRelease, error: TrueupError, applied: Applied | None
) -> None:
    said = work.masker.text(error.message)
    verb = "Upgrade" if course.action is ReleaseAction.UPGRADE else "Release"
    await _end(work, stored, ReleaseStatus.FAILED, f'{verb} "{course.release.name}" failed: {said}', course.action)
    if course.cleanup and applied is not None:
        await delete_created(work, applied)


async def _end(
    work: ReleaseWork, stored: StoredRelease, status: ReleaseStatus, description: str, action: ReleaseAction
) -> None:
    info = structs.replace(stored.release.info, status=status, description=description)
    release = structs.replace(stored.release, info=info)
    stored = await work.records.update(stored, release, oci_digest=work.artifact_digest)
    _observe(work, stored, action)


async def _supersede(work: ReleaseWork, stored: StoredRelease) -> None:
    info = structs.replace(stored.release.info, status=ReleaseStatus.SUPERSEDED)
    known = next((each for each in work.state.history if each.version == stored.release.version), None)
    digest = known.oci_digest if known is not None else ""
    stored = await work.records.update(stored, structs.replace(stored.release, info=info), oci_digest=digest)
    if known is not None:
        renewed = structs.replace(known, status=info.status.value, digest=stored.digest)
        work.state = structs.replace(work.state, history=with_snapshot(work.state.history, renewed))


def _attempted(work: ReleaseWork, course: Course) -> None:
    """What a failure counts for from now on. A rollback is no attempt: the one that it remedies goes on counting."""
    if course.action is ReleaseAction.ROLLBACK:
        return
    work.state = structs.replace(
        work.state,
        attempt=Attempt(
            generation=work.app.generation,
            revision=work.chart.version,
            artifact_digest=work.artifact_digest,
            config_digest=work.config_digest,
            action=course.action.value,
        ),
        storage_namespace=work.spec.storage_namespace,
        crds=work.crds or work.state.crds,
    )


def _observe(work: ReleaseWork, stored: StoredRelease, action: ReleaseAction, *, tested: bool = False) -> None:
    known = next((each for each in work.state.history if each.version == stored.release.version), None)
    snapshot = snapshot_of(
        stored.release,
        digest=stored.digest,
        config_digest=stored.config_digest,
        action=known.action
        if known is not None and action in (ReleaseAction.TEST, ReleaseAction.UNLOCK)
        else action.value,
        oci_digest=work.artifact_digest if known is None else known.oci_digest,
        tested=tested,
    )
    work.state = structs.replace(work.state, history=with_snapshot(work.state.history, snapshot))


async def _remember_objects(work: ReleaseWork, releases: list[StoredRelease]) -> None:
    """What earlier manifests hold may have to be pruned, whether we applied them or `helm` did."""
    for stored in releases:
        found = await _begin(partial(inventory_of, work, stored))
        work.memory.saved.inventory = work.memory.saved.inventory.union(found)


def _record_changes(work: ReleaseWork, applied: Applied | None) -> None:
    if applied is None or work.job is None:
        return
    report = applied.report
    changed = tuple(change for change in report.changes if change.action is not Action.UNCHANGED)
    failed = report.failures
    result = "succeeded" if not failed else ("failed" if len(failed) == len(report.changes) else "partial")
    work.shell.metrics.syncs.labels(work.app.dialect, result).inc()
    if not changed:
        return
    work.shell.recorder.put(
        make_record(
            work.shell,
            RecordKind.SYNC,
            work.memory,
            result=result,
            message=change_summary(report),
            changes=changed,
            manifests=applied.manifests,
            started=work.job.started,
        )
    )


async def _begin(step: Callable[[], Awaitable[Any]]) -> Any:
    """A step before the record: its failure means that nothing was begun."""
    try:
        return await step()
    except LeaseLost:
        raise
    except TrueupError as error:
        raise NotBegun(str(error), reason=error.reason) from None


__all__ = ["NotBegun", "install", "inventory_of", "rendered", "rollback", "test", "unlock", "upgrade"]
