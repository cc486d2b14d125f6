"""From Helm's records to what the status remembers of them, and which records to drop. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import structs

from trueup.model.releaserecord import HookPhase, Release, ReleaseSnapshot, ReleaseTest

GOOD = ("deployed", "superseded")


def snapshot_of(
    release: Release, *, digest: str, config_digest: str, action: str, oci_digest: str = "", tested: bool = False
) -> ReleaseSnapshot:
    """What the status says of a record. `tested`: its tests have been run."""
    metadata = release.metadata
    return ReleaseSnapshot(
        name=release.name,
        namespace=release.namespace,
        version=release.version,
        status=release.info.status.value,
        digest=digest,
        config_digest=config_digest,
        chart_name=metadata.name,
        chart_version=metadata.version,
        app_version=metadata.app_version,
        first_deployed=release.info.first_deployed,
        last_deployed=release.info.last_deployed,
        deleted=release.info.deleted,
        tests=tests_of(release) if tested else None,
        oci_digest=oci_digest,
        action=action,
    )


def tests_of(release: Release) -> tuple[ReleaseTest, ...]:
    return tuple(
        ReleaseTest(
            name=hook.name,
            started_at=hook.last_run.started_at,
            completed_at=hook.last_run.completed_at,
            phase=hook.last_run.phase.value if hook.last_run.phase is not HookPhase.NONE else "",
        )
        for hook in release.hooks or ()
        if hook.is_test
    )


def with_snapshot(history: Sequence[ReleaseSnapshot], newest: ReleaseSnapshot) -> tuple[ReleaseSnapshot, ...]:
    """The history with the newest word on one release; of the older ones, back to the last that succeeded."""
    others = [each for each in history if each.version != newest.version]
    kept = next((each.tests for each in history if each.version == newest.version), None)
    if newest.tests is None and kept is not None:
        newest = structs.replace(newest, tests=kept)
    return truncated(tuple(sorted([newest, *others], key=lambda each: each.version, reverse=True)))


def truncated(history: Sequence[ReleaseSnapshot]) -> tuple[ReleaseSnapshot, ...]:
    """The newest, and back to the last before it that succeeded: a rollback goes no further."""
    kept: list[ReleaseSnapshot] = []
    for number, each in enumerate(history):
        kept.append(each)
        if number > 0 and each.status in GOOD and not each.tests_failed:
            break
    return tuple(kept)


def to_drop(versions: Iterable[tuple[int, str]], limit: int) -> tuple[int, ...]:
    """Which records make room for one more: the oldest, but never the last that is deployed. `limit` 0: none."""
    rows = sorted(versions)
    if limit <= 0 or len(rows) < limit:
        return ()
    deployed = max((version for version, status in rows if status == "deployed"), default=None)
    surplus = len(rows) - (limit - 1)
    return tuple(version for version, _ in [row for row in rows if row[0] != deployed][:surplus])
