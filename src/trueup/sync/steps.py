"""What a sync of several groups does next: run a group, wait, give up, or be done. Pure; facts as of Argo CD's sync.

A group runs when all before it are through: hooks have ended well, and the objects of earlier groups are healthy. The
last group's objects are not waited for. A failure is looked at only when nothing runs any more; SyncFail hooks come then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from trueup.model.health import Health
from trueup.model.hook import HookResult, Phase
from trueup.model.refs import ObjectRef
from trueup.sync.hooktasks import HookTask
from trueup.sync.waves import Group

UNSUCCESSFUL = "one or more synchronization tasks completed unsuccessfully"
REFUSED = "one or more objects failed to apply"


class Fare(StrEnum):
    """How an object fares, as far as the next wave is concerned."""

    WELL = "well"
    ILL = "ill"
    PENDING = "pending"


class Run(Struct, frozen=True):
    group: Group


class Wait(Struct, frozen=True):
    message: str


class Fail(Struct, frozen=True):
    message: str


class Done(Struct, frozen=True):
    pass


Move = Run | Wait | Fail | Done


class Board(Struct, frozen=True, kw_only=True):
    """`work` are objects that are still to be sent or pruned; `fare` how a declared one does."""

    groups: Sequence[Group]
    work: frozenset[ObjectRef]
    done: frozenset[ObjectRef]
    results: Mapping[tuple[ObjectRef, Phase], HookResult]
    going: frozenset[ObjectRef]
    fare: Callable[[ObjectRef], tuple[Fare, str]]
    unapproved: frozenset[ObjectRef] = frozenset()
    """Prunes that a person has to approve of first, and has not."""
    waits_for_unchanged: bool = True


def fare_of(health: Health | None) -> Fare:
    """A kind without health is well as soon as it is there. Suspended and missing objects are waited for."""
    match health:
        case None | Health.HEALTHY:
            return Fare.WELL
        case Health.DEGRADED:
            return Fare.ILL
        case Health.PROGRESSING | Health.SUSPENDED | Health.MISSING | Health.UNKNOWN:
            return Fare.PENDING


def next_move(board: Board) -> Move:
    groups = [group for group in board.groups if group.phase is not Phase.SYNC_FAIL]
    results = [board.results[task.key] for group in groups for task in group.hooks if task.key in board.results]
    if running := [result.ref for result in results if not result.ended]:
        return Wait(_waiting("completion of hook", running, "hooks"))
    if failed := [result for result in results if result.failed]:
        words = REFUSED if any(result.refused for result in failed) else UNSUCCESSFUL
        return Fail(_because(words, [result.message for result in failed]))
    pending = [group for group in groups if _has_work(board, group)]
    if not pending:
        return Done()
    group = pending[0]
    earlier = [ref for other in groups if other.at < group.at for ref in sorted(other.objects)]
    counted = [ref for ref in earlier if board.waits_for_unchanged or ref in board.done]
    fares = {ref: board.fare(ref) for ref in counted}
    if waiting := [ref for ref, (fare, _) in fares.items() if fare is Fare.PENDING]:
        return Wait(_waiting("healthy state of", waiting, "resources"))
    if ill := [(ref, text) for ref, (fare, text) in fares.items() if fare is Fare.ILL]:
        return Fail(_because(UNSUCCESSFUL, [f"{ref}: {text}" if text else str(ref) for ref, text in ill]))
    if board.going:
        return Wait(_waiting("deletion of", sorted(board.going), "resources"))
    if unapproved := sorted(group.prunes & board.unapproved):
        return Wait(_waiting("pruning confirmation of", unapproved, "resources"))
    return Run(group)


def next_move_after_failure(board: Board) -> Move:
    """Only the SyncFail hooks are left; whether they end well makes no difference to the sync."""
    groups = [group for group in board.groups if group.phase is Phase.SYNC_FAIL]
    results = [board.results[task.key] for group in groups for task in group.hooks if task.key in board.results]
    if running := [result.ref for result in results if not result.ended]:
        return Wait(_waiting("completion of hook", running, "hooks"))
    return next((Run(group) for group in groups if _pending(board, group)), Done())


def _has_work(board: Board, group: Group) -> bool:
    return bool((group.objects | group.prunes) & board.work) or bool(_pending(board, group))


def _pending(board: Board, group: Group) -> list[HookTask]:
    return [task for task in group.hooks if task.key not in board.results]


def _waiting(what: str, refs: Sequence[ObjectRef], more: str) -> str:
    """`waiting for completion of hook batch/Job/migrate and 2 more hooks`, as Argo CD words it."""
    first = refs[0]
    others = f" and {len(refs) - 1} more {more}" if len(refs) > 1 else ""
    return f"waiting for {what} {first.group}/{first.kind}/{first.name}{others}"


def _because(words: str, reasons: Sequence[str]) -> str:
    said = list(dict.fromkeys(reason for reason in reasons if reason))
    return f"{words}, reason: {','.join(said)}" if said else words
