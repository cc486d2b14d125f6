"""One sync on its way: what it works on, and what asked for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from trueup.controllers.memory import AppMemory
from trueup.model.app import App
from trueup.model.manifest import Manifest
from trueup.model.outcome import OperationRequest, OperationStatus, Requests
from trueup.model.revision import Revision
from trueup.model.snapshot import Snapshot


class Job(Struct, frozen=True, kw_only=True):
    """Made for one look at an App; the memory outlives it."""

    memory: AppMemory
    obj: Manifest
    app: App
    revision: Revision
    """What is worked on."""
    snapshot: Snapshot | None = None
    """None: what it holds has been rendered before."""
    requests: Requests
    token: str
    started: datetime

    @property
    def operation(self) -> OperationRequest | None:
        return self.requests.operation

    @property
    def asked(self) -> bool:
        """A person or client wants everything to be applied again. Argo CD's refresh only compares again."""
        return (bool(self.token) and not self.requests.refresh) or self.operation is not None

    @property
    def retries(self) -> bool:
        """Whether this is another try of the operation that failed before."""
        return self.operation is not None and self.operation == self.memory.retried


def start_of(last: OperationStatus | None, now: datetime) -> datetime:
    """When a sync is said to begin: never in the second in which another one began that has ended.

    An operation is told from the one before it by that time, and statuses know whole seconds only.
    """
    if last is None or last.finished_at is None:
        return now
    return max(now, last.started_at.replace(microsecond=0) + timedelta(seconds=1))
