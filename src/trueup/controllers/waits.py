"""Waiting for health without holding a worker. Pure: what is waited for, how it fares, what that means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from trueup.model.duration import format_duration
from trueup.model.health import Kstatus, Verdict
from trueup.model.refs import ObjectRef
from trueup.sync.health.judge import status_for_wait


class WaitState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed-out"


class HealthWait(Struct, frozen=True, kw_only=True):
    """`started` and `deadline` are seconds of the loop's clock."""

    refs: tuple[ObjectRef, ...]
    started: float
    deadline: float


class WaitOutcome(Struct, frozen=True):
    state: WaitState
    message: str = ""


def judge_wait(wait: HealthWait, verdicts: Mapping[ObjectRef, Verdict | None], now: float) -> WaitOutcome:
    """All current: done. One failed: failed at once, as Flux does (fail fast). Past the deadline: timed out.

    A verdict of None is an object that has not been seen.
    """
    states = {
        ref: (status_for_wait(verdict) if (verdict := verdicts.get(ref)) else Kstatus.NOT_FOUND) for ref in wait.refs
    }
    failed = [ref for ref, state in states.items() if state is Kstatus.FAILED]
    elapsed = format_duration(timedelta(seconds=round(max(now - wait.started, 0.0), 3)))
    if failed:
        rows = _rows(failed, states, verdicts)
        return WaitOutcome(WaitState.FAILED, f"health check failed after {elapsed}: failed resources: [{rows}]")
    missing = [ref for ref, state in states.items() if state is not Kstatus.CURRENT]
    if not missing:
        return WaitOutcome(WaitState.DONE, f"health check passed in {elapsed}")
    if now >= wait.deadline:
        rows = _rows(missing, states, verdicts)
        return WaitOutcome(WaitState.TIMED_OUT, f"health check failed after {elapsed}: timeout waiting for: [{rows}]")
    return WaitOutcome(WaitState.WAITING, f"waiting for {len(missing)} of {len(states)} objects")


def _rows(
    refs: list[ObjectRef], states: Mapping[ObjectRef, Kstatus], verdicts: Mapping[ObjectRef, Verdict | None]
) -> str:
    """`Deployment/shop/web status: 'InProgress': 1 of 2 updated`; at most ten are named."""
    rows = []
    for ref in refs[:10]:
        verdict = verdicts.get(ref)
        detail = f": {verdict.message}" if verdict and verdict.message else ""
        rows.append(f"{ref} status: '{states[ref]}'{detail}")
    if len(refs) > 10:
        rows.append(f"and {len(refs) - 10} more")
    return ", ".join(rows)
