"""Runs a release's hooks: in Helm's order, one after another, each deleted as its policies say.

An object is deleted as a hook only when it carries Helm's own mark of one: a name alone says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from msgspec import structs

from trueup.controllers.releases.records import StoredRelease
from trueup.controllers.releases.work import ActionFailed, ReleaseWork
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, annotations_of, api_version_of, kind_of, ref_of, resource_version_of, uid_of
from trueup.model.refs import split_api_version
from trueup.model.releaserecord import Hook, HookPhase, HookRun
from trueup.render.releases import Document
from trueup.sync.applier import Scope
from trueup.sync.explain import explain
from trueup.sync.hooks import HookFound, HookState, judge_helm_hook
from trueup.sync.releases.hookorder import DeletePolicy, HookEvent, hooks_at, is_deleted_at

HOOK = "helm.sh/hook"


class HookRunner:
    """Runs the hooks of one release; `stored` is its record, brought up to date as they run."""

    def __init__(self, work: ReleaseWork, stored: StoredRelease) -> None:
        self._work = work
        self.stored = stored

    async def run(self, event: HookEvent, within: timedelta, *, chosen: Iterable[Hook] | None = None) -> None:
        """Raises ActionFailed naming the first hook that failed; later ones are not begun."""
        hooks = hooks_at(self.stored.release.hooks or () if chosen is None else chosen, event)
        done: list[Hook] = []
        for hook in hooks:
            try:
                await self._run_one(hook, within)
            except TrueupError as error:
                await self._clean(hook, DeletePolicy.FAILED, within)
                for each in done:
                    await self._clean(each, DeletePolicy.SUCCEEDED, within)
                said = self._work.masker.text(error.message)
                raise ActionFailed(f"{event} hook {hook.kind}/{hook.name} failed: {said}") from None
            done.append(hook)
        for each in reversed(done):
            await self._clean(each, DeletePolicy.SUCCEEDED, within)

    async def _run_one(self, hook: Hook, within: timedelta) -> None:
        work = self._work
        objects = await self._objects(hook)
        if is_deleted_at(hook, DeletePolicy.BEFORE_CREATION):
            await self._delete(objects, within)
        run = HookRun(started_at=work.now(), phase=HookPhase.RUNNING)
        self._note(hook, run)
        self.stored = await work.records.update(self.stored, self.stored.release)
        try:
            for obj in objects:
                await self._apply(obj)
            found = await self._wait(objects, within)
        except TrueupError:
            self._note(hook, structs.replace(run, completed_at=work.now(), phase=HookPhase.FAILED))
            raise
        phase = HookPhase.SUCCEEDED if found.state is HookState.SUCCEEDED else HookPhase.FAILED
        self._note(hook, structs.replace(run, completed_at=work.now(), phase=phase))
        if phase is HookPhase.FAILED:
            raise ActionFailed(found.message or "it ended without success")

    async def _apply(self, obj: Manifest) -> None:
        ref, version = ref_of(obj), split_api_version(api_version_of(obj))[1]
        try:
            await self._work.applier.apply(obj)
        except (ApiError, KindNotServed) as error:
            raise ActionFailed(explain(error, ref, version, hide_values=True)) from None

    async def _wait(self, objects: tuple[Manifest, ...], within: timedelta) -> HookFound:
        """Until every object has ended, or one failed."""
        work = self._work
        work.shell.managed.watch(work.memory.ref, [ref_of(obj) for obj in objects], work.app.rules)
        await work.shell.tracking.follow({(*split_api_version(api_version_of(obj)), kind_of(obj)) for obj in objects})

        async def look() -> HookFound | None:
            states = [await self._judge(obj) for obj in objects]
            failed = next((state for state in states if state.state is HookState.FAILED), None)
            if failed is not None:
                return failed
            done = all(state.state is HookState.SUCCEEDED for state in states)
            return HookFound(HookState.SUCCEEDED) if done else None

        try:
            found = await work.until(look, within)
        finally:
            work.shell.managed.watch(work.memory.ref, [], work.app.rules)
        return found or HookFound(HookState.FAILED, f"it did not end within {within}")

    async def _judge(self, obj: Manifest) -> HookFound:
        live = await self._live(obj)
        if live is None:
            return HookFound(HookState.FAILED, f"{ref_of(obj)} was deleted before it ended")
        return judge_helm_hook(live)

    async def _clean(self, hook: Hook, policy: DeletePolicy, within: timedelta) -> None:
        if is_deleted_at(hook, policy):
            await self._delete(await self._objects(hook), within)

    async def _delete(self, objects: tuple[Manifest, ...], within: timedelta) -> None:
        work = self._work
        for obj in objects:
            ref, version = ref_of(obj), split_api_version(api_version_of(obj))[1]
            live = await self._live(obj)
            if live is None or HOOK not in annotations_of(live):
                continue
            uid = uid_of(live)
            await work.applier.delete(
                ref, version, uid=uid, resource_version=resource_version_of(live), propagation="Background"
            )

            async def gone(obj: Manifest = obj, uid: str = uid) -> bool | None:
                live = await self._live(obj)
                return True if live is None or uid_of(live) != uid else None

            if await work.until(gone, within) is None:
                raise ActionFailed(f"{ref} is still there {within} after it was deleted")

    async def _live(self, obj: Manifest) -> Manifest | None:
        try:
            return await self._work.applier.get(ref_of(obj), split_api_version(api_version_of(obj))[1])
        except KindNotServed:
            return None

    async def _objects(self, hook: Hook) -> tuple[Manifest, ...]:
        return await hook_objects(self._work, (Document(hook.manifest, hook.path),))

    def _note(self, hook: Hook, run: HookRun) -> None:
        release = self.stored.release
        hooks = tuple(
            structs.replace(each, last_run=run)
            if (each.name, each.kind, each.path) == (hook.name, hook.kind, hook.path)
            else each
            for each in release.hooks or ()
        )
        self.stored = structs.replace(self.stored, release=structs.replace(release, hooks=hooks))


async def hook_objects(work: ReleaseWork, documents: tuple[Document, ...]) -> tuple[Manifest, ...]:
    """The objects of hooks as they are sent: without an owner's marks, in the release's namespace where they name none."""
    found: list[Manifest] = []
    for each in await work.shell.releases.engine.objects(documents):
        obj = each.manifest
        group, version = split_api_version(api_version_of(obj))
        scope = await work.applier.scope(group, version, kind_of(obj))
        if scope is Scope.NAMESPACED and not ref_of(obj).namespace:
            obj = obj | {"metadata": {**obj["metadata"], "namespace": work.spec.namespace}}
        found.append(obj)
    return tuple(found)


__all__ = ["HookRunner", "hook_objects"]
