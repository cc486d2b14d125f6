"""What the App loop needs of the world: one small collaborator per concern, handed in by the wiring."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trueup.controllers.access import Access
from trueup.controllers.events import EventWriter
from trueup.controllers.lockdown import OPEN, Lockdown
from trueup.controllers.managed import ManagedObjects
from trueup.controllers.memory import AppMemory
from trueup.controllers.metrics import Metrics
from trueup.controllers.releases.shell import ReleaseShell
from trueup.controllers.remotes import Remotes
from trueup.controllers.resources import Resources
from trueup.controllers.sources import SourceController
from trueup.controllers.state import StateStore
from trueup.controllers.status import StatusWriter
from trueup.controllers.tracking import Tracking
from trueup.controllers.values import ValueStore
from trueup.dialects.dialect import Dialect
from trueup.model.app import App, SyncRules
from trueup.model.manifest import Declared, Manifest
from trueup.model.outcome import Notice
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.remote import RemoteFetcher, RemoteNeed
from trueup.model.rendering import Capabilities, RenderSpec
from trueup.model.snapshot import Inputs, Snapshot
from trueup.records.record import Recorder
from trueup.render.built import Asked
from trueup.render.expressions import Evaluated
from trueup.sync.applier import Applier
from trueup.sync.execute import Established


class Rendered(Protocol):
    """What a render gives; `digest` is of the objects before any Secret passed through them."""

    @property
    def objects(self) -> tuple[Declared, ...]: ...

    @property
    def inputs(self) -> Inputs: ...

    @property
    def source_type(self) -> str: ...

    @property
    def asked(self) -> Asked: ...

    @property
    def notices(self) -> tuple[Notice, ...]: ...

    @property
    def remotes(self) -> tuple[RemoteNeed, ...]: ...


class Renderer(Protocol):
    async def render(
        self,
        snapshot: Snapshot,
        spec: RenderSpec,
        variables: Mapping[str, str] | None,
        *,
        remotes: RemoteFetcher | None = None,
    ) -> Rendered: ...


class Evaluate(Protocol):
    """A CEL expression over variables. Raises EngineFailed."""

    async def __call__(self, expression: str, variables: Mapping[str, object]) -> Evaluated: ...


@dataclass(slots=True)
class AppShell:
    """`chance` gives a number in [0, 1); `loop_time` the loop's monotonic seconds; `clock` the wall clock in UTC."""

    dialects: Mapping[GroupKind, Dialect]
    """By the kind of their Apps."""
    resources: Resources
    memories: dict[ObjectRef, AppMemory]
    sources: SourceController
    renderer: Renderer
    remotes: Remotes
    capabilities: Callable[[], Awaitable[Capabilities]]
    """What the cluster can do, looked at now."""
    managed: ManagedObjects
    tracking: Tracking
    control: Applier
    """The controller's own rights, for looks that no tenant has to be able to take."""
    applier_for: Callable[[SyncRules], Applier]
    access_for: Callable[[SyncRules], Access]
    """By the same rights, for what people do with objects."""
    established: Established
    writer: StatusWriter
    events: EventWriter
    recorder: Recorder
    values: ValueStore
    state: StateStore
    metrics: Metrics
    clock: Callable[[], datetime]
    loop_time: Callable[[], float]
    chance: Callable[[], float]
    secret_key: bytes
    releases: ReleaseShell
    evaluate: Evaluate
    in_flight: int = 16
    lockdown: Lockdown = OPEN

    def dialect_of(self, ref: ObjectRef) -> Dialect:
        return self.dialects[ref.group_kind]

    def read_app(self, ref: ObjectRef, obj: Manifest) -> App:
        """With what its tenants may not decide. Raises what the dialect does."""
        return self.lockdown.applied(self.dialect_of(ref).read_app(obj))
