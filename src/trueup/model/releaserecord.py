"""Helm's own record of one release, as its Secrets hold it, and what a HelmRelease's status tells of it.

The field names are Helm's (`release/v1`), so that its library reads back what we write. The chart and the values stay
raw: nobody here looks into them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Raw, Struct


class ReleaseStatus(StrEnum):
    UNKNOWN = "unknown"
    DEPLOYED = "deployed"
    UNINSTALLED = "uninstalled"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    UNINSTALLING = "uninstalling"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"

    @property
    def is_pending(self) -> bool:
        return self in (self.PENDING_INSTALL, self.PENDING_UPGRADE, self.PENDING_ROLLBACK)


class HookPhase(StrEnum):
    NONE = ""
    UNKNOWN = "Unknown"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class HookRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    started_at: str = ""
    completed_at: str = ""
    phase: HookPhase = HookPhase.NONE


class Hook(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    kind: str = ""
    path: str = ""
    manifest: str = ""
    events: tuple[str, ...] = ()
    last_run: HookRun = HookRun()
    weight: int = 0
    delete_policies: tuple[str, ...] | None = None
    output_log_policies: tuple[str, ...] | None = None

    @property
    def is_test(self) -> bool:
        return "test" in self.events


class ReleaseInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times are RFC 3339 texts."""

    first_deployed: str = ""
    last_deployed: str = ""
    deleted: str = ""
    description: str = ""
    status: ReleaseStatus = ReleaseStatus.UNKNOWN
    rollback_revision: int = 0
    notes: str = ""


class Release(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    info: ReleaseInfo = ReleaseInfo()
    chart: Raw = Raw(b"null")
    config: Raw = Raw(b"null")
    manifest: str = ""
    hooks: tuple[Hook, ...] | None = ()
    version: int = 0
    namespace: str = ""
    apply_method: str = ""

    def __repr__(self) -> str:
        """Values and manifest may hold secrets: only the name is shown."""
        return f"Release({self.namespace}/{self.name}.v{self.version}, {self.info.status})"

    @property
    def metadata(self) -> ChartMetadata:
        return (
            msgspec.json.decode(self.chart, type=_Chart).metadata if bytes(self.chart) != b"null" else ChartMetadata()
        )


class ChartMetadata(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    version: str = ""
    app_version: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Maintainer(Struct, frozen=True, kw_only=True):
    name: str = ""
    email: str = ""


class ChartAbout(Struct, frozen=True, kw_only=True):
    """What a chart says of itself to people, as its Chart.yaml has it."""

    description: str = ""
    home: str = ""
    maintainers: tuple[Maintainer, ...] = ()


class _Chart(Struct, frozen=True):
    metadata: ChartMetadata = ChartMetadata()


class ReleaseTest(Struct, frozen=True, kw_only=True):
    """`phase` empty: it has not run."""

    name: str
    started_at: str = ""
    completed_at: str = ""
    phase: str = ""


class ReleaseSnapshot(Struct, frozen=True, kw_only=True):
    """What a status tells of one release that we made: enough to see that nobody else changed its record."""

    name: str
    namespace: str
    version: int
    status: str
    digest: str
    config_digest: str
    chart_name: str
    chart_version: str
    app_version: str = ""
    first_deployed: str = ""
    last_deployed: str = ""
    deleted: str = ""
    tests: tuple[ReleaseTest, ...] | None = None
    """None: it was not tested."""
    oci_digest: str = ""
    action: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}.v{self.version}"

    @property
    def chart(self) -> str:
        return f"{self.chart_name}@{self.chart_version}"

    @property
    def tests_failed(self) -> bool:
        return any(run.phase == HookPhase.FAILED for run in self.tests or ())
