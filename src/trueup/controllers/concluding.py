"""The end of a look: what is remembered, written to the status, told by an Event, and recorded. One place for all ends."""

from __future__ import annotations

from msgspec import Struct

from trueup.controllers.backoff import retry_delay
from trueup.controllers.events import Event
from trueup.controllers.memory import AppMemory
from trueup.controllers.queue import Priority
from trueup.controllers.reporting import make_status, notice_events
from trueup.controllers.shell import AppShell
from trueup.model.app import Retry
from trueup.model.errors import Terminal, TrueupError
from trueup.model.manifest import Manifest, generation_of
from trueup.model.outcome import State
from trueup.model.refs import ObjectRef
from trueup.records.record import Record


class Conclusion(Struct, frozen=True, kw_only=True):
    """How a look ended. `token` is the request that is answered by it; `event` None: nothing to tell."""

    state: State
    reason: str
    message: str
    token: str = ""
    event: Event | None = None
    record: Record | None = None
    quiet: bool = False
    """Only the revision moved: the status may be written when its turn comes."""


async def conclude(memory: AppMemory, obj: Manifest, conclusion: Conclusion, shell: AppShell) -> None:
    """Brings status, Events, records and the state folder up to date with the memory."""
    saved = memory.saved
    saved.state, saved.reason, saved.message = conclusion.state, conclusion.reason, conclusion.message
    before = memory.status.notices if memory.status else ()
    await write_status(memory, obj, shell, token=conclusion.token, quiet=conclusion.quiet)
    if conclusion.token:
        saved.handled_request = conclusion.token
    if conclusion.event is not None:
        shell.events.emit(obj, conclusion.event)
    for notice in notice_events(before, memory.notices):
        shell.events.emit(obj, Event(reason=notice.type, message=notice.message, warning=True))
    if conclusion.record is not None:
        shell.recorder.put(conclusion.record)
    shell.state.put(memory.ref, memory.to_bytes())


async def write_status(
    memory: AppMemory, obj: Manifest, shell: AppShell, *, token: str = "", quiet: bool = False
) -> None:
    """Writes what there is to say now; `quiet`: when its turn comes."""
    dialect = shell.dialect_of(memory.ref)
    generation = memory.app.generation if memory.app else generation_of(obj)
    live = shell.tracking.facts(memory.saved.inventory.refs | {entry.ref for entry in memory.shown})
    status = make_status(memory, generation, live, shell.clock(), token=token)
    memory.status, memory.health = status, status.health
    if quiet:
        shell.writer.later(
            memory.ref, lambda current: dialect.status_patch(current, status, shell.clock()), Priority.ROUTINE
        )
    else:
        await shell.writer.write(memory.ref, lambda current: dialect.status_patch(current, status, shell.clock()))


def plan_retry(memory: AppMemory, error: TrueupError | None, shell: AppShell, retry: Retry | None = None) -> State:
    """Counts a failure and plans the next try. STALLED: nothing more happens by itself. `retry`: other than the App's."""
    memory.failures += 1
    memory.retry_at = None
    if isinstance(error, Terminal) or memory.app is None:
        return State.STALLED
    delay = retry_delay(retry or memory.app.rules.retry, memory.failures, chance=shell.chance())
    if delay is None:
        return State.STALLED
    memory.retry_at = shell.loop_time() + delay.total_seconds()
    return State.RETRYING


def revision_annotations(memory: AppMemory) -> dict[str, str] | None:
    """What Flux puts on its Events: the revision, under the App's own group."""
    revision = memory.saved.attempted
    group = memory.ref.group
    return {f"{group}/revision": str(revision)} if revision else None


def blocked_by(unready: tuple[ObjectRef, ...]) -> str:
    """`dependency 'shop/db' is not ready`, as Flux words it."""
    names = ", ".join(f"'{ref.namespace}/{ref.name}'" for ref in unready)
    word = "dependency" if len(unready) == 1 else "dependencies"
    verb = "is" if len(unready) == 1 else "are"
    return f"{word} {names} {verb} not ready"
