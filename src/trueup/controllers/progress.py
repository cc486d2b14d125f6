"""How far a sync of several steps has come: what it has done, which hooks ran, why it failed. Survives a restart."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, structs

from trueup.model.change import Action, Change
from trueup.model.hook import HookPhase, HookResult, Phase
from trueup.model.outcome import OperationRequest, StoredSync
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision


class Progress(Struct, frozen=True, kw_only=True):
    """Replaced as a whole at each step. `started` tells this sync from others, and names what its hooks generate."""

    started: datetime
    revision: Revision
    operation: OperationRequest | None = None
    token: str = ""
    asked: bool = False
    """A person wants everything to be applied again."""
    with_hooks: bool = True
    done: frozenset[ObjectRef] = frozenset()
    """Objects that this sync has applied, pruned or given up: it does not send them again."""
    healthy: frozenset[ObjectRef] = frozenset()
    changes: tuple[Change, ...] = ()
    hooks: tuple[HookResult, ...] = ()
    going: frozenset[ObjectRef] = frozenset()
    """Pruned objects that may not be gone yet."""
    problem: str = ""
    """Why the sync has failed; from then on only its SyncFail hooks run."""
    retryable: bool = True

    @property
    def is_held(self) -> bool:
        """Whether it is to end before anything else begins: a client asked for it, or a hook runs."""
        return self.operation is not None or bool(self.problem) or any(not result.ended for result in self.hooks)

    def with_result(self, result: HookResult) -> Progress:
        """In place of the same run's earlier result, or as the newest."""
        key = (result.ref, result.phase)
        if self.result(*key) is None:
            return structs.replace(self, hooks=(*self.hooks, result))
        hooks = tuple(result if (each.ref, each.phase) == key else each for each in self.hooks)
        return structs.replace(self, hooks=hooks)

    def result(self, ref: ObjectRef, phase: Phase) -> HookResult | None:
        return next((each for each in self.hooks if (each.ref, each.phase) == (ref, phase)), None)

    def running(self) -> tuple[HookResult, ...]:
        return tuple(each for each in self.hooks if each.state is HookPhase.RUNNING)

    def with_changes(self, changes: tuple[Change, ...]) -> Progress:
        """A later change of the same object takes the place of the earlier one."""
        again = {change.ref for change in changes}
        kept = tuple(change for change in self.changes if change.ref not in again)
        pruned = {change.ref for change in changes if change.action is Action.PRUNED}
        return structs.replace(self, changes=(*kept, *changes), done=self.done | again, going=self.going | pruned)


def after(hooks: tuple[HookResult, ...], ended: Progress) -> tuple[HookResult, ...]:
    """The hooks that may have left an object behind, once this sync is over; refused ones have none."""
    newer = {each.ref: each for each in ended.hooks if not each.refused}
    return (*(each for each in hooks if each.ref not in newer), *newer.values())


def recalled(stored: StoredSync) -> Progress:
    """From what a status tells. What was settled then is found again by the next plan."""
    return Progress(
        started=stored.started,
        revision=stored.revision,
        operation=stored.operation,
        asked=stored.operation is not None,
        done=stored.done,
        hooks=stored.hooks,
    )
