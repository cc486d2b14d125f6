"""The end of an App: its resource is being deleted. What happens to its objects, and when we let the resource go.

Deleting is the most dangerous thing that we do. Objects go only by the App's own policy and marks; when the App goes
because its CRD or namespace goes, they live on, and that is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog

from trueup.controllers import hooking
from trueup.controllers.concluding import plan_retry, write_status
from trueup.controllers.deletion_hooks import DeletionHooks, HookFailed, HooksUnknown
from trueup.controllers.events import Event
from trueup.controllers.memory import AppMemory
from trueup.controllers.progress import after
from trueup.controllers.reporting import change_summary, failure_message
from trueup.controllers.shell import AppShell
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.app import App, DeletionPolicy
from trueup.model.change import Action
from trueup.model.errors import Terminal, Transient, TrueupError
from trueup.model.hook import Phase
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest, is_deleting, metadata_of
from trueup.model.outcome import State
from trueup.model.refs import ObjectRef
from trueup.records.record import Record, RecordKind
from trueup.sync.applier import Applier
from trueup.sync.execute import Execution, execute_prunes
from trueup.sync.facts import Absent, LiveFacts
from trueup.sync.optout import has_mark
from trueup.sync.order import CRD, NAMESPACE
from trueup.sync.prunes import plan_deletion

log = structlog.get_logger(__name__)


class DeletionNotApproved(Transient):
    """The deletion asks for a person's approval."""

    reason = "DeletionNotApproved"


CLUSTER_NOT_FOUND = "ClusterNotFound"
CLUSTER_REASONS = frozenset({CLUSTER_NOT_FOUND, "ClusterUnreachable", "ClusterRefused"})
CHECK_SECONDS = 2.0
"""How often a deletion that waits for its objects looks again, besides being woken by their events."""


class Uninstall(Protocol):
    """Begins to uninstall a Helm release; `done` is awaited when nothing is left of it."""

    async def __call__(
        self, memory: AppMemory, obj: Manifest, app: App, done: Callable[[], Awaitable[None]]
    ) -> None: ...


