"""Carry a plan out: stages and ranks one after another, the objects of a rank together, with a bound.

One object, one request. A refusal is that object's own result and stops no other; what ends everything is losing the
right to write (`LeaseLost`), a cancellation, or a bug. Each outcome is reported as it happens, so nothing that was done
is lost when the rest is not reached. Where a result is read from the answer, see `outcomes`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from msgspec import Struct, structs

from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed, LeaseLost
from trueup.model.app import SyncRules
from trueup.model.change import Action, Change, SyncReport
from trueup.model.errors import TrueupError
from trueup.model.inventory import Inventory
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind, ObjectRef
from trueup.sync.applier import Applier
from trueup.sync.apply_one import apply_one
from trueup.sync.delete_one import delete_one
from trueup.sync.explain import explain, is_permanent
from trueup.sync.facts import AppliedRecord
from trueup.sync.inventory import after_sync
from trueup.sync.order import CRD
from trueup.sync.outcomes import Outcome
from trueup.sync.plan import Plan, Send
from trueup.sync.prunes import Prune, PrunePlan

ESTABLISH_TIMEOUT = timedelta(seconds=60)
T = TypeVar("T")


class Established(Protocol):
    """Returns when a CRD is established and its kind is in discovery; the caller bounds the wait."""

    async def __call__(self, crd: Manifest) -> None: ...


class Execution(Struct, frozen=True, kw_only=True):
    """The end of one sync."""

    report: SyncReport
    records: dict[ObjectRef, AppliedRecord]
    """New and changed ones."""
    inventory: Inventory
    forgotten: frozenset[ObjectRef] = frozenset()
    """Objects that are gone or no longer ours: their records can go."""
    waiting_for: frozenset[GroupKind] = frozenset()
    """Kinds whose CRDs may still come: plan again when they appear."""
    retryable: bool = True
    """Whether any failure may pass by itself; False: only a new revision or spec can help."""


async def execute(
    plan: Plan,
    applier: Applier,
    rules: SyncRules,
    *,
    in_flight: int,
    secret_key: bytes,
    on_change: Callable[[Outcome], None],
    established: Established,
) -> Execution:
    """Applies, then prunes. The caller has written `plan.write_ahead` before. Raises LeaseLost.

    When any object failed nothing is pruned: what it should be replaced by may not be running.
    """
    run = _Run(plan, applier, rules, in_flight, secret_key, on_change, established)
    started = asyncio.get_running_loop().time()
    for change in plan.settled:
        run.note(Outcome(change=change))
    await run.make_namespace()
    for index, stage in enumerate(plan.stages):
        for rank in stage:
            await run.together([_task(run.apply, send) for send in rank])
        if index + 1 < len(plan.stages):
            await run.wait_for_definitions([send for rank in stage for send in rank])
    await run.prune(plan.prunes)
    return run.finish(timedelta(seconds=asyncio.get_running_loop().time() - started))


async def execute_prunes(
    prunes: PrunePlan,
    inventory: Inventory,
    applier: Applier,
    rules: SyncRules,
    *,
    in_flight: int,
    on_change: Callable[[Outcome], None],
) -> Execution:
    """The deletion of a whole App (`plan_deletion`); its inventory shrinks to what could not be deleted."""

    async def never(crd: Manifest) -> None:
        raise AssertionError(f"nothing is applied here, yet {crd} is waited for")

    plan = Plan(prunes=prunes, settled=prunes.settled, old=inventory)
    return await execute(
        plan, applier, rules, in_flight=in_flight, secret_key=b"", on_change=on_change, established=never
    )


def _task(function: Callable[[T], Awaitable[None]], item: T) -> Callable[[], Awaitable[None]]:
    return lambda: function(item)


class _Run:
    """The state of one execution."""

    def __init__(
        self,
        plan: Plan,
        applier: Applier,
        rules: SyncRules,
        in_flight: int,
        secret_key: bytes,
        on_change: Callable[[Outcome], None],
        established: Established,
    ) -> None:
        self.plan = plan
        self.applier = applier
        self.rules = rules
        self.secret_key = secret_key
        self.on_change = on_change
        self.established = established
        self.bound = asyncio.Semaphore(in_flight)
        self.outcomes: list[Outcome] = []
        self.unreachable: ClusterUnreachable | None = None

    def note(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.on_change(outcome)

    async def together(self, tasks: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Runs all, at most `in_flight` at once; the first error that is nobody's own result ends the others."""
        if len(tasks) == 1:
            await tasks[0]()
            return

        async def bounded(task: Callable[[], Awaitable[None]]) -> None:
            async with self.bound:
                await task()

        try:
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(bounded(task))
        except BaseExceptionGroup as failed:
            lost = failed.subgroup(LeaseLost)
            if lost is None:
                raise
            raise LeaseLost(str(_first(lost))) from failed

    async def apply(self, send: Send) -> None:
        if self.unreachable is not None:
            self.note(self.failed(send, self.unreachable))
            return
        try:
            outcome = await apply_one(send, self.applier, self.rules, self.secret_key)
        except LeaseLost:
            raise
        except TrueupError as error:
            outcome = self.failed(send, error)
        self.note(outcome)

    def failed(self, send: Send, error: TrueupError) -> Outcome:
        if isinstance(error, ClusterUnreachable):
            self.unreachable = error
        text = explain(error, send.ref, send.desired.version, hide_values=send.desired.tainted)
        if (blame := self.blame(send.ref)) and not isinstance(error, ClusterUnreachable):
            text += f"\n  {blame}"
        return Outcome(
            change=Change(
                ref=send.ref,
                version=send.desired.version,
                action=Action.FAILED,
                reason=error.reason,
                message=text,
                origin=send.desired.origin,
            ),
            waits_for=send.ref.group_kind if isinstance(error, KindNotServed) else None,
            retryable=not is_permanent(error),
        )

    def blame(self, ref: ObjectRef) -> str:
        """The failure of this sync that may have caused another one: the object's namespace, or its kind's CRD."""
        for outcome in self.outcomes:
            change = outcome.change
            if change.action is not Action.FAILED:
                continue
            its_namespace = (change.ref.kind, change.ref.name) == ("Namespace", ref.namespace)
            its_definition = change.ref.group_kind == CRD and change.ref.name.endswith(f".{ref.group}") and ref.group
            if its_namespace or its_definition:
                return f"{change.ref} failed in this sync too"
        return ""

    async def make_namespace(self) -> None:
        """Argo's CreateNamespace: made when it is not there, never changed, not ours."""
        name = self.plan.create_namespace
        if not name:
            return
        ref = ObjectRef("", "Namespace", "", name)
        change = Change(ref=ref, version="v1", action=Action.CREATED, message="asked for by CreateNamespace")
        try:
            await self.applier.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        except ApiError as error:
            if error.code == 409:
                return
            text = explain(error, ref, "v1")
            change = structs.replace(change, action=Action.FAILED, reason=error.reason, message=text)
        except ClusterUnreachable as error:
            self.unreachable = error
            change = structs.replace(change, action=Action.FAILED, reason=error.reason, message=str(error))
        self.note(Outcome(change=change))

    async def wait_for_definitions(self, sends: list[Send]) -> None:
        """Objects of later stages may need the CRDs that were just applied; a CRD that is not ready is said by theirs."""
        applied = {outcome.change.ref: outcome.answer for outcome in self.outcomes if outcome.answer is not None}
        crds = [applied[send.ref] for send in sends if send.ref.group_kind == CRD and send.ref in applied]
        bound = min(ESTABLISH_TIMEOUT, self.rules.timeout).total_seconds()

        async def wait(crd: Manifest) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(bound):
                    await self.established(crd)

        await self.together([_task(wait, crd) for crd in crds if crd is not None])

    async def prune(self, prunes: PrunePlan) -> None:
        if not prunes.stages:
            return
        if any(outcome.change.action is Action.FAILED for outcome in self.outcomes):
            for prune in _flat(prunes):
                self.note(self.kept(prune, Action.SKIPPED, "ApplyFailed", "not pruned, because other objects failed"))
            return
        for stage in prunes.stages:
            for rank in stage:
                await self.together([_task(self.delete, prune) for prune in rank])

    async def delete(self, prune: Prune) -> None:
        if self.unreachable is not None:
            self.note(self.kept(prune, Action.FAILED, self.unreachable.reason, str(self.unreachable)))
            return
        try:
            deleted = await delete_one(prune, self.applier, self.rules, whole=self.plan.prunes.whole)
        except LeaseLost:
            raise
        except KindNotServed as error:
            # Gone for good with its CRD; but an API that is only away for a while must not make us forget its objects.
            if self.plan.prunes.whole or self.removed_definition_of(prune.ref):
                self.note(structs.replace(self.kept(prune, Action.SKIPPED, "Gone", "its kind is gone"), gone=True))
            else:
                self.note(self.kept(prune, Action.SKIPPED, error.reason, f"not pruned: {error.message}"))
        except TrueupError as error:
            if isinstance(error, ClusterUnreachable):
                self.unreachable = error
            text = explain(error, prune.ref, prune.entry.version)
            self.note(self.kept(prune, Action.FAILED, error.reason, text))
        else:
            self.note(Outcome(change=deleted.change, gone=deleted.gone, let_go=deleted.let_go))

    def removed_definition_of(self, ref: ObjectRef) -> bool:
        return any(
            outcome.gone and outcome.change.ref.group_kind == CRD and outcome.change.ref.name.endswith(f".{ref.group}")
            for outcome in self.outcomes
        )

    def kept(self, prune: Prune, action: Action, reason: str, message: str) -> Outcome:
        return Outcome(
            change=Change(ref=prune.ref, version=prune.entry.version, action=action, reason=reason, message=message)
        )

    def finish(self, took: timedelta) -> Execution:
        prunes = self.plan.prunes
        gone = prunes.gone | {o.change.ref for o in self.outcomes if o.gone}
        let_go = prunes.let_go | {o.change.ref for o in self.outcomes if o.let_go}
        failures = [o for o in self.outcomes if o.change.action is Action.FAILED]
        inventory = after_sync(self.plan.old, self.plan.desired, gone=gone, let_go=let_go)
        return Execution(
            report=SyncReport(changes=tuple(o.change for o in self.outcomes), took=took),
            records={o.record.ref: o.record for o in self.outcomes if o.record is not None},
            inventory=inventory,
            forgotten=frozenset(gone | let_go) - inventory.refs,
            waiting_for=frozenset(o.waits_for for o in failures if o.waits_for is not None),
            retryable=not failures or any(o.retryable for o in failures),
        )


def _first(group: BaseExceptionGroup[LeaseLost]) -> LeaseLost:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _flat(prunes: PrunePlan) -> list[Prune]:
    return [prune for stage in prunes.stages for rank in stage for prune in rank]
