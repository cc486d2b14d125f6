"""One sync on its way: what it works on, and what asked for it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from trueup.controllers.memory import AppMemory
from trueup.model.app import App
from trueup.model.manifest import Manifest
from trueup.model.outcome import OperationRequest, Requests
from trueup.model.revision import Revision
from trueup.model.snapshot import Snapshot


class Job(Struct, frozen=True, kw_only=True):
    """Made for one look at an App; the memory outlives it."""

    memory: AppMemory
    obj: Manifest
    app: App
    snapshot: Snapshot
    requests: Requests
    token: str
    started: datetime

    @property
    def operation(self) -> OperationRequest | None:
        return self.requests.operation

    @property
    def revision(self) -> Revision:
        return self.snapshot.revision

    @property
    def asked(self) -> bool:
        """A person or client wants everything to be applied again. Argo CD's refresh only compares again."""
        return (bool(self.token) and not self.requests.refresh) or self.operation is not None

    @property
    def retries(self) -> bool:
        """Whether this is another try of the operation that failed before."""
        return self.operation is not None and self.operation == self.memory.retried
