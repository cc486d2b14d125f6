"""What a sync of an App would do, at the revision that its source has or at any other: rendered here, where mirrors, engines and
credentials are, and asked of the API server by dry-run, with the tenant's rights. Nothing is written, and nothing of it is remembered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import structs

from trueup.apps.comparison import (
    ChartWish,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    FieldRow,
    Impact,
    ImpactWish,
    ObjectComparison,
    ReleaseStep,
)
from trueup.apps.pins import Pin
from trueup.controllers.charts import chart_of
from trueup.controllers.commits import commits_of
from trueup.controllers.content import Content, gather_variables, make_content
from trueup.controllers.feeds import Feed
from trueup.controllers.impact import Readers, at, commit_of, impact_of
from trueup.controllers.memory import AppMemory
from trueup.controllers.releases.foretelling import Foretold
from trueup.controllers.releases.telling import ReleaseRows
from trueup.controllers.shell import AppShell
from trueup.controllers.wishes import with_ignore
from trueup.model.app import App
from trueup.model.change import Change
from trueup.model.errors import InvalidInput, Terminal, Transient
from trueup.model.manifest import Manifest, annotations_of
from trueup.model.refs import ObjectRef
from trueup.model.releaserecord import ChartAbout
from trueup.model.revision import Revision
from trueup.model.snapshot import Snapshot
from trueup.model.source import CompositeSource
from trueup.sources.treesnapshot import TreeSnapshot
from trueup.sync.canonical import masked, masking_of
from trueup.sync.desired import Desired
from trueup.sync.hooktasks import DeclaredHook, sync_tasks, wave_of
from trueup.sync.plan import Plan, make_plan
from trueup.sync.preview import preview
from trueup.sync.waves import groups_of, remaining_prunes

ARGOCD = "argocd"
AT_ONCE = 2
WAITING = 16
IN_FLIGHT = 8


Foretell = Callable[[AppMemory, App, Snapshot], Awaitable[Foretold]]


class NoSuchApp(Terminal):
    """This controller serves no App of that name."""

    reason = "NotFound"


class Busy(Transient):
    """Enough comparisons are under way."""

    reason = "TooManyRequests"


class Comparing:
    """Answers questions of people, a few at once, so that syncs have the machine."""

    def __init__(
        self,
        shell: AppShell,
        shell_of: Callable[[ObjectRef], AppShell] | None = None,
        foretell: Foretell | None = None,
    ) -> None:
        """`shell_of` an App has the cluster that its objects live in; `foretell` knows what comes next of a release."""
        self._foretell = foretell
        self._shell = shell
        self._shell_of = shell_of or (lambda _: shell)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def compare(self, wish: CompareWish) -> Comparison:
        """Raises NoSuchApp, Busy, InvalidInput for a revision that cannot be, and whatever stops a render."""
        async with self._slot():
            memory, app, feed = self._find(wish.app)
            async with at(self._shell, feed, self._wanted(memory, wish.revision)) as snapshot:
                if app.release is not None:
                    return await self._of_release(memory, app, snapshot, wish)
                content = await self._content(memory, app, snapshot)
                commit = await commit_of(snapshot)
            if wish.prune is not None:
                app = structs.replace(app, rules=structs.replace(app.rules, prune=wish.prune))
            if not wish.dry_run:
                objects = tuple(self._declared(item) for item in content.desired.values())
            else:
                objects = await self._previewed(
                    memory, app, content, snapshot.revision, self._chosen(memory, wish), wish.only
                )
            shown = snapshot.revision
            return Comparison(
                app=wish.app,
                revision=shown.short,
                full_revision=str(shown),
                at=self._shell.clock(),
                objects=objects,
                # A sync of selected objects runs no hooks.
                hooks=() if wish.resources else tuple(self._hook(hook, app) for hook in content.hooks),
                notices=tuple(notice.message for notice in content.notices),
                counts=dict(Counter(one.action for one in objects)),
                commit=commit,
            )

    async def impact(self, wish: ImpactWish, readers: Readers) -> Impact:
        """Which Apps read what is another at that revision. Raises NoSuchApp for a source that nothing is known of, Busy, SourceError."""
        async with self._slot():
            shell = self._shell
            feed = shell.sources.feeds.get(wish.source)
            if feed is None or feed.source is None:
                raise NoSuchApp(f"no source {wish.source} is known here", hint="was it made a moment ago? Try again")
            async with at(shell, feed, wish.revision) as snapshot:
                return await impact_of(wish.source, feed, snapshot, shell.memories, readers)

    async def commits(self, wish: CommitsWish) -> Commits:
        """Who made these revisions of the App's source. Raises NoSuchApp, Busy, InvalidInput."""
        async with self._slot():
            feed = self._shell.sources.feeds.of_app(wish.app)
            if feed is None:
                raise NoSuchApp(f"no App {wish.app} is served here", hint="was it made a moment ago? Try again")
            return await commits_of(self._shell, self._parts(feed), wish.revisions)

    async def chart(self, wish: ChartWish) -> ChartAbout:
        """Raises NoSuchApp, Busy, and as `charts.chart_of`."""
        async with self._slot():
            feed = self._shell.sources.feeds.of_app(wish.app)
            if feed is None:
                raise NoSuchApp(f"no App {wish.app} is served here", hint="was it made a moment ago? Try again")
            return await chart_of(self._shell, self._parts(feed), wish)

    def _parts(self, feed: Feed) -> list[Feed]:
        """One for each source of the App, in its order."""
        if not isinstance(feed.source, CompositeSource):
            return [feed]
        return [self._shell.sources.feeds.open(key) for key in feed.parents]

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            raise Busy("too many comparisons are under way", hint="try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    def _find(self, ref: ObjectRef) -> tuple[AppMemory, App, Feed]:
        shell = self._shell
        memory = shell.memories.get(ref)
        if memory is None or shell.resources.get(ref) is None:
            raise NoSuchApp(f"no App {ref} is served here", hint="was it made a moment ago? Try again")
        if memory.problem is not None:
            raise memory.problem
        if memory.app is None:
            raise Transient("it has not been looked at yet", ref=ref, hint="try again in a moment")
        feed = shell.sources.feeds.of_app(ref)
        if feed is None or feed.source is None:
            raise Transient("its source is not there", ref=ref, hint="look at the source that its spec names")
        return memory, with_ignore(memory.app, feed), feed

    def _wanted(self, memory: AppMemory, revision: str) -> str | Pin:
        return memory.pin if not revision and memory.was_pinned and memory.pin is not None else revision

    async def _content(self, memory: AppMemory, app: App, snapshot: Snapshot) -> Content:
        """Rendered with a memory of its own, so that the App's knows nothing of it."""
        shell = self._shell_of(memory.ref)
        scratch = AppMemory(memory.ref)
        scratch.saved.remotes = memory.saved.remotes
        variables = await gather_variables(app.render.substitution, shell, fresh=False)
        applier = shell.applier_for(app.rules)
        return await make_content(scratch, app, snapshot, applier, shell, variables)

    def _chosen(self, memory: AppMemory, wish: CompareWish) -> frozenset[ObjectRef] | None:
        """None: all. Raises InvalidInput where syncs of selected objects are not known."""
        if wish.resources and self._shell.dialect_of(memory.ref).name != ARGOCD:
            raise InvalidInput(
                f"a {memory.ref.kind} is synced as a whole",
                field="resources",
                hint="only Applications are synced in parts",
            )
        only = {*wish.resources, *([wish.only] if wish.only is not None else [])}
        return frozenset(only) or None

    async def _of_release(self, memory: AppMemory, app: App, snapshot: TreeSnapshot, wish: CompareWish) -> Comparison:
        """What the next look at a HelmRelease would do."""
        if self._foretell is None:
            raise Transient("releases are not looked at here", ref=wish.app)
        chosen = self._chosen(memory, wish)
        foretold = await self._foretell(memory, app, snapshot)
        shell = self._shell_of(memory.ref)
        rows = ReleaseRows(shell, app, self._compared, self._declared)
        objects = await rows.previewed(foretold, chosen) if wish.dry_run else rows.declared(foretold)
        revision = snapshot.revision
        return Comparison(
            app=wish.app,
            revision=revision.short,
            full_revision=str(revision),
            at=self._shell.clock(),
            objects=objects,
            hooks=rows.hooks(foretold) if wish.only is None else (),
            notices=foretold.notices,
            counts=dict(Counter(one.action for one in objects)),
            commit=await commit_of(snapshot),
            release=ReleaseStep(
                action=foretold.action,
                why=foretold.why,
                current=foretold.current,
                wanted=foretold.wanted,
                becomes=foretold.becomes,
                record=foretold.record,
                next_record=foretold.next_record,
                values=tuple(FieldRow(path=one.path, before=one.before, after=one.after) for one in foretold.values),
            ),
        )

    async def _previewed(
        self,
        memory: AppMemory,
        app: App,
        content: Content,
        revision: Revision,
        chosen: frozenset[ObjectRef] | None,
        only: ObjectRef | None,
    ) -> tuple[ObjectComparison, ...]:
        shell = self._shell_of(memory.ref)
        plan = make_plan(
            content.desired.values(),
            {},
            {},
            memory.saved.inventory,
            app.rules,
            only=chosen,
            autoscaled=shell.managed.scaled,
        )
        pairs: dict[ObjectRef, tuple[Manifest | None, Manifest | None]] = {}

        def seen(ref: ObjectRef, before: Manifest | None, after: Manifest | None) -> None:
            pairs[ref] = (before, after)

        report = await preview(plan, shell.applier_for(app.rules), app.rules, in_flight=IN_FLIGHT, seen=seen)
        turns = self._turns(app, content, plan, revision)
        return tuple(
            structs.replace(
                self._compared(change, content, pairs.get(change.ref, (None, None)), whole=only is not None),
                **turns.get(change.ref, {}),
            )
            for change in report.changes
            if chosen is None or change.ref in chosen
        )

    def _turns(self, app: App, content: Content, plan: Plan, revision: Revision) -> dict[ObjectRef, dict[str, Any]]:
        """In which phase and wave each object has its turn; empty where syncs know neither."""
        if not app.rules.wave_annotations:
            return {}
        shell = self._shell
        tasks = sync_tasks(content.hooks, app.rules, revision, shell.clock(), shell.secret_key)
        groups = groups_of(content.desired.values(), remaining_prunes(plan.prunes), tasks, app.rules)
        return {
            ref: {"phase": str(group.phase), "wave": group.wave}
            for group in groups
            for ref in group.objects | group.prunes
        }

    def _hook(self, hook: DeclaredHook, app: App) -> ObjectComparison:
        shown = self._declared(hook.desired)
        if hook.generate_name and shown.after is not None:
            metadata = {name: value for name, value in shown.after["metadata"].items() if name != "name"}
            after = {**shown.after, "metadata": metadata | {"generateName": hook.generate_name}}
            shown = structs.replace(shown, ref=structs.replace(shown.ref, name=hook.generate_name), after=after)
        return structs.replace(
            shown,
            action="hook",
            hook=tuple(sorted(str(phase) for phase in hook.hook.phases)),
            wave=wave_of(annotations_of(hook.desired.manifest), app.rules.wave_annotations),
        )

    def _compared(
        self, change: Change, content: Content, pair: tuple[Manifest | None, Manifest | None], *, whole: bool
    ) -> ObjectComparison:
        """`whole`: both manifests also of what stays as it is."""
        before, after = pair
        if after is None and (desired := content.desired.get(change.ref)) is not None:
            after = self._shown(desired)
        unchanged = change.action == "unchanged" and not whole
        return ObjectComparison(
            ref=change.ref,
            version=change.version,
            action=str(change.action),
            reason=change.reason,
            message=change.message,
            fields=tuple(FieldRow(path=one.path, before=one.before, after=one.after) for one in change.fields),
            before=None if unchanged else before,
            after=None if unchanged else after,
            origin=str(change.origin) if change.origin else "",
        )

    def _declared(self, item: Desired) -> ObjectComparison:
        return ObjectComparison(
            ref=item.ref,
            version=item.version,
            action="declared",
            after=self._shown(item),
            origin=str(item.origin) if item.origin else "",
        )

    def _shown(self, item: Desired) -> Manifest:
        return masked(item.manifest, masking_of(item.manifest, tainted=item.tainted), self._shell.secret_key)
