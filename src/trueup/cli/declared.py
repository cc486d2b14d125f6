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

from trueup.apps.times import utc_now
from trueup.apps.views import view_app
from trueup.cli.console import tell
from trueup.cli.elsewhere import at_target
from trueup.cli.fetching import Fetching, ListedRepositories, read_source
from trueup.cli.progress import Progress
from trueup.cli.releaseintree import declare_release_of_tree
from trueup.cli.releases import declare_release
from trueup.cli.session import Found, Session
from trueup.cli.validation import elsewhere
from trueup.cluster.applier import ClusterApplier
from trueup.controllers.content import check_marks
from trueup.controllers.values import SECRET, variables_of
from trueup.model.app import App
from trueup.model.errors import InvalidInput, SourceError
from trueup.model.outcome import Notice
from trueup.model.revision import Revision, chart_revision
from trueup.model.snapshot import Inputs, Snapshot
from trueup.model.source import CompositeSource, pinned, pinned_parts
from trueup.render.chartreading import EngineChartReader
from trueup.render.engine.pool import EnginePool
from trueup.render.render import Rendered, Renderer
from trueup.sources.fetching import SourceFetchers
from trueup.sources.worktree import WorktreeSnapshot, open_worktree
from trueup.sync.desired import Desired
from trueup.sync.hooktasks import part_hooks
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


class WorkingTree(Struct, frozen=True):
    """A working tree that stands in for what Git has. `inside`: the folder to take in place of an App's own path."""

    snapshot: WorktreeSnapshot
    inside: str = ""

    @property
    def shown(self) -> str:
        return f"{self.snapshot.root} (on {self.snapshot.revision.short})"


async def open_tree(folder: Path) -> WorkingTree:
    """Raises SourceError."""
    return WorkingTree(*await asyncio.to_thread(open_worktree, folder))


async def declare(
    session: Session, found: Found, rendering: Renderer, tree: WorkingTree | None, reporter: Progress
) -> Declaration:
    """The App's objects as they are to be. Raises what reading, fetching, rendering and checking raise."""
    if (app := found.kind.dialect.read_app(found.obj)).release is not None:
        return await _declare_release(session, app, rendering, tree, reporter)
    async with declared_in(session, found, rendering, tree, reporter) as (app, snapshot, place):
        declared = await _declare(session, found, app, snapshot, rendering, reporter)
        return structs.replace(declared, place=place)


@asynccontextmanager
async def declared_in(
    session: Session, found: Found, rendering: Renderer, tree: WorkingTree | None, reporter: Progress
) -> AsyncIterator[tuple[App, Snapshot, str]]:
    """The App, the Snapshot that declares it (a working tree's in place of Git's own), and where that is, for people."""
    app = found.kind.dialect.read_app(found.obj)
    if tree is not None:
        if why := elsewhere(app):
            raise InvalidInput(f"{why}: a folder cannot stand in for it", ref=app.ref, hint="leave --path out")
        yield _with(app, tree.inside or app.render.path, await _ignore_of(session, app)), tree.snapshot, tree.shown
        return
    async with fetched_snapshot(session, found, app, rendering.engines, reporter) as (fetched, ignore):
        yield _with(app, app.render.path, ignore), fetched, fetched.revision.short


async def _ignore_of(session: Session, app: App) -> str | None:
    """`spec.ignore` of the source, which holds for a working tree of it too; a source that is not there yet says nothing."""
    try:
        return (await read_source(session, app.source)).ignore
    except InvalidInput:
        return None


def _with(app: App, path: str, ignore: str | None) -> App:
    ignore = ignore if ignore is not None else app.render.ignore
    return structs.replace(app, render=structs.replace(app.render, path=path, ignore=ignore))


async def _declare(
    session: Session, found: Found, app: App, snapshot: Snapshot, rendering: Renderer, reporter: Progress
) -> Declaration:
    variables, tainted = await read_variables(session, app)
    reporter.update(f"rendering {app.render.path}")
    rendered = await rendering.render(snapshot, app.render, variables)
    check_marks(rendered.objects, found.kind.dialect)
    parted = part_hooks(rendered.objects, found.kind.dialect.read_hook)
    async with at_target(session, app.target) as there:
        scopes = await resolve_scopes(rendered.objects, ClusterApplier(there.client, app.rules.field_manager))
    normalised = normalise(parted.kept, scopes, app.rules, secret_key=secrets.token_bytes(32), tainted=tainted)
    return Declaration(
        app=app,
        rendered=rendered,
        desired=normalised.objects,
        revision=snapshot.revision,
        place=snapshot.revision.short,
        tainted=tainted,
        notices=(*rendered.notices, *parted.notices, *normalised.notices),
    )


async def _declare_release(
    session: Session, app: App, rendering: Renderer, tree: WorkingTree | None, reporter: Progress
) -> Declaration:
    """What its newest record says; of a working tree what its next install or upgrade would make."""
    engines = rendering.engines
    async with at_target(session, app.target) as there:
        if tree is None:
            release = await declare_release(there, app, engines)
        else:
            release = await declare_release_of_tree(session, there, app, tree.snapshot, tree.inside, engines, reporter)
    named = f"release {release.version} ({release.chart})"
    return Declaration(
        app=app,
        rendered=Rendered(objects=release.objects, inputs=Inputs.of("", ()), source_type="Helm", digest=""),
        desired=release.desired,
        revision=chart_revision(release.chart.version),
        place=named if tree is None else f"{named}, not made yet, of {tree.shown}",
        tainted=True,
        notices=release.notices,
    )


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
async def fetched_snapshot(
    session: Session, found: Found, app: App, engines: EnginePool, reporter: Progress
) -> AsyncIterator[tuple[Snapshot, str | None]]:
    """What is declared for the App now (or at its pin), fetched to a folder that goes with the block; and `spec.ignore`."""
    with tempfile.TemporaryDirectory(prefix="trueup-") as folder:
        # Local repositories are for `trueup up`: a remote cluster has no business to name folders of this machine.
        local = urlsplit(session.client.config.server).hostname in _LOOPBACK
        fetchers = SourceFetchers(
            Path(folder), EngineChartReader(engines), allow_local=local, find=ListedRepositories(session).find
        )
        fetching = Fetching(session, fetchers, reporter)
        source = await fetching.read(app.source)
        if (pin := view_app(found.obj, found.kind.dialect, utc_now()).pin) is not None:
            tell(f"{app.ref} is pinned at {pin}")
            if pin.parts and isinstance(source, CompositeSource) and len(pin.parts) == len(source.members):
                source = pinned_parts(source, pin.parts)
            else:
                source = pinned(source, pin.revision) or source
        try:
            snapshot = await fetching.fetch(source)
        except SourceError as error:
            raise type(error)(
                error.message, hint=error.hint or "this machine must reach it too; --path renders a working tree"
            ) from error
        finally:
            await fetchers.close()
        with snapshot:
            yield snapshot, source.ignore
