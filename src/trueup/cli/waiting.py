"""Asking for something by a patch, and waiting for its outcome by watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

from trueup.apps.asks import Ask, Outcome
from trueup.apps.status import Status
from trueup.apps.times import short_duration, utc_now
from trueup.apps.views import view_app, view_source
from trueup.cli.following import follow_one
from trueup.cli.progress import Progress
from trueup.cli.session import MANAGER, Found, Session
from trueup.model.errors import Transient
from trueup.model.manifest import Manifest

Judge = Callable[[Manifest], Outcome | None]


class TookTooLong(Transient):
    """The outcome did not come in time; what was asked for stays asked for."""

    reason = "Timeout"


async def send(session: Session, found: Found, ask: Ask) -> Found:
    """Patches the resource; the answer is how it is now. An Ask with a resourceVersion is refused if that has passed."""
    ref = found.ref
    answer = await session.client.merge_patch(found.kind.resource, ref.name, ref.namespace, ask.patch, manager=MANAGER)
    return Found(found.kind, answer)


async def until(session: Session, found: Found, judge: Judge, within: timedelta, progress: Progress) -> Outcome:
    """Watches until `judge` finds an outcome. Raises TookTooLong, which says how far it came."""
    ref, last = found.ref, "nothing has happened yet"
    try:
        async with asyncio.timeout(within.total_seconds()):
            changes = follow_one(session.client, found.kind.resource, ref.namespace, ref.name)
            async with contextlib.aclosing(changes):
                async for obj in changes:
                    if obj is None:
                        return Outcome(False, f"{ref} was deleted meanwhile")
                    if (outcome := judge(obj)) is not None:
                        return outcome
                    last = describe_state(Found(found.kind, obj))
                    progress.update(f"{ref}: {last}")
    except TimeoutError as error:
        raise TookTooLong(
            f"no outcome within {short_duration(within)}; last seen: {last}",
            ref=ref,
            hint="is a controller running? `trueup events` and `trueup logs` tell more; --timeout waits longer",
        ) from error
    raise AssertionError("unreachable")


def describe_state(found: Found) -> str:
    """`Progressing: Applying manifests for revision main@1a2b3c4`."""
    if found.kind.is_source:
        source = view_source(found.obj)
        status, message = source.status, source.message
    else:
        app = view_app(found.obj, found.kind.dialect, utc_now())
        status, message = app.status, app.message
    # An old success says nothing about what was just asked for.
    if status is Status.READY:
        return "waiting for the controller"
    return f"{status}: {message}" if message else str(status)
