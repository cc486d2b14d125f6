"""The bare floor: the same writes, and the same fetches, by nothing but loops of requests that decide nothing.

It runs before the controller, in a namespace of its own, and takes its traces away again. The bodies of the status writes are
the dialect's, so that the API server has the same to read, merge, check and store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.figure import Figure
from bench.world import World, app_objects, app_resources, apply_many, own_resources
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.resource import Resource
from trueup.dialects.dialect import StatusPatch
from trueup.dialects.flux import status
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest, name_of, ref_of
from trueup.model.outcome import AppStatus, Artifact, SourceStatus, State
from trueup.model.revision import git_revision

NAMESPACE = "floor"
IN_FLIGHT = 32
FETCHES_IN_FLIGHT = 16
REVISION = git_revision("main", "a" * 40)
FINALIZER = {"metadata": {"finalizers": ["finalizers.fluxcd.io"]}}

Call = Callable[[], Awaitable[object]]


async def floor(world: World) -> list[Figure]:
    """First the objects alone, then with all other writes of a first sync (and the fetches, with a repository each)."""
    objects = [obj for number in range(world.apps) for obj in app_objects(number, NAMESPACE)]
    async with KubeClient(load_config(Path(world.control_plane.kubeconfig))) as client:
        started = time.monotonic()
        await apply_many(client, objects)
        bare = time.monotonic() - started
        ours = [_suspended(each) for each in _resources(world)]
        await apply_many(client, ours)
        try:
            writes = [call for each in ours for call in await _other_writes(client, each)]
            started = time.monotonic()
            async with asyncio.TaskGroup() as group:
                group.create_task(_all(writes, IN_FLIGHT))
                if world.own_repositories:
                    group.create_task(_all(_fetches(world), FETCHES_IN_FLIGHT))
            rest = time.monotonic() - started
        finally:
            await _all([call for each in ours for call in await _removal(client, each)], IN_FLIGHT)
    also = "with the same other writes and fetches" if world.own_repositories else "with the same other writes"
    return [
        Figure("floor: the objects alone", bare, requests=len(objects)),
        Figure(f"floor: {also}", bare + rest, requests=len(objects) + len(writes)),
    ]


def _resources(world: World) -> list[Manifest]:
    if world.own_repositories:
        return own_resources(world.git.url, world.apps)
    return app_resources(world.url, world.apps)


def _suspended(resource: Manifest) -> Manifest:
    metadata = resource["metadata"] | {"namespace": NAMESPACE}
    return resource | {"metadata": metadata, "spec": resource["spec"] | {"suspend": True}}


async def _other_writes(client: KubeClient, obj: Manifest) -> list[Call]:
    """Finalizer, what is written before the first apply, the outcome, and its Event."""
    resource = await _resource(client, obj)
    finalizer = StatusPatch("", FINALIZER)
    patches = [finalizer, *(_source_patches(obj) if resource.kind == "GitRepository" else _app_patches(obj))]

    def patch(each: StatusPatch) -> Call:
        return lambda: client.merge_patch(
            resource, name_of(obj), NAMESPACE, each.body, subresource=each.subresource, manager="trueup"
        )

    return [*(patch(each) for each in patches), lambda: client.create_event(_event(obj))]


def _app_patches(obj: Manifest) -> list[StatusPatch]:
    now = datetime.now(UTC)
    owned = app_objects(int(name_of(obj).removeprefix("app-")), NAMESPACE)
    inventory = Inventory(tuple(InventoryEntry(ref_of(each), each["apiVersion"].split("/")[-1]) for each in owned))
    begun = status.start_patch(obj, REVISION, inventory, now)
    assert begun is not None
    outcome = AppStatus(
        state=State.READY,
        reason="ReconciliationSucceeded",
        message=f"Applied revision: {REVISION}",
        observed_generation=1,
        attempted=REVISION,
        applied=REVISION,
        inventory=inventory,
    )
    ended = status.app_patch(obj | begun.body, outcome, now)
    assert ended is not None
    return [begun, ended]


def _source_patches(obj: Manifest) -> list[StatusPatch]:
    now = datetime.now(UTC)
    artifact = Artifact(
        revision=REVISION,
        url="http://localhost/" + "a" * 80,
        digest="sha256:" + "b" * 64,
        path="c" * 80,
        last_update=now,
        size=None,
    )
    outcome = SourceStatus(
        state=State.READY, reason="Succeeded", message="stored artifact", observed_generation=1, artifact=artifact
    )
    patch = FluxDialect().source_status_patch(obj, outcome, now)
    assert patch is not None
    return [patch]


def _event(obj: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{obj['kind'].lower()}-{name_of(obj)}", "namespace": NAMESPACE},
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "namespace": NAMESPACE,
            "name": name_of(obj),
        },
        "reason": "ReconciliationSucceeded",
        "message": f"Applied revision: {REVISION}: 4 created",
        "type": "Normal",
    }


def _fetches(world: World) -> list[Call]:
    async def fetch(number: int) -> None:
        into = world.folder / "floor" / str(number)
        url = world.git.url(f"app-{number:05d}")
        process = await asyncio.create_subprocess_exec("git", "clone", "-q", "--bare", "--depth=1", url, str(into))
        assert await process.wait() == 0

    def call(number: int) -> Call:
        return lambda: fetch(number)

    return [call(number) for number in range(world.apps)]


async def _removal(client: KubeClient, obj: Manifest) -> list[Call]:
    resource = await _resource(client, obj)

    async def remove() -> None:
        await client.merge_patch(resource, name_of(obj), NAMESPACE, {"metadata": {"finalizers": None}})
        await client.delete(resource, name_of(obj), NAMESPACE)

    return [remove]


async def _resource(client: KubeClient, obj: Manifest) -> Resource:
    group, _, version = obj["apiVersion"].partition("/")
    return await client.discovery.resource(group, version, obj["kind"])


async def _all(calls: list[Call], in_flight: int) -> None:
    waiting: Iterator[Call] = iter(calls)

    async def worker() -> None:
        for call in waiting:
            await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker())
