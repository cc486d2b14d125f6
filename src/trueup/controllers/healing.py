"""Healing: single objects that drifted are brought back, told with both values, and not more often than is good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec import structs

from trueup.controllers.concluding import Conclusion, conclude, plan_retry, write_status
from trueup.controllers.content import content_again
from trueup.controllers.events import Event
from trueup.controllers.memory import AppMemory
from trueup.controllers.recording import make_record
from trueup.controllers.reporting import failure_message
from trueup.controllers.shell import AppShell
from trueup.controllers.sparing import sparing_ignored
from trueup.controllers.syncing import SyncWish, plan_sync, run_plan
from trueup.model.app import App
from trueup.model.change import Action, Change
from trueup.model.errors import ReconciliationFailed
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Snapshot
from trueup.records.record import RecordKind
from trueup.sync.drift import drifted
from trueup.sync.facts import Absent, LiveFacts
from trueup.sync.heals import HealLimiter, HealState, fight_message

log = structlog.get_logger(__name__)


class Healer:
    """Takes the heal step of any App."""

    def __init__(self, shell: AppShell, look_later: Callable[[ObjectRef, float], None]) -> None:
        self._shell = shell
        self._look_later = look_later
        self._limiter = HealLimiter()
        self._heals: dict[ObjectRef, HealState] = {}

    async def heal(self, memory: AppMemory, obj: Manifest, app: App, snapshot: Snapshot | None) -> None:
        """Brings the drifted objects back, each as often as the limiter allows; the rest is looked at later."""
        shell = self._shell
        wanted, memory.heals = memory.heals, {}
        if not app.rules.self_heal or not app.rules.automated:
            # What a sync has brought back or pruned since the event came is no difference any more.
            drifting = wanted.keys() & shell.tracking.drifting(memory.records)
            if not drifting:
                return
            memory.out_of_sync |= drifting
            memory.synced = False
            await write_status(memory, obj, shell)
            return
        content = await content_again(memory, app, snapshot, shell)
        if content is None:
            memory.content_stale = True
            self._look_later(memory.ref, 0)
            return
        applier = shell.applier_for(app.rules)
        started = shell.clock()
        plan = await plan_sync(memory, app, content, shell, SyncWish(only=frozenset(wanted)))
        # Only what would really be sent counts as a heal: an object that opted out, or came back by itself, is left.
        sent = {send.ref: wanted[send.ref] for send in plan.sends}
        allowed = self._allowed(memory, obj, sent)
        if not allowed:
            return
        if allowed != sent.keys():
            plan = await plan_sync(memory, app, content, shell, SyncWish(only=frozenset(allowed)))
        if app.release is not None and app.release.ignore:
            plan = await sparing_ignored(plan, app.release.ignore, applier)
        revision = memory.saved.revision or memory.saved.attempted
        assert revision is not None
        execution = await run_plan(memory, app, plan, applier, shell, revision=revision, started=started)
        drift = {send.ref: (send.drift, send.meddlers) for send in plan.sends}
        healed = 0
        for change in execution.report.changes:
            if change.ref not in drift or change.action is Action.UNCHANGED:
                continue
            fields, meddlers = drift[change.ref]
            self._tell_heal(memory, obj, structs.replace(change, fields=fields or change.fields), meddlers, started)
            healed += change.action is not Action.FAILED
        shell.metrics.drift.labels(app.dialect).inc(healed)
        for ref in allowed & drift.keys():
            shell.metrics.heal_seconds.observe(max(shell.loop_time() - wanted[ref], 0.0))
        failed = [change for change in execution.report.failures if change.ref in drift]
        if failed:
            error = ReconciliationFailed(failure_message(execution.report))
            state = plan_retry(memory, error, shell)
            if memory.retry_at is not None:
                self._look_later(memory.ref, memory.retry_at - shell.loop_time())
            end = Conclusion(state=state, reason=error.reason, message=error.message)
            await conclude(memory, obj, end, shell)
        else:
            memory.out_of_sync -= set(allowed)
            shell.state.put(memory.ref, memory.to_bytes())

    def _allowed(self, memory: AppMemory, obj: Manifest, wanted: dict[ObjectRef, float]) -> set[ObjectRef]:
        """The objects that may be healed now; the others are put off, and a fight is told once."""
        shell, now = self._shell, self._shell.loop_time()
        allowed: set[ObjectRef] = set()
        for ref, since in wanted.items():
            decision = self._limiter.ask(self._heals.get(ref, HealState()), now)
            self._heals[ref] = decision.state
            if decision.new_fight:
                shell.metrics.fights.inc()
                kept = shell.tracking.facts([ref]).get(ref)
                shell.events.emit(obj, Event(reason="DriftFight", message=_fight(ref, memory, kept), warning=True))
            if decision.allowed:
                allowed.add(ref)
            else:
                memory.heals[ref] = since
                self._look_later(memory.ref, decision.retry_after)
        return allowed

    def _tell_heal(
        self, memory: AppMemory, obj: Manifest, change: Change, meddlers: tuple[str, ...], started: datetime
    ) -> None:
        shell = self._shell
        who = f" by {', '.join(meddlers)}" if meddlers else ""
        what = "; ".join(str(field) for field in change.fields[:5]) or (
            "it was deleted" if change.action is Action.CREATED else "fields were taken over"
        )
        failed = change.action is Action.FAILED
        verb = "could not be brought back" if failed else "was brought back"
        message = f"{change.ref} {verb} after a change{who}: {change.message if failed else what}"
        shell.events.emit(
            obj, Event(reason="DriftNotCorrected" if failed else "DriftCorrected", message=message, warning=failed)
        )
        log.info(
            "drift healed",
            app=str(memory.ref),
            ref=str(change.ref),
            by=meddlers,
            fields=[f.path for f in change.fields],
        )
        result = "failed" if failed else "succeeded"
        for kind in (RecordKind.DRIFT, RecordKind.HEAL):
            shell.recorder.put(
                make_record(shell, kind, memory, result=result, message=message, changes=(change,), started=started)
            )


def _fight(ref: ObjectRef, memory: AppMemory, kept: LiveFacts | Absent | None) -> str:
    if not isinstance(kept, LiveFacts):
        return fight_message(ref, (), ())
    record = memory.records.get(ref)
    return fight_message(ref, kept.meddlers, drifted(record, kept) if record else ())