class Deleter:
    """Takes the two steps of a deletion."""

    def __init__(
        self, shell: AppShell, home: Applier, look_later: Callable[[ObjectRef, float], None], uninstall: Uninstall
    ) -> None:
        self._shell = shell
        self._home = home
        """Where the resources are, and their namespaces and CRDs."""
        self._look_later = look_later
        self._hooks = DeletionHooks(shell)
        self._uninstall = uninstall

    async def delete(self, memory: AppMemory, obj: Manifest, *, holds: bool) -> None:
        """`holds`: our finalizer is on. Without it the resource goes by itself and its objects live on."""
        if not holds:
            return
        reason = await self._going_with(memory.ref)
        if reason:
            await self._let_live(memory, obj, reason)
            return
        app = memory.app or self._read(memory, obj)
        if app is None:
            await self._let_live(memory, obj, f"it cannot be read ({memory.problem})")
            return
        if app.release is not None:
            if memory.retry_at is not None and memory.retry_at > self._shell.loop_time():
                return  # it failed, and its next try is planned
            if app.rules.suspend:
                await self._let_live(memory, obj, "it was suspended")
            else:
                await self._uninstall(memory, obj, app, lambda: self._take_finalizer_off(memory))
            return
        try:
            await self._step(memory, obj, app)
        except TrueupError as error:
            await self._failed(memory, obj, error)

    async def without_cluster(self, memory: AppMemory, obj: Manifest, problem: TrueupError) -> None:
        """The cluster of its objects cannot be worked on. Nothing is forgotten: it waits, unless they were to live on anyway."""
        if reason := await self._going_with(memory.ref):
            await self._let_live(memory, obj, reason)
            return
        app = memory.app or self._read(memory, obj)
        if not memory.saved.moved:
            stored = self._shell.dialect_of(memory.ref).stored_inventory(obj)
            memory.saved.inventory = memory.saved.inventory.union(stored)
        released = memory.release is not None and memory.release.latest is not None
        owns = bool(memory.saved.inventory.entries) or released
        if app is None or app.rules.suspend or leaves_objects(app) or not owns:
            why = "it was deleted" if app is not None else f"it cannot be read ({memory.problem})"
            await self._let_live(memory, obj, f"{why} while {problem.message}")
            return
        if problem.reason == CLUSTER_NOT_FOUND and self._shell.dialect_of(memory.ref).forgets_lost_clusters:
            await self._let_live(memory, obj, problem.message)
            return
        if memory.retry_at is None or memory.retry_at <= self._shell.loop_time():
            await self._failed(memory, obj, problem)

    async def _step(self, memory: AppMemory, obj: Manifest, app: App) -> None:
        """One part of the deletion after another: hooks before it, the objects, hooks after it; each has a finalizer."""
        dialect = self._shell.dialect_of(memory.ref)
        phases = dialect.deletion_phases(obj)
        if Phase.PRE_DELETE in phases:
            if not await self._hooks.run(memory, obj, app, Phase.PRE_DELETE):
                self._look_later(memory.ref, CHECK_SECONDS)
                return
            await self._take_hooks_off(memory, phases - {Phase.PRE_DELETE})
        if dialect.finalizer_patch(obj, present=False) is not None:
            if not await self._delete_objects(memory, obj, app):
                return
            await self._take_finalizer_off(memory)
        if Phase.POST_DELETE in phases:
            if not await self._hooks.run(memory, obj, app, Phase.POST_DELETE):
                self._look_later(memory.ref, CHECK_SECONDS)
                return
            await self._take_hooks_off(memory, frozenset())

    async def _take_hooks_off(self, memory: AppMemory, left: frozenset[Phase]) -> None:
        dialect = self._shell.dialect_of(memory.ref)
        await self._shell.writer.write(
            memory.ref, lambda current: dialect.hook_finalizers_patch(current, left), why="finalizer"
        )

    async def _going_with(self, ref: ObjectRef) -> str:
        """Why the resource goes, when it is not because somebody deleted just it; empty: somebody did."""
        applier = self._home
        dialect = self._shell.dialect_of(ref)
        if ref.namespace:
            namespace = await applier.get(ObjectRef(NAMESPACE.group, NAMESPACE.kind, "", ref.namespace), "v1")
            if namespace is None or is_deleting(namespace):
                return f"its namespace {ref.namespace} is being deleted"
        crd = await applier.get(ObjectRef(CRD.group, CRD.kind, "", dialect.app_kind.crd_name), "v1")
        if crd is None or is_deleting(crd):
            return f"its CRD {dialect.app_kind.crd_name} is being deleted"
        return ""

    async def _let_live(self, memory: AppMemory, obj: Manifest, why: str) -> None:
        kept = len(memory.saved.inventory)
        message = f"{memory.ref} goes because {why}; its {kept} objects live on, unmanaged"
        log.warning("objects left alive", app=str(memory.ref), why=why, objects=kept)
        self._shell.events.emit(obj, Event(reason="ObjectsKept", message=message, warning=True))
        self._record(memory, message, "succeeded")
        await self._take_finalizer_off(memory)

    def _read(self, memory: AppMemory, obj: Manifest) -> App | None:
        try:
            return self._shell.read_app(memory.ref, obj)
        except Terminal as error:
            memory.problem = error
            return None

    async def _delete_objects(self, memory: AppMemory, obj: Manifest, app: App) -> bool:
        """Deletes by the policy. True: nothing more is to be waited for."""
        shell = self._shell
        dialect = shell.dialect_of(memory.ref)
        stored = Inventory() if memory.saved.moved else dialect.stored_inventory(obj)
        memory.saved.inventory = memory.saved.inventory.union(stored) if not memory.deleting else memory.saved.inventory
        memory.deleting = True
        inventory = memory.saved.inventory
        shell.managed.claim(memory.ref, inventory.refs | memory.going, app.rules)
        await shell.tracking.follow({(e.ref.group, e.version, e.ref.kind) for e in inventory.entries})
        self._check_approved(memory, obj, app)
        prunes = plan_deletion(inventory, shell.tracking.facts(inventory.refs), app.rules)
        records, memory.records = memory.records, {}  # what goes now is not drift
        try:
            execution = await execute_prunes(
                prunes,
                inventory,
                shell.applier_for(app.rules),
                app.rules,
                in_flight=shell.in_flight,
                on_change=lambda _: None,
            )
        except TrueupError:
            memory.records = records
            raise
        if execution.report.failures:
            raise _DeletionFailed(failure_message(execution.report))
        memory.saved.inventory = execution.inventory
        changes = execution.report.changes
        memory.going |= {c.ref for c in changes if c.action is Action.PRUNED or c.reason == "Terminating"}
        shell.managed.claim(memory.ref, execution.inventory.refs | memory.going, app.rules)
        waits = app.rules.deletion_policy is DeletionPolicy.WAIT_FOR_TERMINATION or dialect.waits_for_deletion
        if waits and not self._all_gone(memory):
            self._look_later(memory.ref, CHECK_SECONDS)
            return False
        await self._delete_hooks(memory, app)
        summary = change_summary(execution.report)
        self._record(memory, f"deleted with its resource: {summary}", "succeeded", execution)
        shell.events.emit(obj, Event(reason="Deleted", message=f"{memory.ref}: {summary}"))
        return True

    def _check_approved(self, memory: AppMemory, obj: Manifest, app: App) -> None:
        """Raises DeletionNotApproved while a deletion that asks for a person's approval has not got it since it began."""
        rules, opt_out = app.rules, app.rules.opt_out
        if rules.deletion_policy is DeletionPolicy.ORPHAN:
            return
        facts = self._shell.tracking.facts(memory.saved.inventory.refs)
        asking = [
            ref
            for ref, seen in sorted(facts.items())
            if isinstance(seen, LiveFacts)
            and has_mark(opt_out.confirm_delete, seen.labels, seen.annotations, opt_out.options_annotation)
        ]
        if not asking and not rules.confirm_delete:
            return
        approved = self._shell.dialect_of(memory.ref).read_requests(obj).approved_at
        if approved is not None and approved >= datetime.fromisoformat(str(metadata_of(obj)["deletionTimestamp"])):
            return
        what = f"{asking[0]}{f' and {len(asking) - 1} more' if len(asking) > 1 else ''}" if asking else str(memory.ref)
        raise DeletionNotApproved(
            f"waiting for somebody to approve of deleting {what}",
            hint="annotate the Application with argocd.argoproj.io/deletion-approved: the time now (RFC 3339)",
        )

    async def _delete_hooks(self, memory: AppMemory, app: App) -> None:
        """What the hooks of its syncs left goes with the objects, where these go."""
        if app.rules.deletion_policy is DeletionPolicy.ORPHAN or app.rules.suspend:
            return
        saved = memory.saved
        left = after(saved.hooks, saved.progress) if saved.progress is not None else saved.hooks
        applier = self._shell.applier_for(app.rules)
        await hooking.clean_up([each for each in left if not each.refused], applier, app.rules.delete_propagation)
        saved.hooks, saved.progress = (), None

    def _all_gone(self, memory: AppMemory) -> bool:
        facts = self._shell.tracking.facts(memory.going)
        return all(isinstance(facts.get(ref), Absent) for ref in memory.going)

    async def _take_finalizer_off(self, memory: AppMemory) -> None:
        dialect = self._shell.dialect_of(memory.ref)
        await self._shell.writer.write(
            memory.ref, lambda current: dialect.finalizer_patch(current, present=False), why="finalizer"
        )

    async def _failed(self, memory: AppMemory, obj: Manifest, error: TrueupError) -> None:
        """A missing ServiceAccount lets go, as in Flux: its rights are gone, and nobody could delete with them again."""
        if isinstance(error, ApiError) and error.is_forbidden and memory.app and memory.app.rules.service_account:
            await self._let_live(memory, obj, f"its ServiceAccount may not delete ({error.message})")
            return
        plan_retry(memory, error, self._shell)
        self._look_later(memory.ref, 10.0)
        spoken = isinstance(error, HookFailed | HooksUnknown | DeletionNotApproved | ClusterUnreachable)
        reason = error.reason if spoken or error.reason in CLUSTER_REASONS else "PruneFailed"
        memory.saved.state, memory.saved.reason, memory.saved.message = State.RETRYING, reason, str(error)
        self._shell.events.emit(obj, Event(reason=reason, message=str(error), warning=True))
        self._record(memory, str(error), "failed")
        await write_status(memory, obj, self._shell)

    def _record(self, memory: AppMemory, message: str, result: str, execution: Execution | None = None) -> None:
        self._shell.recorder.put(
            Record(
                kind=RecordKind.PRUNE,
                app=memory.ref,
                dialect=self._shell.dialect_of(memory.ref).name,
                at=self._shell.clock(),
                result=result,
                message=message,
                revision=str(memory.saved.applied or ""),
                changes=execution.report.changes if execution else (),
            )
        )


def leaves_objects(app: App) -> bool:
    """Whether its deletion deletes nothing."""
    policy = app.rules.deletion_policy
    return policy is DeletionPolicy.ORPHAN or (policy is DeletionPolicy.MIRROR_PRUNE and not app.rules.prune)


class _DeletionFailed(TrueupError):
    reason = "PruneFailed"
