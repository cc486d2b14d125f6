"""What every action on a release works with, and how it waits. One is made for one look; the memory outlives it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from trueup.controllers.events import Event
from trueup.controllers.job import Job
from trueup.controllers.memory import AppMemory
from trueup.controllers.releases.records import ReleaseRecords, StoredRelease
from trueup.controllers.releases.running import Slot
from trueup.controllers.shell import AppShell
from trueup.model.app import App
from trueup.model.errors import TrueupError
from trueup.model.inventory import InventoryEntry
from trueup.model.manifest import Manifest
from trueup.model.release import ReleaseSpec
from trueup.model.releaserecord import ChartMetadata
from trueup.model.releasestate import ReleaseState
from trueup.model.revision import Revision
from trueup.render.masking import Masker
from trueup.render.releases import Values
from trueup.sync.applier import Applier

T = TypeVar("T")
FALLBACK_SECONDS = 3.0
"""How often a wait looks by itself, besides being stirred by the events of what it waits for."""


class ActionFailed(TrueupError):
    """An action was begun and did not end well; its record says so. `recorded`: as it was written last."""

    reason = "ActionFailed"

    def __init__(self, message: str, *, recorded: StoredRelease | None = None) -> None:
        super().__init__(message)
        self.recorded = recorded


@dataclass(slots=True)
class ReleaseWork:
    """`state` is what is remembered; actions bring it up to date as they go."""

    shell: AppShell
    memory: AppMemory
    obj: Manifest
    app: App
    spec: ReleaseSpec
    applier: Applier
    records: ReleaseRecords
    state: ReleaseState
    slot: Slot
    masker: Masker = field(default_factory=Masker)
    job: Job | None = None
    """None: the release is only uninstalled."""
    chart: ChartMetadata = field(default_factory=ChartMetadata)
    chart_path: str = ""
    values: Values = field(default_factory=Values)
    config_digest: str = ""
    artifact_digest: str = ""
    crds: tuple[InventoryEntry, ...] = ()

    @property
    def revision(self) -> Revision:
        assert self.job is not None
        return self.job.revision

    def now(self) -> str:
        return self.shell.clock().isoformat().replace("+00:00", "Z")

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        """An Event about the release."""
        group = self.memory.ref.group
        annotations = {f"{group}/revision": self.chart.version} if self.chart.version else {}
        if self.chart.app_version:
            annotations[f"{group}/app-version"] = self.chart.app_version
        self.shell.events.emit(
            self.obj, Event(reason=reason, message=message, warning=warning, annotations=annotations or None)
        )

    async def until(self, look: Callable[[], Awaitable[T | None]], within: timedelta) -> T | None:
        """What `look` gives as soon as it gives something; None when the time is over. It is asked at each stir."""
        stirred = self.memory.stirred or asyncio.Event()
        deadline = self.shell.loop_time() + within.total_seconds()
        while True:
            stirred.clear()
            if (found := await look()) is not None:
                return found
            left = deadline - self.shell.loop_time()
            if left <= 0:
                return None
            async with self.slot.away():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, FALLBACK_SECONDS)):
                        await stirred.wait()
