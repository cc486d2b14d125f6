"""`trueup sync` (or `reconcile`): make it so now, and tell how it went."""

from __future__ import annotations

import asyncio
import getpass
import sys
from datetime import timedelta
from typing import Annotated

import typer

from trueup.apps.asks import (
    ARGOCD,
    Outcome,
    refresh_outcome,
    request_reconcile,
    request_refresh,
    request_sync,
    source_outcome,
    sync_outcome,
)
from trueup.apps.times import parse_wait, took, utc_now
from trueup.apps.views import view_app, view_source
from trueup.cli.console import Exit, fail, shown, tell
from trueup.cli.options import AppNames, Context, Kubeconfig, Namespace, NoWait, Timeout
from trueup.cli.progress import Progress, done, failed, progress
from trueup.cli.session import Found, Session, in_session
from trueup.cli.waiting import send, until
from trueup.model.app import App
from trueup.model.errors import InvalidInput, TrueupError
from trueup.model.refs import ObjectRef

AT_ONCE = 8
"""Apps that are waited for at the same time."""


@shown
def sync(
    names: AppNames = None,
    everything: Annotated[bool, typer.Option("--all", help="Every App (of the namespace).")] = False,
    with_source: Annotated[bool, typer.Option("--with-source", help="Look at Git first.")] = False,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Argo CD: whether this sync deletes what left Git.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Apply what Git declares now, and wait for the outcome."""
    if not names and not everything:
        fail("nothing is named", hint="name an App, or pass --all", code=Exit.USAGE)
    wait = None if no_wait else parse_wait(timeout)

    async def work(session: Session) -> bool:
        found = await session.find_all(names or [])
        if dry_run:
            from trueup.cli.diff import preview_all

            return await preview_all(session, found)
        return await sync_all(session, found, wait, with_source=with_source, prune=prune)

    if not in_session(work, kubeconfig, context, namespace):
        sys.exit(int(Exit.FAILED))


async def sync_all(
    session: Session, found: list[Found], wait: timedelta | None, *, with_source: bool, prune: bool | None
) -> bool:
    """Whether all went well. One that fails does not stop the others."""
    bound = asyncio.Semaphore(AT_ONCE)

    async def one(item: Found, reporter: Progress) -> bool:
        async with bound:
            try:
                return await _sync(session, item, wait, reporter, with_source=with_source, prune=prune)
            except TrueupError as error:
                text = str(error)
                failed(text if text.startswith(str(item.ref)) else f"{item.ref}: {text}")
                return False

    names = ", ".join(str(item.ref) for item in found[:3]) + (", …" if len(found) > 3 else "")
    with progress(f"asking for {names}") as reporter:
        results = await asyncio.gather(*(one(item, reporter) for item in found))
    return all(results)


async def _sync(
    session: Session,
    found: Found,
    wait: timedelta | None,
    reporter: Progress,
    *,
    with_source: bool,
    prune: bool | None,
) -> bool:
    started = utc_now()
    if found.kind.is_source:
        return await _sync_source(session, found, wait, reporter)
    dialect = found.kind.dialect
    if with_source:
        found = await _source_first(session, found, wait, reporter)
    ask = request_sync(found.obj, dialect, started, who=person(), prune=prune)
    asked = await send(session, found, ask)
    if wait is None:
        tell(f"asked for {found.ref}")
        return True
    outcome = await until(session, asked, lambda obj: sync_outcome(obj, dialect, ask, utc_now()), wait, reporter)
    if not outcome.succeeded:
        failed(f"{found.ref}: {outcome.message}")
        return False
    obj = await session.get(found.ref, found.kind.resource.version) or asked.obj
    view = view_app(obj, dialect, utc_now())
    revision = f" at {view.revision.short}" if view.revision else ""
    health = f", {view.health}" if view.health else ""
    done(f"{found.ref} synced{revision}{health} ({took(utc_now() - started)})")
    return True


async def _sync_source(session: Session, found: Found, wait: timedelta | None, reporter: Progress) -> bool:
    started = utc_now()
    ask = request_reconcile(found.obj, started)
    asked = await send(session, found, ask)
    if wait is None:
        tell(f"asked for {found.ref}")
        return True
    outcome = await until(session, asked, lambda obj: source_outcome(obj, ask), wait, reporter)
    if not outcome.succeeded:
        failed(f"{found.ref}: {outcome.message}")
        return False
    obj = await session.get(found.ref, found.kind.resource.version) or asked.obj
    revision = view_source(obj).revision
    done(f"{found.ref} fetched {revision.short if revision else 'nothing'} ({took(utc_now() - started)})")
    return True


async def _source_first(session: Session, found: Found, wait: timedelta | None, reporter: Progress) -> Found:
    """Has the source looked at; the App as it is afterwards. Raises SourceFailed when that does not work."""
    dialect = found.kind.dialect
    if dialect.name == ARGOCD:
        ask = request_refresh(utc_now())
        asked = await send(session, found, ask)
        if wait is None:
            return asked
        await until(session, asked, lambda obj: refresh_outcome(obj, ask), wait, reporter)
        return Found(found.kind, await session.get(found.ref, found.kind.resource.version) or asked.obj)
    source = await find_source(session, found)
    ask = request_reconcile(source.obj, utc_now())
    asked = await send(session, source, ask)
    if wait is not None:
        outcome: Outcome = await until(session, asked, lambda obj: source_outcome(obj, ask), wait, reporter)
        if not outcome.succeeded:
            raise InvalidInput(f"its source {source.ref} failed: {outcome.message}", ref=found.ref)
    return found


async def find_source(session: Session, found: Found) -> Found:
    """The resource that an App takes its source from. Raises InvalidInput when it is not there."""
    app: App = found.kind.dialect.read_app(found.obj)
    ref = app.source
    assert isinstance(ref, ObjectRef)
    kind = next((kind for kind in await session.kinds() if kind.group_kind == ref.group_kind), None)
    obj = await session.client.get(kind.resource, ref.name, ref.namespace) if kind else None
    if kind is None or obj is None:
        raise InvalidInput(
            f"its source {ref} is not there", ref=found.ref, hint=f"trueup create source git {ref.name} --url ..."
        )
    return Found(kind, obj)


def person() -> str:
    """Who asks, as far as this machine knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
