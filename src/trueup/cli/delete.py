"""`trueup delete`: Apps or sources; and what becomes of the objects is said before."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import timedelta
from typing import Annotated

import typer

from trueup.apps.leaving import leaving_patch
from trueup.apps.times import parse_wait, short_duration
from trueup.cli.console import Exit, fail, shown, tell
from trueup.cli.following import follow_one
from trueup.cli.options import Context, Kubeconfig, Namespace, NoWait, Timeout
from trueup.cli.progress import done, progress
from trueup.cli.session import MANAGER, Found, Session, in_session
from trueup.cli.waiting import TookTooLong
from trueup.model.app import DeletionPolicy, SyncRules
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, uid_of


@shown
def delete(
    names: Annotated[list[str], typer.Argument(metavar="APP", help="Apps; or sources, such as gitrepo/podinfo.")],
    keep_objects: Annotated[bool, typer.Option("--keep-objects", help="Leave everything running.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: NoWait = False,
    timeout: Timeout = "5m",
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Delete Apps or sources. An App takes its objects with it as its own deletion policy says."""
    wait = None if no_wait else parse_wait(timeout)

    async def work(session: Session) -> None:
        found = await session.find_all(names)
        for item in found:
            tell(consequence(item, keep_objects=keep_objects))
        if not yes:
            _confirm()
        for item in found:
            await _delete(session, item, wait, keep_objects=keep_objects)

    in_session(work, kubeconfig, context, namespace)


def _confirm() -> None:
    if not sys.stdin.isatty():
        fail("nobody is there to ask", hint="pass --yes", code=Exit.USAGE)
    if not typer.confirm("Delete?", err=True):
        tell("nothing was deleted")
        sys.exit(int(Exit.FAILED))


def consequence(found: Found, *, keep_objects: bool) -> str:
    """What will become of the objects, in one sentence."""
    if found.kind.is_source:
        return f"{found.ref}: what runs stays, and gets no new revisions"
    dialect = found.kind.dialect
    count = len(dialect.stored_inventory(found.obj))
    objects = f"{count} object{'' if count == 1 else 's'}"
    try:
        rules = dialect.read_app(found.obj).rules
    except TrueupError as error:
        return f"{found.ref}: it cannot be read ({error.message}); its {objects} will be treated as its status says"
    if keep_objects or keeps(rules):
        return f"{found.ref}: its {objects} stay as they are"
    return f"{found.ref}: its {objects} will be deleted"


def keeps(rules: SyncRules) -> bool:
    """Whether an App of these rules leaves its objects when it goes."""
    policy = rules.deletion_policy
    return (
        rules.suspend or policy is DeletionPolicy.ORPHAN or (policy is DeletionPolicy.MIRROR_PRUNE and not rules.prune)
    )


async def _delete(session: Session, found: Found, wait: timedelta | None, *, keep_objects: bool) -> None:
    ref, resource = found.ref, found.kind.resource
    keeping = keep_objects and not found.kind.is_source
    if keeping and (patch := leaving_patch(found.obj, found.kind.dialect)) is not None:
        await session.client.merge_patch(resource, ref.name, ref.namespace, patch, manager=MANAGER)
    uid = uid_of(found.obj)
    await session.client.delete(resource, ref.name, ref.namespace, uid=uid)
    if wait is None:
        done(f"{ref} is being deleted")
        return
    with progress(f"{ref}: waiting until it is gone"):
        try:
            async with asyncio.timeout(wait.total_seconds()):
                await _until_gone(session, found, uid)
        except TimeoutError as error:
            raise TookTooLong(
                f"it is not gone after {short_duration(wait)}: its finalizers wait for a controller",
                ref=ref,
                hint="is a controller running? see trueup events",
            ) from error
    done(f"{ref} deleted")


async def _until_gone(session: Session, found: Found, uid: str) -> None:
    ref = found.ref
    async with contextlib.aclosing(follow_one(session.client, found.kind.resource, ref.namespace, ref.name)) as changes:
        obj: Manifest | None
        async for obj in changes:
            if obj is None or uid_of(obj) != uid:
                return
