"""Hooks of a deletion: what runs before an App's objects go, and after they are gone. Look by look, as those of a sync.

A hook before the deletion that fails stops it: it may have been there to save something. One after it stops nothing.
"""

from __future__ import annotations

from datetime import datetime

from trueup.controllers import hooking
from trueup.controllers.content import content_again
from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.controllers.syncing import watch_checks
from trueup.model.app import App
from trueup.model.errors import Transient
from trueup.model.hook import DeletePolicy, HookPhase, HookResult, Phase
from trueup.model.manifest import Manifest, metadata_of
from trueup.sync.applier import Applier
from trueup.sync.hooktasks import HookTask, deletion_tasks


class HookFailed(Transient):
    """A hook before the deletion ended badly, so nothing was deleted."""

    reason = "DeletionHookFailed"


class HooksUnknown(Transient):
    """Which hooks there are cannot be told, because the source is not there."""

    reason = "DeletionHookFailed"


class DeletionHooks:
    """Runs one phase of a deletion; whether it is over is told by `run`."""

    def __init__(self, shell: AppShell) -> None:
        self._shell = shell

    async def run(self, memory: AppMemory, obj: Manifest, app: App, phase: Phase) -> bool:
        """True: all have ended, and what they leave is taken away as they say. Raises HookFailed and HooksUnknown."""
        tasks = await self._tasks(memory, obj, app, phase)
        if not tasks:
            return True
        memory.hooks_watched = {task.ref: task.desired.version for task in tasks}
        await watch_checks(memory, app, self._shell)
        applier = self._shell.applier_for(app.rules)
        await self._look(memory, tasks, applier)
        for wave in sorted({task.wave for task in tasks}):
            wanted = [task for task in tasks if task.wave == wave]
            if not await self._run_wave(memory, app, wanted, applier):
                return False
        await self._clean_up(memory, app, tasks, applier)
        return True

    async def _tasks(self, memory: AppMemory, obj: Manifest, app: App, phase: Phase) -> tuple[HookTask, ...]:
        feed = self._shell.sources.feeds.of_app(memory.ref)
        snapshot = feed.snapshot if feed is not None else None
        content = await content_again(memory, app, snapshot, self._shell, same=False)
        if content is None and feed is not None and feed.source is not None and memory.saved.revision is not None:
            snapshot = await self._shell.sources.at_revision(feed, memory.saved.revision, memory.saved.parts)
            content = await content_again(memory, app, snapshot, self._shell, same=False)
        if content is None:
            raise HooksUnknown(
                f"its {phase} hooks are declared in a source that is not there, so they cannot run",
                hint="mend the source, or take the finalizer of these hooks off to go on without them",
            )
        since = datetime.fromisoformat(str(metadata_of(obj)["deletionTimestamp"]))
        stamp = str(int(since.timestamp()))
        return deletion_tasks(content.hooks, phase, app.rules, stamp, self._shell.secret_key)

    async def _look(self, memory: AppMemory, tasks: tuple[HookTask, ...], applier: Applier) -> None:
        """How those fare that were started. One that failed and was taken away since runs again."""
        keys = {task.key for task in tasks}
        known = [each for each in memory.saved.deletion_hooks if (each.ref, each.phase) in keys]
        seen = await hooking.look([each for each in known if not each.ended or each.failed], applier)
        for before, now in seen.items():
            if now is None:
                memory.saved.deletion_hooks = _without(memory.saved.deletion_hooks, before)
            else:
                self._note(memory, now)

    async def _run_wave(self, memory: AppMemory, app: App, tasks: list[HookTask], applier: Applier) -> bool:
        """Whether all of these have ended."""
        pending = [task for task in tasks if _result(memory, task) is None]
        cleared = await hooking.clear(pending, applier, app.rules.delete_propagation)
        for task in cleared.ready:
            self._note(memory, hooking.announced(task))
        self._shell.state.put(memory.ref, memory.to_bytes())
        await self._shell.state.flush()
        for result in (*cleared.refused, *await hooking.create(cleared.ready, applier, app.rules.kind_order)):
            self._note(memory, result)
            if result.ended and not result.refused:
                await hooking.look([result], applier)
        results = [_result(memory, task) for task in tasks]
        for found in results:
            if found is not None and found.failed and found.phase is Phase.PRE_DELETE:
                if found.refused:
                    memory.saved.deletion_hooks = _without(memory.saved.deletion_hooks, found)
                raise HookFailed(
                    f"the {found.phase} hook {found.ref} failed, so nothing was deleted: {found.message}",
                    hint="mend what it needs and delete its object to run it again, or take its finalizer off to go on",
                )
        return all(found is not None and found.ended for found in results)

    async def _clean_up(self, memory: AppMemory, app: App, tasks: tuple[HookTask, ...], applier: Applier) -> None:
        policy = {HookPhase.SUCCEEDED: DeletePolicy.SUCCEEDED, HookPhase.FAILED: DeletePolicy.FAILED}
        results = [(task, _result(memory, task)) for task in tasks]
        leaving = [
            found
            for task, found in results
            if found is not None and not found.refused and policy.get(found.state) in task.policies
        ]
        await hooking.clean_up(leaving, applier, app.rules.delete_propagation)

    def _note(self, memory: AppMemory, result: HookResult) -> None:
        memory.saved.deletion_hooks = (*_without(memory.saved.deletion_hooks, result), result)


def _result(memory: AppMemory, task: HookTask) -> HookResult | None:
    return next((each for each in memory.saved.deletion_hooks if (each.ref, each.phase) == task.key), None)


def _without(results: tuple[HookResult, ...], result: HookResult) -> tuple[HookResult, ...]:
    return tuple(each for each in results if (each.ref, each.phase) != (result.ref, result.phase))


def deletion_phases(memory: AppMemory) -> frozenset[Phase]:
    """Which phases of a deletion the last render declares hooks for."""
    found = frozenset().union(*(item.hook.phases for item in memory.hooks))
    return found & {Phase.PRE_DELETE, Phase.POST_DELETE}


__all__ = ["DeletionHooks", "HookFailed", "HooksUnknown", "deletion_phases"]
