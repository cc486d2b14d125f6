"""What an App should be: variables, render, checks, normalisation. Asks nothing of the objects that are live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog
from msgspec import Struct, field

from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.controllers.values import SECRET, data_digest, variables_of
from trueup.dialects.dialect import Dialect
from trueup.model.app import App
from trueup.model.errors import NotBuiltYet, Transient, TrueupError
from trueup.model.manifest import Declared
from trueup.model.outcome import Notice
from trueup.model.refs import ObjectRef
from trueup.model.rendering import Substitution
from trueup.model.snapshot import Inputs, Snapshot
from trueup.model.source import Source
from trueup.render.built import Asked
from trueup.render.gathering import remotes_moved
from trueup.sync.applier import Applier
from trueup.sync.canonical import keyed_digest
from trueup.sync.desired import Desired
from trueup.sync.hooktasks import DeclaredHook, declare_hooks, part_hooks
from trueup.sync.normalise import normalise, resolve_scopes

log = structlog.get_logger(__name__)

UNSUPPORTED_SHOWN = 5


class VariableMissing(Transient):
    """A ConfigMap or Secret that variables come from is not there (yet)."""

    reason = "BuildFailed"


class Variables(Struct, frozen=True, kw_only=True):
    """What substitution has to work with. `values` None: the App asks for no substitution."""

    values: dict[str, str] | None = None
    seen: dict[ObjectRef, str] = field(default_factory=dict)
    """A keyed digest of each ConfigMap and Secret that was read; empty text: it is optional and not there."""
    tainted: bool = False
    """Whether any of these was a Secret."""


class Content(Struct, frozen=True, kw_only=True):
    """`digest` is keyed, over all desired objects: equal digests need no new plan."""

    desired: dict[ObjectRef, Desired]
    inputs: Inputs
    digest: str
    source_type: str
    asked: Asked
    notices: tuple[Notice, ...]
    hooks: tuple[DeclaredHook, ...] = ()
    """What runs at certain times of a sync or deletion; no part of `desired` and its digest."""


async def make_content(
    memory: AppMemory,
    app: App,
    snapshot: Snapshot,
    applier: Applier,
    shell: AppShell,
    variables: Variables,
    *,
    fresh: bool = False,
    as_before: bool = False,
) -> Content:
    """Renders the App from the snapshot with these variables; notes in its memory which remotes that took.

    `fresh`: remote bases are asked for news whatever was heard lately; `as_before`: they are taken at the revisions of the
    last render. Raises BuildFailed and its kinds (only another revision helps), NotBuiltYet, or Transient errors.
    """
    dialect = shell.dialect_of(memory.ref)
    age = timedelta(0) if fresh else app.rules.interval / 2
    source, expected = _source_of(memory, shell), memory.saved.remotes
    async with shell.remotes.bound(source, expected, age, as_before=as_before) as remotes:
        rendered = await shell.renderer.render(snapshot, app.render, variables.values, remotes=remotes)
    memory.saved.remotes = rendered.remotes
    check_marks(rendered.objects, dialect)
    parted = part_hooks(rendered.objects, dialect.read_hook)
    scopes = await resolve_scopes(rendered.objects, applier)
    key, tainted = shell.secret_key, variables.tainted
    normalised = normalise(parted.kept, scopes, app.rules, secret_key=key, tainted=tainted)
    desired = {item.ref: item for item in normalised.objects}
    digest = keyed_digest(sorted(item.digest for item in normalised.objects), shell.secret_key)
    return Content(
        desired=desired,
        inputs=rendered.inputs,
        digest=digest,
        source_type=rendered.source_type,
        asked=rendered.asked,
        notices=(*rendered.notices, *parted.notices, *normalised.notices),
        hooks=declare_hooks(parted.hooks, scopes, app.rules, secret_key=key, tainted=tainted),
    )


async def remotes_changed(memory: AppMemory, app: App, snapshot: Snapshot, shell: AppShell) -> bool:
    """Whether any remote base holds something else in what was read of it; asks for each of them. Raises SourceError."""
    saved = memory.saved
    if saved.inputs is None:
        return False
    async with shell.remotes.bound(_source_of(memory, shell), saved.remotes, app.rules.interval / 2) as remotes:
        return remotes is None or await remotes_moved(remotes, snapshot, saved.inputs)


def _source_of(memory: AppMemory, shell: AppShell) -> Source | None:
    feed = shell.sources.feeds.of_app(memory.ref)
    return feed.source if feed is not None else None


async def content_again(
    memory: AppMemory, app: App, snapshot: Snapshot | None, shell: AppShell, *, same: bool = True
) -> Content | None:
    """What was last made; after a restart it is made again from the same revision. None: only a sync can tell.

    `same`: only when it comes out as it did.
    """
    saved = memory.saved
    if memory.desired is not None and saved.inputs is not None:
        return Content(
            desired=memory.desired,
            inputs=saved.inputs,
            digest=saved.content_digest,
            source_type=saved.source_type,
            asked=saved.asked,
            notices=(),
            hooks=memory.hooks,
        )
    if snapshot is None or saved.revision is None or not snapshot.revision.is_content_of(saved.revision):
        return None
    try:
        applier = shell.applier_for(app.rules)
        variables = await gather_variables(app.render.substitution, shell, fresh=False)
        content = await make_content(memory, app, snapshot, applier, shell, variables, as_before=True)
    except TrueupError as error:
        log.warning("content could not be made again", app=str(memory.ref), error=str(error))
        return None
    if same and content.digest != saved.content_digest:
        return None
    memory.desired, memory.hooks, memory.variables_seen = content.desired, content.hooks, variables.seen
    if saved.inputs is None:
        saved.inputs, saved.content_digest = content.inputs, content.digest
    return content


async def gather_variables(substitution: Substitution | None, shell: AppShell, *, fresh: bool) -> Variables:
    """Later sources win over earlier ones, inline variables over all. `fresh`: read again, whatever is kept.

    Raises VariableMissing and InvalidInput.
    """
    if substitution is None:
        return Variables()
    values: dict[str, str] = {}
    seen: dict[ObjectRef, str] = {}
    tainted = False
    for source in substitution.sources:
        obj = await shell.values.get(source.ref, fresh=fresh)
        if obj is None:
            if not source.optional:
                raise VariableMissing(
                    f"{source.ref} is not there, and postBuild.substituteFrom needs it",
                    hint="create it, or set optional: true",
                )
            seen[source.ref] = ""
            continue
        found = variables_of(obj)
        seen[source.ref] = data_digest(obj, shell.secret_key)
        tainted = tainted or (source.ref.group, source.ref.kind) == SECRET
        values.update(found)
    values.update(substitution.variables)
    return Variables(values=values, seen=seen, tainted=tainted)


def variables_digest(seen: Mapping[ObjectRef, str], secret_key: bytes) -> str:
    """Of all values that a render used; empty: it used none."""
    return keyed_digest(sorted((str(ref), digest) for ref, digest in seen.items()), secret_key) if seen else ""


async def variables_changed(app: App, known: str, shell: AppShell) -> bool:
    """Whether any ConfigMap or Secret holds something else than at the last render; asks for each of them.

    `known` is the `variables_digest` of that render.
    """
    seen: dict[ObjectRef, str] = {}
    for ref in app.reads_from:
        obj = await shell.values.get(ref, fresh=True)
        seen[ref] = data_digest(obj, shell.secret_key) if obj is not None else ""
    return variables_digest(seen, shell.secret_key) != known


def check_marks(objects: tuple[Declared, ...], dialect: Dialect) -> None:
    """Raises NotBuiltYet when an object carries a mark that has a meaning which is not built: nothing is applied then."""
    found = [
        f"{item.ref}{f' ({item.origin})' if item.origin else ''}: {mark}"
        for item in objects
        if (mark := dialect.unsupported_mark(item.manifest)) is not None
    ]
    if found:
        more = [f"and {len(found) - UNSUPPORTED_SHOWN} more"] if len(found) > UNSUPPORTED_SHOWN else []
        raise NotBuiltYet("\n".join([*found[:UNSUPPORTED_SHOWN], *more]))
