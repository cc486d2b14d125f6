"""`trueup rollback`: hold an App at a revision of before; Git goes on, and healing goes on at the pin."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Annotated

import typer

from trueup.apps.asks import ARGOCD, Outcome, ready_outcome, request_sync
from trueup.apps.pins import PIN, Pin, whole
from trueup.apps.times import parse_until, parse_wait, utc_now
from trueup.apps.views import view_app
from trueup.apps.wishes import pin_patch, unpin_patch
from trueup.cli.console import Exit, fail, shown, tell
from trueup.cli.history import Database
from trueup.cli.options import AppName, Context, Kubeconfig, Namespace, NoWait, Timeout
from trueup.cli.past import choose_parts, choose_revision, read_past, records_url
from trueup.cli.progress import done, failed, progress
from trueup.cli.session import Found, Session, in_session
from trueup.cli.sync import person
from trueup.cli.waiting import send, until
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of

LOOKED_AT = 200
"""Rows of the past among which a revision is looked for."""


@shown
def rollback(
    name: AppName,
    to: Annotated[
        str, typer.Argument(metavar="REVISION|ID", help="As history shows it. Default: the last other that worked.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for everybody who will wonder.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who. Default: this user.")] = "",
    until_: Annotated[
        str, typer.Option("--until", help="When Git is followed again: 2h, or a time. Default: --off.")
    ] = "",
    off: Annotated[bool, typer.Option("--off", help="Take the pin off: follow Git again.")] = False,
    database: Database = "",
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Pin an App to a recorded revision, with who, why and until when."""
    if off and (to or until_):
        fail("--off takes the pin off and goes with no revision", hint="trueup rollback APP --off", code=Exit.USAGE)
    now = utc_now()
    end = parse_until(until_, now) if until_ else None
    wait = None if no_wait else parse_wait(timeout)

    async def work(session: Session) -> bool:
        found = await session.find(name)
        if found.kind.is_source:
            raise InvalidInput("it is a source: only Apps are rolled back", ref=found.ref)
        if off:
            await unpin(session, found)
            return True
        if found.kind.dialect.suspended(found.obj):
            raise InvalidInput("it is suspended", ref=found.ref, hint=f"trueup resume {found.ref}")
        url = records_url(session, database)
        current = found.kind.dialect.stored_applied_revision(found.obj)
        entries = found.kind.dialect.stored_history(found.obj)
        if any(entry.parts for entry in entries):
            parts = choose_parts(entries, to, current)
        else:
            rows, _ = await asyncio.to_thread(read_past, found, url, limit=LOOKED_AT)
            parts = (choose_revision(rows, to, current),)
        pin = Pin(
            revision=whole(parts),
            parts=parts if len(parts) > 1 else (),
            by=by or person(),
            reason=reason,
            until=end,
        )
        return await hold(session, found, pin, wait)

    if not in_session(work, kubeconfig, context, namespace):
        sys.exit(int(Exit.FAILED))


async def unpin(session: Session, found: Found) -> None:
    if not annotations_of(found.obj).get(PIN):
        tell(f"{found.ref} is not pinned")
        return
    await send(session, found, unpin_patch())
    done(f"{found.ref} follows Git again")


async def hold(session: Session, found: Found, pin: Pin, wait: timedelta | None) -> bool:
    """Writes the pin and waits until it is what runs."""
    dialect = found.kind.dialect
    asked = await send(session, found, pin_patch(pin))
    if dialect.name == ARGOCD and not dialect.read_app(asked.obj).rules.automated:
        asked = await send(session, asked, request_sync(asked.obj, dialect, utc_now(), who=pin.by))
    if wait is None:
        done(f"{found.ref} pinned at {pin}")
        return True

    def judge(obj: Manifest) -> Outcome | None:
        outcome = ready_outcome(obj, dialect, utc_now())
        if outcome is None or not outcome.succeeded:
            return outcome
        applied = view_app(obj, dialect, utc_now()).revision or dialect.stored_applied_revision(obj)
        return outcome if applied is not None and applied.digest == pin.revision.digest else None

    with progress(f"{found.ref}: going to {pin.revision.short}") as reporter:
        outcome = await until(session, asked, judge, wait, reporter)
    if outcome.succeeded:
        done(f"{found.ref} runs {pin}")
    else:
        failed(f"{found.ref} is pinned at {pin.revision.short}, and that failed: {outcome.message}")
    return outcome.succeeded
