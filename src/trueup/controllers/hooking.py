"""Runs hooks: makes way for them, creates them, sees how they end, takes them away. Each method is a few requests, no wait.

Who runs when is `controllers.stepping`'s to say. A run is announced in the status before its object is created, so that a
controller that dies in between neither loses the hook nor takes its object for an old one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from msgspec import Struct

from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.app import KindOrder
from trueup.model.errors import TrueupError
from trueup.model.hook import DeletePolicy, HookPhase, HookResult
from trueup.model.manifest import Manifest, is_deleting, metadata_of, uid_of
from trueup.model.refs import ObjectRef
from trueup.sync import order
from trueup.sync.applier import Applier
from trueup.sync.explain import explain
from trueup.sync.hooks import HOOK_FINALIZER, HookState, judge_hook
from trueup.sync.hooktasks import HookTask

log = structlog.get_logger(__name__)

_STATES = {
    HookState.RUNNING: HookPhase.RUNNING,
    HookState.SUCCEEDED: HookPhase.SUCCEEDED,
    HookState.FAILED: HookPhase.FAILED,
}
ATTEMPTS = 4
VANISHED = "it was deleted before its end was seen"


class Cleared(Struct, frozen=True):
    """Which runs may begin, which wait for an old object of theirs to go, and which cannot begin at all."""

    ready: tuple[HookTask, ...] = ()
    waiting: tuple[HookTask, ...] = ()
    refused: tuple[HookResult, ...] = ()


def announced(task: HookTask) -> HookResult:
    return HookResult(ref=task.ref, version=task.desired.version, phase=task.phase, state=HookPhase.RUNNING)


def refusal(task: HookTask, error: TrueupError) -> HookResult:
    version = task.desired.version
    text = explain(error, task.ref, version, hide_values=task.desired.tainted)
    state = HookPhase.FAILED
    return HookResult(ref=task.ref, version=version, phase=task.phase, state=state, message=text, refused=True)


async def clear(tasks: Iterable[HookTask], applier: Applier, propagation: str) -> Cleared:
    """Deletes what an earlier sync left of these hooks, where their policy says so. An object that may stay is applied over."""
    ready: list[HookTask] = []
    waiting: list[HookTask] = []
    refused: list[HookResult] = []
    for task in tasks:
        try:
            live = await applier.get(task.ref, task.desired.version)
            if live is None:
                ready.append(task)
            elif DeletePolicy.BEFORE_CREATION in task.policies or is_deleting(live):
                await remove(task.ref, task.desired.version, live, applier, propagation)
                waiting.append(task)
            else:
                ready.append(task)
        except KindNotServed:
            ready.append(task)  # its CRD may have come with this sync; creating it will tell
        except ApiError as error:
            refused.append(refusal(task, error))
    return Cleared(tuple(ready), tuple(waiting), tuple(refused))


async def create(tasks: Iterable[HookTask], applier: Applier, kind_order: KindOrder) -> tuple[HookResult, ...]:
    """Applies them, kind by kind, and judges what the server answered: some are done by being there."""

    async def one(task: HookTask) -> HookResult:
        try:
            answer = await applier.apply(task.desired.manifest)
        except (ApiError, KindNotServed) as error:
            return refusal(task, error)
        return _judged(announced(task), answer)

    results: list[HookResult] = []
    for stage in order.groups(tasks, lambda task: task.ref, kind_order):
        for rank in stage:
            results.extend(await asyncio.gather(*(one(task) for task in rank)))
    return tuple(results)


async def look(results: Iterable[HookResult], applier: Applier) -> dict[HookResult, HookResult | None]:
    """How these runs fare now; None: there is no object. A run that has ended no longer keeps its object."""
    found: dict[HookResult, HookResult | None] = {}
    for result in results:
        live = await applier.get(result.ref, result.version)
        if live is None:
            found[result] = None
            continue
        found[result] = now = _judged(result, live)
        if now.ended:
            await let_go(result.ref, result.version, live, applier)
    return found


async def let_go(ref: ObjectRef, version: str, live: Manifest | None, applier: Applier) -> None:
    """Takes our finalizer off, of that very object."""
    for _ in range(ATTEMPTS):
        if live is None:
            return
        finalizers = metadata_of(live).get("finalizers")
        if not isinstance(finalizers, list) or HOOK_FINALIZER not in finalizers:
            return
        path = f"/metadata/finalizers/{finalizers.index(HOOK_FINALIZER)}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": uid_of(live)},
            {"op": "test", "path": path, "value": HOOK_FINALIZER},
            {"op": "remove", "path": path},
        ]
        try:
            await applier.patch_json(ref, version, patch)
        except ApiError as error:
            if error.code == 404:
                return
            if error.code not in (409, 422):
                raise
            live = await applier.get(ref, version)
        else:
            return


async def remove(ref: ObjectRef, version: str, live: Manifest, applier: Applier, propagation: str) -> None:
    """Deletes that very object; nothing where it is going already."""
    await let_go(ref, version, live, applier)
    if is_deleting(live):
        return
    try:
        await applier.delete(ref, version, uid=uid_of(live), resource_version="", propagation=propagation)
    except ApiError as error:
        if error.code not in (404, 409):
            raise


async def clean_up(results: Iterable[HookResult], applier: Applier, propagation: str) -> frozenset[ObjectRef]:
    """Deletes the objects of these runs; gives those that were. One that cannot be deleted now is left, and logged."""
    removed = set()
    for result in results:
        try:
            live = await applier.get(result.ref, result.version)
            if live is not None:
                await remove(result.ref, result.version, live, applier, propagation)
            removed.add(result.ref)
        except (ApiError, KindNotServed) as error:
            log.warning("hook not deleted", ref=str(result.ref), error=str(error))
    return frozenset(removed)


async def terminate(result: HookResult, applier: Applier, propagation: str) -> HookResult:
    """Ends one run: what still runs is deleted, what has ended is said to have."""
    try:
        live = await applier.get(result.ref, result.version)
        if live is None:
            return _with(result, HookPhase.SUCCEEDED, "Deleted")
        now = _judged(result, live)
        if now.ended:
            await let_go(result.ref, result.version, live, applier)
            return now
        await remove(result.ref, result.version, live, applier, propagation)
    except (ApiError, KindNotServed) as error:
        return _with(result, HookPhase.FAILED, f"Failed to delete: {error.message}")
    return _with(result, HookPhase.SUCCEEDED, "Deleted")


def vanished(result: HookResult) -> HookResult:
    return _with(result, HookPhase.FAILED, VANISHED)


def _judged(result: HookResult, live: Manifest) -> HookResult:
    found = judge_hook(live)
    return _with(result, _STATES[found.state], found.message)


def _with(result: HookResult, state: HookPhase, message: str) -> HookResult:
    return HookResult(
        ref=result.ref, version=result.version, phase=result.phase, state=state, message=message or result.message
    )


__all__ = [
    "Cleared",
    "announced",
    "clean_up",
    "clear",
    "create",
    "let_go",
    "look",
    "remove",
    "terminate",
    "vanished",
]
