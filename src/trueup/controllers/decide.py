"""What a look at an App should do. Pure: a situation in, one step out; `controllers.apps` gathers one and takes the other."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Step(StrEnum):
    """What to do at this look. The value is the `step` label of the reconcile metric."""

    FORGET = "forget"
    """The resource is gone: drop what is remembered."""
    FINALIZE = "finalize"
    """The resource is being deleted and waits for us."""
    RELEASE = "release"
    """The resource is being deleted and does not wait for us: its objects live on."""
    STALL = "stall"
    """The resource cannot be read, or asks for what is not built: say so and touch nothing."""
    WAIT_SITE = "wait-site"
    """The cluster that its objects live in cannot be worked on now."""
    WAIT_SOURCE = "wait-source"
    WAIT_DEPENDENCY = "wait-dependency"
    TERMINATE = "terminate"
    """A client ended the sync that is under way or tried again."""
    CONTINUE = "continue"
    """A sync of several steps is under way: take it further."""
    SYNC = "sync"
    """Render, plan and, where the rules allow it, execute."""
    HEAL = "heal"
    """Bring single objects back."""
    CHECK_HEALTH = "check-health"
    """A sync waits for its objects: look at how they fare."""
    MOVE_REVISION = "move-revision"
    """A newer revision changes nothing that the App reads: only its status follows."""
    IDLE = "idle"


class Situation(Struct, frozen=True, kw_only=True):
    """Everything that the choice depends on."""

    exists: bool = True
    deleting: bool = False
    has_finalizer: bool = False
    problem: bool = False
    suspended: bool = False
    site_ready: bool = True
    """Whether the cluster of its objects can be worked on."""
    source_ready: bool = True
    dependencies_ready: bool = True
    operating: bool = False
    """A sync of several steps is under way."""
    held: bool = False
    """It has to end before another one begins: a hook of it runs, or a client asked for it."""
    superseded: bool = False
    """There is something newer to sync to, or a client asked for another sync."""
    requested: bool = False
    """A client asked (Flux's requestedAt, Argo CD's refresh or operation) and has had no answer yet."""
    terminated: bool = False
    """A client asked for an end of the operation (Argo CD's phase Terminating)."""
    spec_changed: bool = False
    content_changed: bool = False
    """A revision, a variable or a pin that concerns the App came, or it was never rendered."""
    retry_due: bool = False
    drifted: bool = False
    waiting: bool = False
    revision_moved: bool = False

    @property
    def wants_sync(self) -> bool:
        return self.requested or self.spec_changed or self.content_changed or self.retry_due


def next_step(now: Situation) -> Step:
    """The most urgent step. A deletion goes first; a sync goes before a heal, because it heals too."""
    if not now.exists:
        return Step.FORGET
    if now.deleting:
        return Step.FINALIZE if now.has_finalizer else Step.RELEASE
    if now.suspended:
        return Step.IDLE
    if now.problem:
        return Step.STALL
    if not now.site_ready:
        return Step.WAIT_SITE
    if now.terminated:
        return Step.TERMINATE
    if now.operating and (now.held or not now.superseded):
        return Step.CONTINUE
    if now.wants_sync:
        if not now.source_ready:
            return Step.WAIT_SOURCE
        if not now.dependencies_ready:
            return Step.WAIT_DEPENDENCY
        return Step.SYNC
    if now.drifted:
        return Step.HEAL
    if now.waiting:
        return Step.CHECK_HEALTH
    return Step.MOVE_REVISION if now.revision_moved else Step.IDLE
