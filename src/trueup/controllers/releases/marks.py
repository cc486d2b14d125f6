"""What the conditions of a HelmRelease say after each action, in Flux's words. Pure."""

from __future__ import annotations

from msgspec import structs

from trueup.model.release import ReleaseSpec
from trueup.model.releasestate import Mark, ReleaseAction, ReleaseState

_DONE = {ReleaseAction.INSTALL: "InstallSucceeded", ReleaseAction.UPGRADE: "UpgradeSucceeded"}
_FAILED = {ReleaseAction.INSTALL: "InstallFailed", ReleaseAction.UPGRADE: "UpgradeFailed"}


def succeeded(action: ReleaseAction, state: ReleaseState, detail: str = "") -> ReleaseState:
    """`state` holds the snapshot that the action made."""
    latest = state.latest
    name, chart = (latest.full_name, latest.chart) if latest is not None else ("", "")
    match action:
        case ReleaseAction.INSTALL | ReleaseAction.UPGRADE:
            mark = Mark(True, _DONE[action], f"Helm {action} succeeded for release {name} with chart {chart}")
            return structs.replace(state, released=mark, tested=None, remediated=None)
        case ReleaseAction.TEST:
            mark = Mark(True, "TestSucceeded", f"Helm test succeeded for release {name} with chart {chart}: {detail}")
            return structs.replace(state, tested=mark)
        case ReleaseAction.ROLLBACK:
            said = f"Helm rollback to previous release {name} with chart {chart} succeeded"
            return structs.replace(state, remediated=Mark(True, "RollbackSucceeded", said))
        case ReleaseAction.UNINSTALL:
            said = f"Helm uninstall remediation for release {name} with chart {chart} succeeded"
            return structs.replace(state, remediated=Mark(True, "UninstallSucceeded", said))
        case ReleaseAction.UNLOCK | ReleaseAction.REMOVE:
            return state


def failed(
    action: ReleaseAction, state: ReleaseState, spec: ReleaseSpec, chart: str, message: str, *, counts: bool
) -> ReleaseState:
    """`counts`: the failure is one of those that `retries` counts."""
    latest = state.latest
    name = f"{spec.namespace}/{spec.name}"
    release, released_chart = (latest.full_name, latest.chart) if latest is not None else (name, chart)
    state = structs.replace(state, failures=state.failures + 1)
    match action:
        case ReleaseAction.INSTALL | ReleaseAction.UPGRADE:
            mark = Mark(
                False, _FAILED[action], f"Helm {action} failed for release {name} with chart {chart}: {message}"
            )
            state = structs.replace(state, released=mark, tested=None, remediated=None)
            return counted(state, action.value) if counts else state
        case ReleaseAction.TEST:
            said = f"Helm test failed for release {release} with chart {released_chart}: {message}"
            state = structs.replace(state, tested=Mark(False, "TestFailed", said))
            return counted(state, state.attempt.action) if counts else state
        case ReleaseAction.ROLLBACK:
            said = f"Helm rollback to previous release failed for {name}: {message}"
            return structs.replace(state, remediated=Mark(False, "RollbackFailed", said))
        case ReleaseAction.UNINSTALL | ReleaseAction.REMOVE:
            said = f"Helm uninstall remediation for release {release} with chart {released_chart} failed: {message}"
            return structs.replace(state, remediated=Mark(False, "UninstallFailed", said))
        case ReleaseAction.UNLOCK:
            return structs.replace(state, released=Mark(False, "PendingRelease", message))


def counted(state: ReleaseState, action: str) -> ReleaseState:
    if action == ReleaseAction.INSTALL:
        return structs.replace(state, install_failures=state.install_failures + 1)
    if action == ReleaseAction.UPGRADE:
        return structs.replace(state, upgrade_failures=state.upgrade_failures + 1)
    return state


def with_failures_cleared(state: ReleaseState) -> ReleaseState:
    return structs.replace(state, failures=0, install_failures=0, upgrade_failures=0)


def in_sync(state: ReleaseState) -> ReleaseState:
    """Nothing is left to do: a remedy that was needed on the way is no news any more."""
    latest = state.latest
    state = with_failures_cleared(state)
    if latest is None:
        return state
    if state.remediated is not None or state.released is None or not state.released.status:
        said = f"Helm upgrade succeeded for release {latest.full_name} with chart {latest.chart}"
        action = ReleaseAction.INSTALL if latest.action == "install" else ReleaseAction.UPGRADE
        mark = Mark(True, _DONE[action], said.replace("upgrade", action.value, 1))
        state = structs.replace(state, released=mark, remediated=None)
    return state


def failing(state: ReleaseState) -> Mark | None:
    """Which of the conditions says what is wrong: that a remedy was needed says more than what failed before."""
    if state.remediated is not None:
        return state.remediated
    return next((mark for mark in (state.tested, state.released) if mark is not None and not mark.status), None)


def ready_mark(state: ReleaseState, *, tests_count: bool) -> Mark:
    """Which of the conditions Ready repeats."""
    if state.remediated is not None:
        return Mark(False, state.remediated.reason, state.remediated.message)
    if state.tested is not None and tests_count:
        return state.tested
    return state.released or Mark(True, "ReconciliationSucceeded", "the release is as it should be")
