"""What a look finds out before it decides: what no watch tells of is asked, each in its time.

Whether a chart's object is there, dependencies are ready by their expressions, variables and remote bases are as they
were, the cluster serves what a chart asked for, and a suspension has reached its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from trueup.apps.suspension import ends_at, resuming_patch
from trueup.controllers.content import remotes_changed, variables_changed
from trueup.controllers.holding import SOURCE_NOT_READY, wait_for
from trueup.controllers.memory import AppMemory
from trueup.controllers.readiness import LOOK_AGAIN, judge_dependencies
from trueup.controllers.releases.charts import ChartObjects
from trueup.controllers.shell import AppShell
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.errors import Terminal, TrueupError
from trueup.model.manifest import Manifest, is_deleting
from trueup.model.outcome import State
from trueup.model.refs import ObjectRef
from trueup.render.helm import has_gained

RESUME_DELAY = 30.0
"""How long after a refused end of a suspension it is tried again, in seconds."""
CHART_DELAY = 10.0
"""Seconds until a HelmChart that could not be written is tried again."""
ASK_DELAY = 1.0
"""Seconds between two questions about a kind that is to come."""


class Inquiries:
    """`shell_of` is an App's world with the cluster that its objects live in; `shell` the controller's own."""

    def __init__(
        self,
        shell: AppShell,
        shell_of: Callable[[ObjectRef], AppShell],
        charts: ChartObjects,
        look_later: Callable[[ObjectRef, float], None],
        look_soon: Callable[[ObjectRef], None],
    ) -> None:
        self._shell = shell
        self._shell_of = shell_of
        self._charts = charts
        self._look_later = look_later
        self._look_soon = look_soon

    async def has_chart(self, memory: AppMemory, obj: Manifest) -> bool:
        """Of a release whose chart is a template: makes sure of its HelmChart, before that is waited for."""
        app = memory.app
        if app is None or app.release is None or memory.suspended or is_deleting(obj):
            return True
        try:
            await self._charts.ensure(memory, app)
        except (ApiError, ClusterUnreachable) as error:
            message = f"the HelmChart of spec.chart cannot be written: {error.message}"
            await wait_for(memory, obj, SOURCE_NOT_READY, message, "", self._shell)
            self._look_later(memory.ref, CHART_DELAY)
            return False
        return True

    async def judge_dependencies(self, memory: AppMemory, obj: Manifest) -> None:
        """Where expressions say when dependencies are ready; what says no is asked again soon, in memory alone."""
        if memory.app is None or memory.suspended:
            return
        try:
            has_expressions = await judge_dependencies(memory, obj, self._shell)
        except Terminal as error:
            memory.app, memory.problem = None, error
            return
        waits = memory.saved.state is not State.READY and not all(memory.ready_by_expression.values())
        if has_expressions and waits:
            self._look_later(memory.ref, LOOK_AGAIN)

    async def check_variables(self, memory: AppMemory) -> None:
        """Every interval, and once after a restart: what no watch tells of may have changed.

        That is ConfigMaps and Secrets that variables come from, and remote bases.
        """
        app, shell = memory.app, self._shell
        remotes = memory.saved.remotes
        if app is None or memory.suspended or not (app.reads_from or remotes):
            return
        now, interval = shell.loop_time(), app.rules.interval.total_seconds()
        restored = memory.desired is None and memory.saved.inputs is not None
        if memory.variables_due is None:
            memory.variables_due = now if restored else now + interval
        if now >= memory.variables_due:
            memory.variables_due = now + interval
            with contextlib.suppress(TrueupError):
                memory.content_stale |= await variables_changed(app, memory.saved.variables_digest, shell)
            feed = shell.sources.feeds.of_app(memory.ref)
            if remotes and feed is not None and feed.snapshot is not None:
                with contextlib.suppress(TrueupError):
                    memory.content_stale |= await remotes_changed(memory, app, feed.snapshot, shell)
        self._look_later(memory.ref, memory.variables_due - now)

    async def check_capabilities(self, memory: AppMemory) -> None:
        """A chart renders again only when the cluster has what it asked for in vain, or is another one."""
        shell = self._shell
        if memory.asks_until is None or memory.suspended:
            return
        with contextlib.suppress(ApiError, ClusterUnreachable):
            changed = has_gained(memory.saved.asked, await self._shell_of(memory.ref).capabilities())
            memory.content_stale |= changed
            if changed or shell.loop_time() >= memory.asks_until:
                memory.asks_until = None
                return
        self._look_later(memory.ref, ASK_DELAY)

    async def resume_in_time(self, memory: AppMemory, obj: Manifest) -> None:
        """A suspension that says until when ends by our hand. What comes of that is looked at next: our own write is no news."""
        shell = self._shell
        if (end := ends_at(obj)) is None:
            return
        if (delay := (end - shell.clock()).total_seconds()) > 0:
            self._look_later(memory.ref, delay + 0.1)
            return
        dialect = shell.dialect_of(memory.ref)
        if await shell.writer.write(
            memory.ref, lambda live: resuming_patch(live, dialect, shell.clock()), why="resumed"
        ):
            self._look_soon(memory.ref)
        else:
            self._look_later(memory.ref, RESUME_DELAY)
