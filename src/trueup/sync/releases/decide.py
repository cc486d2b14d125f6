"""What to do next about a release: one action at a time, until nothing is left or a later try has to go on. Pure.

`Next.action` None with `Next.stall` empty: all is as it should be. The order is Flux's: a release is unlocked, then
installed or upgraded, then tested, then remedied; after a remedy the next try is another look's.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from trueup.model.inventory import Inventory
from trueup.model.release import ReleaseSpec, Remediation, Remedy
from trueup.model.releasestate import ReleaseAction, ReleaseState
from trueup.sync.releases.standing import Judged, Standing

RELEASES = (ReleaseAction.INSTALL, ReleaseAction.UPGRADE)
REMEDIES = (ReleaseAction.ROLLBACK, ReleaseAction.UNINSTALL)


class Next(Struct, frozen=True, kw_only=True):
    """`later`: it is for another look, because this one has had its release. `stall` says why nothing more is tried."""

    action: ReleaseAction | None = None
    why: str = ""
    later: bool = False
    stall: str = ""
    forget: bool = False
    """The remembered history is not of this release (any more)."""


def next_action(
    judged: Judged,
    spec: ReleaseSpec,
    state: ReleaseState,
    *,
    forced: bool = False,
    rollback_possible: bool = True,
    done: Collection[ReleaseAction] = (),
) -> Next:
    """`forced`: a client asks for an upgrade. `rollback_possible`: the record to go back to is there, unchanged.

    `done`: what this look has done already.
    """
    found = _wanted(judged, spec, state, forced=forced, rollback_possible=rollback_possible)
    if found.action in RELEASES and any(action in RELEASES for action in done):
        return Next(later=True, why=found.why)
    if any(action in REMEDIES for action in done):
        return Next(later=True, why=found.why) if found.action is not None else found
    return found


def _wanted(judged: Judged, spec: ReleaseSpec, state: ReleaseState, *, forced: bool, rollback_possible: bool) -> Next:
    why = judged.why
    match judged.standing:
        case Standing.LOCKED:
            return Next(action=ReleaseAction.UNLOCK, why=why)
        case Standing.ABSENT:
            if _exhausted(spec.install.remediation, state.install_failures) and not forced:
                return _stalled("install", state.install_failures)
            return Next(action=ReleaseAction.INSTALL, why=why)
        case Standing.UNMANAGED:
            return Next(action=ReleaseAction.UPGRADE, why=why, forget=True)
        case Standing.OUT_OF_SYNC:
            if _exhausted(spec.upgrade.remediation, state.upgrade_failures) and not forced:
                return _stalled("upgrade", state.upgrade_failures)
            return Next(action=ReleaseAction.UPGRADE, why=why)
        case Standing.UNTESTED:
            return Next(action=ReleaseAction.TEST)
        case Standing.IN_SYNC:
            return Next(action=ReleaseAction.UPGRADE, why="an upgrade was asked for") if forced else Next()
        case Standing.FAILED:
            if forced:
                return Next(action=ReleaseAction.UPGRADE, why="an upgrade was asked for")
            return _failed(judged, spec, state, rollback_possible)
        case Standing.BROKEN:
            return Next(stall=why)


def _failed(judged: Judged, spec: ReleaseSpec, state: ReleaseState, rollback_possible: bool) -> Next:
    remediation, failures = active_remediation(spec, state)
    again = Next(action=ReleaseAction.UPGRADE, why=judged.why)
    if remediation is None or remediation.retry_interval is not None or failures <= 0:
        # What failed has changed since, or failures are only tried again: an upgrade may mend it.
        return again
    if remediation.is_exhausted(failures) and not remediation.remediate_last_failure:
        return _stalled(state.attempt.action, failures)
    if remediation.remedy is Remedy.ROLLBACK and rollback_possible:
        return Next(action=ReleaseAction.ROLLBACK, why=judged.why)
    if remediation.remedy is Remedy.UNINSTALL:
        return Next(action=ReleaseAction.UNINSTALL, why=judged.why)
    if remediation.is_exhausted(failures):
        return Next(stall="there is no earlier release that succeeded to roll back to")
    return again


def active_remediation(spec: ReleaseSpec, state: ReleaseState) -> tuple[Remediation | None, int]:
    """Whose rules hold for the failure of the last attempt, and how often it has failed."""
    match state.attempt.action:
        case ReleaseAction.INSTALL:
            return spec.install.remediation, state.install_failures
        case ReleaseAction.UPGRADE:
            return spec.upgrade.remediation, state.upgrade_failures
        case _:
            return None, 0


def is_last_try(spec: ReleaseSpec, state: ReleaseState) -> bool:
    """Whether no try is left after the failure of the last attempt."""
    remediation, failures = active_remediation(spec, state)
    return remediation is not None and _exhausted(remediation, failures)


def must_reset(state: ReleaseState, *, generation: int, revision: str, artifact: str, config: str, reset: str) -> str:
    """Why the failures so far count no more; empty: they count. `reset`: the request of a client, not handled yet."""
    last = state.attempt
    if not last.action:
        return ""
    if last.generation != generation:
        return "the generation differs from the last attempt"
    if (last.revision, last.artifact_digest) != (revision, artifact):
        return "the chart's version differs from the last attempt"
    if last.config_digest != config:
        return "the values differ from the last attempt"
    return "a reset was asked for" if reset else ""


def target_changed(spec: ReleaseSpec, state: ReleaseState, chart_name: str) -> str:
    """Why what was released before has to go first: it is another release now. Empty: it is the same."""
    latest = state.latest
    if latest is None:
        return ""
    if state.storage_namespace and state.storage_namespace != spec.storage_namespace:
        return f"its storage moved from {state.storage_namespace} to {spec.storage_namespace}"
    if latest.namespace != spec.namespace:
        return f"its namespace changed from {latest.namespace} to {spec.namespace}"
    if latest.name != spec.name:
        return f"its name changed from {latest.name} to {spec.name}"
    if spec.upgrade.reinstall_on_rename and latest.chart_name != chart_name:
        return f"its chart changed from {latest.chart_name} to {chart_name}"
    return ""


def has_begun(state: ReleaseState, inventory: Inventory) -> bool:
    """Whether a release of its name may be its own, having made one or begun to; another's is not its to uninstall."""
    return state.latest is not None or bool(state.attempt.action) or bool(inventory.entries)


def _exhausted(remediation: Remediation, failures: int) -> bool:
    return remediation.retry_interval is None and remediation.is_exhausted(failures)


def _stalled(action: str, failures: int) -> Next:
    return Next(stall=f"Failed to {action} after {failures} attempt(s)")
