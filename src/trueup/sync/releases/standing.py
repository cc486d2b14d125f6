"""How a release stands: its newest record and the status's memory against what is wanted. Pure.

The rules are Flux's; a record that is not the one we remember is somebody else's work, and is taken over by an upgrade.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from trueup.model.releaserecord import ChartMetadata, ReleaseStatus
from trueup.model.releasestate import ReleaseState


class Standing(StrEnum):
    ABSENT = "absent"
    """There is no release, or it was uninstalled with its history kept."""
    LOCKED = "locked"
    """An action was begun and never ended."""
    UNMANAGED = "unmanaged"
    """There is a release that is not (any more) the one that we made."""
    OUT_OF_SYNC = "out-of-sync"
    FAILED = "failed"
    UNTESTED = "untested"
    IN_SYNC = "in-sync"
    BROKEN = "broken"
    """The newest record cannot be read."""


class Seen(Struct, frozen=True, kw_only=True):
    """The newest record of the release in storage. `version` 0: it cannot be read."""

    name: str
    namespace: str
    version: int
    status: ReleaseStatus
    digest: str
    config_digest: str
    chart: ChartMetadata


class Wanted(Struct, frozen=True, kw_only=True):
    chart: ChartMetadata
    config_digest: str
    generation: int = 0
    post_render_digest: str = ""
    test: bool = False
    ignore_test_failures: bool = False
    preserve_values: bool = False
    """The recorded values are more than what is wanted: their digest says nothing."""


class Judged(Struct, frozen=True):
    standing: Standing
    why: str = ""


def judge_release(seen: Seen | None, state: ReleaseState, wanted: Wanted) -> Judged:
    """What an observer of the storage would say of the release."""
    if seen is None:
        return Judged(Standing.ABSENT, "there is no release in storage")
    if seen.version == 0:
        return Judged(Standing.BROKEN, "its newest record cannot be read")
    if seen.status.is_pending:
        return Judged(Standing.LOCKED, f"its status is {seen.status}")
    latest = state.latest
    if latest is None:
        if seen.status is ReleaseStatus.UNINSTALLED:
            return Judged(Standing.ABSENT, "the release in storage was uninstalled")
        return Judged(Standing.UNMANAGED, "there is a release in storage that this resource did not make")
    if (latest.name, latest.namespace, latest.version) != (seen.name, seen.namespace, seen.version):
        return Judged(Standing.UNMANAGED, f"version {seen.version} was not made by this resource")
    if latest.digest != seen.digest:
        return Judged(Standing.UNMANAGED, "its record was changed by somebody else")
    match seen.status:
        case ReleaseStatus.FAILED:
            return Judged(Standing.FAILED, "the last action failed")
        case ReleaseStatus.UNINSTALLED:
            return Judged(Standing.ABSENT, "the release in storage was uninstalled")
        case ReleaseStatus.UNINSTALLING:
            return Judged(Standing.FAILED, "its uninstallation did not end")
        case ReleaseStatus.DEPLOYED:
            return _deployed(seen, state, wanted)
        case _:
            return Judged(Standing.UNMANAGED, f"its newest record has the status {seen.status}")


def _deployed(seen: Seen, state: ReleaseState, wanted: Wanted) -> Judged:
    if (seen.chart.name, seen.chart.version) != (wanted.chart.name, wanted.chart.version):
        return Judged(Standing.OUT_OF_SYNC, f"chart {seen.chart} -> {wanted.chart}")
    latest = state.latest
    assert latest is not None
    known = state.attempt.config_digest if wanted.preserve_values else seen.config_digest
    if known != wanted.config_digest:
        return Judged(Standing.OUT_OF_SYNC, "the values changed")
    # Only a changed spec can ask for other post-rendering; a digest of Flux's own making says nothing to us.
    is_other_spec = state.attempt.generation != wanted.generation
    if is_other_spec and state.post_render_digest != wanted.post_render_digest:
        return Judged(Standing.OUT_OF_SYNC, "the post-rendering changed")
    if wanted.test:
        if latest.tests is None:
            return Judged(Standing.UNTESTED)
        if latest.tests_failed and not wanted.ignore_test_failures:
            return Judged(Standing.FAILED, "a test failed")
    return Judged(Standing.IN_SYNC)
