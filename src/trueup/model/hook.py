"""Hooks: objects that do something at a certain time of a sync or deletion, instead of being kept. Argo CD's words."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from trueup.model.refs import ObjectRef


class Phase(StrEnum):
    """The parts of a sync, then those of a deletion. What is no hook belongs to SYNC."""

    PRE_SYNC = "PreSync"
    SYNC = "Sync"
    POST_SYNC = "PostSync"
    SYNC_FAIL = "SyncFail"
    PRE_DELETE = "PreDelete"
    POST_DELETE = "PostDelete"


class DeletePolicy(StrEnum):
    """When a hook's object is deleted."""

    BEFORE_CREATION = "BeforeHookCreation"
    SUCCEEDED = "HookSucceeded"
    FAILED = "HookFailed"


class Hook(Struct, frozen=True):
    """What a rendered object says of itself by its annotations. No phases: it is a hook that has no place here."""

    phases: frozenset[Phase] = frozenset()
    policies: frozenset[DeletePolicy] = frozenset({DeletePolicy.BEFORE_CREATION})
    unknown: tuple[str, ...] = ()
    """Types that nobody knows, as they are written."""


class HookPhase(StrEnum):
    """How one run of a hook fares, in Argo CD's words for operations."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"


class HookResult(Struct, frozen=True, kw_only=True):
    """One run of a hook. `refused`: the server did not take it, so there is nothing that could run."""

    ref: ObjectRef
    version: str
    phase: Phase
    state: HookPhase
    message: str = ""
    refused: bool = False

    @property
    def ended(self) -> bool:
        return self.state is not HookPhase.RUNNING

    @property
    def failed(self) -> bool:
        return self.state in (HookPhase.FAILED, HookPhase.ERROR)
