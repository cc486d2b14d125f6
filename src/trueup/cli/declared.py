"""What an App should be, worked out on this machine: from Git as the controller would see it, or from a working tree.

The same steps as the controller's (fetch, variables, render, checks, normalisation), with this person's rights.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, structs

from trueup.cli.console import tell
from trueup.cli.progress import Progress
from trueup.cli.session import Found, Session
from trueup.cli.sync import find_source
from trueup.cli.times import utc_now
from trueup.cli.views import view_app
from trueup.cluster.applier import ClusterApplier
from trueup.controllers.content import check_marks
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.values import SECRET, ValueStore, variables_of
from trueup.dialects.argocd.repositories import SECRET_TYPE
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.model.apierror import ApiError
from trueup.model.app import App
from trueup.model.errors import InvalidInput, SourceError
from trueup.model.manifest import Manifest
from trueup.model.outcome import Notice
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.snapshot import Snapshot
from trueup.model.source import GitReference, GitSource
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Rendered, render
from trueup.sources.mirrors import GitMirrors
from trueup.sources.worktree import open_worktree
from trueup.sync.desired import Desired
from trueup.sync.normalise import normalise, resolve_scopes

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Declaration(Struct, frozen=True, kw_only=True):
    """`tainted`: a Secret's values went into the render, so that no value may be shown."""

    app: App
    rendered: Rendered
    desired: tuple[Desired, ...]
    revision: Revision
    place: str
    """Where it was declared, for people: `main@1a2b3c4`, or the working tree."""
    tainted: bool
    notices: tuple[Notice, ...]


async def declare(
    session: Session, found: Found, engines: EnginePool, folder: Path | None, reporter: Progress
) -> Declaration:
    """The App's objects as they are to be. Raises what reading, fetching, rendering and checking raise."""
    app = found.kind.dialect.read_app(found.obj)
    if folder is not None:
        snapshot, inside = await asyncio.to_thread(open_worktree, folder)
        path = inside or app.render.path
        declared = await _declare(session, found, with_path(app, path), snapshot, engines, reporter)
        return structs.replace(declared, place=f"{snapshot.root} (on {snapshot.revision.short})")
    async with git_snapshot(session, found, app, reporter) as (fetched, ignore):
        app = structs.replace(app, render=structs.replace(app.render, ignore=ignore)) if ignore is not None else app
        return await _declare(session, found, app, fetched, engines, reporter)


async def _declare(
    session: Session, found: Found, app: App, snapshot: Snapshot, engines: EnginePool, reporter: Progress
) -> Declaration:
    variables, tainted = await read_variables(session, app)
    reporter.update(f"rendering {app.render.path}")
    rendered = await render(snapshot, app.render, variables, engines)
    check_marks(rendered.objects, found.kind.dialect)
    applier = ClusterApplier(session.client, app.rules.field_manager)
    scopes = await resolve_scopes(rendered.objects, applier)
    normalised = normalise(rendered.objects, scopes, app.rules, secret_key=secrets.token_bytes(32), tainted=tainted)
    return Declaration(
        app=app,
        rendered=rendered,
        desired=normalised.objects,
        revision=snapshot.revision,
        place=snapshot.revision.short,
        tainted=tainted,
        notices=(*rendered.notices, *normalised.notices),
    )


def with_path(app: App, path: str) -> App:
    return structs.replace(app, render=structs.replace(app.render, path=path))


async def read_variables(session: Session, app: App) -> tuple[dict[str, str] | None, bool]:
    """The values of substituted variables, and whether any came from a Secret. None: nothing is substituted."""
    substitution = app.render.substitution
    if substitution is None:
        return None, False
    values: dict[str, str] = {}
    tainted = False
    for source in substitution.sources:
        obj = await session.get(source.ref, "v1")
        if obj is None and not source.optional:
            raise InvalidInput(
                f"{source.ref} is not there, and postBuild.substituteFrom needs it",
                ref=app.ref,
                hint="create it, or set optional: true",
            )
        if obj is not None:
            tainted = tainted or (source.ref.group, source.ref.kind) == SECRET
            values.update(variables_of(obj))
    return values | substitution.variables, tainted


@asynccontextmanager
async def git_snapshot(
    session: Session, found: Found, app: App, reporter: Progress
) -> AsyncIterator[tuple[Snapshot, str | None]]:
    """What Git declares for the App now (or at its pin), fetched to a folder that goes with the block; and `spec.ignore`."""
    source = app.source
    by_url = isinstance(source, GitSource)
    if not isinstance(source, GitSource):
        resource = await find_source(session, found)
        source = resource.kind.dialect.read_source(resource.obj)
    if (pin := view_app(found.obj, found.kind.dialect, utc_now()).pin) is not None:
        tell(f"{app.ref} is pinned at {pin}")
        source = structs.replace(source, reference=GitReference(branch=pin.revision.name, commit=pin.revision.digest))
    credentials = await (await _credentials(session, by_url=by_url)).find(source, by_url=by_url, fresh=False)
    reporter.update(f"fetching {urlsplit(source.url).hostname or source.url}")
    with tempfile.TemporaryDirectory(prefix="trueup-") as folder:
        # Local repositories are for `trueup up`: a remote cluster has no business to name folders of this machine.
        local = urlsplit(session.client.config.server).hostname in _LOOPBACK
        mirrors = GitMirrors(Path(folder), allow_local=local)
        try:
            snapshot = await mirrors.fetch(source, credentials)
        except SourceError as error:
            raise type(error)(
                error.message, hint=error.hint or "this machine must reach it too; --path renders a working tree"
            ) from error
        with snapshot:
            yield snapshot, source.ignore


async def _credentials(session: Session, *, by_url: bool) -> SourceCredentials:
    repositories: list[Manifest] = []
    if by_url:
        resource = await session.client.discovery.resource("", "v1", "Secret")
        try:
            repositories = await session.client.list_all(resource, CONTROL_NAMESPACE, label_selector=SECRET_TYPE)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            tell(f"the repository Secrets cannot be read ({error.message}); trying without credentials")

    async def get(ref: ObjectRef) -> Manifest | None:
        return await session.get(ref, "v1")

    return SourceCredentials(ValueStore(get), lambda: repositories)
