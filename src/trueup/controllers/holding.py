"""What holds an App up, said on its resource: it cannot be read, it waits for something else, or we made a mistake."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from trueup.controllers.concluding import Conclusion, conclude
from trueup.controllers.events import Event
from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory
from trueup.controllers.recording import make_record
from trueup.controllers.shell import AppShell
from trueup.controllers.wishes import unanswered
from trueup.model.errors import Terminal
from trueup.model.manifest import Manifest
from trueup.model.outcome import Requests, State
from trueup.model.refs import ObjectRef
from trueup.model.source import address_of
from trueup.records.record import RecordKind

SOURCE_NOT_READY = "SourceNotReady"
DEPENDENCY_NOT_READY = "DependencyNotReady"
PATIENCE = 20.0
"""Seconds for which a first fetch may be under way before an App says that it waits for it."""
BUG_DELAY = 30.0
"""Seconds until an App that met a fault of ours is looked at again."""


async def stall(memory: AppMemory, obj: Manifest, shell: AppShell) -> None:
    """Says what cannot be read or is not built; once per wording."""
    error = memory.problem
    assert error is not None
    message = str(error)
    requests = Requests()
    with contextlib.suppress(Terminal):
        requests = shell.dialect_of(memory.ref).read_requests(obj)
    token = unanswered(memory, requests)
    said = memory.saved.state is State.STALLED and memory.saved.message == message and memory.status is not None
    if said:
        if token:
            again = Conclusion(state=State.STALLED, reason=error.reason, message=message, token=token)
            await conclude(memory, obj, again, shell)
        return
    end = Conclusion(
        state=State.STALLED,
        reason=error.reason,
        message=message,
        token=token,
        event=Event(reason=error.reason, message=message, warning=True),
        record=make_record(shell, RecordKind.FAILURE, memory, result="failed", reason=error.reason, message=message),
    )
    await conclude(memory, obj, end, shell)


async def wait_for_source(
    memory: AppMemory,
    obj: Manifest,
    feed: Feed | None,
    requests: Requests,
    shell: AppShell,
    look_later: Callable[[ObjectRef, float], None],
) -> None:
    """Says why the source gives nothing; a first fetch is given some time before a word is said.

    A request is answered all the same, as the originals do: Flux's token is echoed, Argo CD's refresh is taken off once
    the remote was asked again and the comparison failed.
    """
    assert memory.app is not None
    if feed is not None and requests.refresh and memory.refreshed != requests.token:
        memory.refreshed = requests.token
        shell.sources.ask(feed.key, waking=memory.ref)
        return
    source = memory.app.source
    label = str(source) if isinstance(source, ObjectRef) else address_of(source)
    if feed is None or (feed.source is None and feed.problem is None):
        message, reason = f"{label} is not there", "SourceNotFound"
    elif feed.problem is not None:
        message, reason = f"{label}: {feed.problem}", SOURCE_NOT_READY
    else:
        message, reason = f"{label} has not been fetched yet", SOURCE_NOT_READY
        now = shell.loop_time()
        memory.waiting_since = memory.waiting_since or now
        if now - memory.waiting_since < PATIENCE:
            look_later(memory.ref, PATIENCE)  # its first fetch is under way, and nothing is wrong
            return
    memory.synced = None
    await wait_for(memory, obj, reason, message, unanswered(memory, requests), shell)


async def wait_for(memory: AppMemory, obj: Manifest, reason: str, message: str, token: str, shell: AppShell) -> None:
    """Says what is waited for, and answers the request that meets it; whatever ends the wait wakes the App."""
    saved = memory.saved
    said = (saved.state, saved.reason, saved.message) == (State.WAITING, reason, message) and memory.status is not None
    if said and not token:
        return
    event = None if said else Event(reason=reason, message=message, warning=reason != DEPENDENCY_NOT_READY)
    end = Conclusion(state=State.WAITING, reason=reason, message=message, token=token, event=event)
    await conclude(memory, obj, end, shell)


async def tell_bug(ref: ObjectRef, error: Exception, shell: AppShell) -> None:
    """A fault of ours is said on the resource too, not only in a log that its owner may not read."""
    obj, memory = shell.resources.get(ref), shell.memories.get(ref)
    if obj is None or memory is None:
        return
    message = f"an internal error, which is tried again: {type(error).__name__}: {error}"
    end = Conclusion(
        state=State.RETRYING,
        reason="InternalError",
        message=message,
        event=Event(reason="InternalError", message=message, warning=True),
    )
    memory.retry_at = shell.loop_time() + BUG_DELAY
    with contextlib.suppress(Exception):
        await conclude(memory, obj, end, shell)
