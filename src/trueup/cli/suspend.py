"""`trueup suspend` and `trueup resume`: leave Apps or sources alone for a while, and go on."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from trueup.apps.asks import Outcome, ready_outcome, request_suspension, source_outcome, sync_outcome
from trueup.apps.times import parse_wait, utc_now
from trueup.cli.console import Exit, fail, shown, tell
from trueup.cli.options import AppNames, Context, Kubeconfig, Namespace, NoWait, Timeout
from trueup.cli.progress import done, failed, progress
from trueup.cli.session import Found, Session, in_session
from trueup.cli.waiting import send, until
from trueup.model.manifest import Manifest

All = Annotated[bool, typer.Option("--all", help="Every App (of the namespace).")]


@shown
def suspend(
    names: AppNames = None,
    everything: All = False,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Leave Apps or sources alone: no sync, no healing, until they are resumed."""
    _check(names, everything)

    async def work(session: Session) -> None:
        for found in await session.find_all(names or []):
            ask = request_suspension(
                found.obj, found.kind.dialect, utc_now(), is_source=found.kind.is_source, suspend=True
            )
            if ask is None:
                tell(f"{found.ref} is suspended already")
                continue
            await send(session, found, ask)
            done(f"{found.ref} suspended")

    in_session(work, kubeconfig, context, namespace)


@shown
def resume(
    names: AppNames = None,
    everything: All = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Go on with Apps or sources that were suspended, and wait until they are true again."""
    _check(names, everything)
    wait = None if no_wait else parse_wait(timeout)

    async def work(session: Session) -> bool:
        results = [await _resume(session, found, wait) for found in await session.find_all(names or [])]
        return all(results)

    if not in_session(work, kubeconfig, context, namespace):
        sys.exit(int(Exit.FAILED))


async def _resume(session: Session, found: Found, wait: timedelta | None) -> bool:
    dialect, is_source = found.kind.dialect, found.kind.is_source
    ask = request_suspension(found.obj, dialect, utc_now(), is_source=is_source, suspend=False)
    if ask is None:
        tell(f"{found.ref} is not suspended")
        return True
    asked = await send(session, found, ask)
    if wait is None:
        done(f"{found.ref} resumed")
        return True

    def judge(obj: Manifest) -> Outcome | None:
        if is_source:
            return source_outcome(obj, ask)
        return sync_outcome(obj, dialect, ask, utc_now()) if ask.token else ready_outcome(obj, dialect, utc_now())

    with progress(f"{found.ref}: going on") as reporter:
        outcome = await until(session, asked, judge, wait, reporter)
    (done if outcome.succeeded else failed)(f"{found.ref} resumed: {outcome.message}")
    return outcome.succeeded


def _check(names: list[str] | None, everything: bool) -> None:
    if not names and not everything:
        fail("nothing is named", hint="name an App, or pass --all", code=Exit.USAGE)
