"""What the fixtures do to a cluster, as coroutines; `cluster` calls them from tests, which need no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from trueup.cli.definitions import CRD, read_definitions
from trueup.cluster.applier import ClusterApplier
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.resource import Resource
from trueup.embedded.driving import PATH as CLOCK
from trueup.model.duration import format_duration
from trueup.model.errors import InvalidInput
from trueup.model.health import Verdict
from trueup.model.manifest import Manifest, api_version_of, kind_of, namespace_of, ref_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.render.engine.build import engine_binary
from trueup.render.engine.pool import EnginePool
from trueup.sync.established import PollEstablished
from trueup.sync.health import judge
from trueup.testing.health import is_lost, is_well, not_healthy
from trueup.testing.reading import Place, in_order, read_place, read_yaml

MANAGER = "trueup-testing"
FIRST_LOOK, LAST_LOOK = 0.02, 0.5
"""Seconds between two looks while waiting: they get longer."""


class Work:
    """One cluster and the engines that read manifests; make with `working`."""

    def __init__(self, client: KubeClient, engines: EnginePool) -> None:
        self._client = client
        self._engines = engines
        self._established = PollEstablished(ClusterApplier(client, MANAGER))
        self._ahead = timedelta()
        """How far the cluster's clock was moved."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    async def read(self, what: Sequence[Place | Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The objects of files and folders among those that are objects already."""
        found: list[Mapping[str, Any]] = []
        for each in what:
            found += [each] if isinstance(each, Mapping) else await read_place(each, self._engines)
        return found

    async def read_yaml(self, text: str) -> list[Manifest]:
        return await read_yaml(text, self._engines)

    async def definitions(self, places: Sequence[str]) -> list[Manifest]:
        return await read_definitions(places, self._engines)

    async def apply(self, manifests: Sequence[Mapping[str, Any]], namespace: str) -> list[Manifest]:
        """Server-side apply in order, taking fields over; namespaced objects without a namespace go into this one.

        Answers what the server answered, in the order in which they were given.
        """
        applied: dict[int, Manifest] = {}
        for place in in_order(manifests):
            manifest = dict(manifests[place])
            group, version = split_api_version(api_version_of(manifest))
            resource = await self._client.discovery.resource(group, version, kind_of(manifest))
            if resource.namespaced and not namespace_of(manifest):
                manifest["metadata"] = {**manifest.get("metadata", {}), "namespace": namespace}
            answer = await self._client.apply(manifest, manager=MANAGER)
            if kind_of(answer) == CRD:
                self._client.discovery.invalidate()
                await self._established(answer)
            applied[place] = answer
        return [applied[place] for place in sorted(applied)]

    async def get(self, kind: str, name: str, namespace: str) -> Manifest | None:
        resource = await self._resource(kind)
        return await self._client.get(resource, name, namespace if resource.namespaced else "")

    async def list(self, kind: str, namespace: str, selector: str) -> list[Manifest]:
        resource = await self._resource(kind)
        return await self._client.list_all(resource, namespace if resource.namespaced else "", label_selector=selector)

    async def patch(self, kind: str, name: str, namespace: str, change: Mapping[str, Any]) -> Manifest:
        resource = await self._resource(kind)
        namespace = namespace if resource.namespaced else ""
        return await self._client.merge_patch(resource, name, namespace, dict(change), manager=MANAGER)

    async def delete(self, kind: str, name: str, namespace: str) -> bool:
        """False: there was none."""
        resource = await self._resource(kind)
        return await self._client.delete(resource, name, namespace if resource.namespaced else "") is not None

    async def advance(self, by: timedelta) -> datetime:
        body = msgspec.json.encode({"advance": format_duration(by)})
        # A month of a busy cluster may take a while.
        told = (await self._client.raw("POST", CLOCK, body=body, seconds=600.0)).manifest
        now = datetime.fromisoformat(str(told["now"]))
        self._ahead += by
        return now

    async def wait_until_healthy(self, objects: Sequence[Manifest], within: timedelta) -> None:
        """Raises NotHealthy when the time is over, or an object says that it failed."""
        refs = [(ref_of(each), split_api_version(api_version_of(each))[1]) for each in objects]
        end = asyncio.get_running_loop().time() + within.total_seconds()
        pause = FIRST_LOOK
        while True:
            found = await asyncio.gather(*(self._judge(ref, version) for ref, version in refs))
            if all(is_well(verdict) for _, verdict in found):
                return
            if lost := [str(ref) for ref, verdict in found if is_lost(verdict)]:
                why = f"{', '.join(lost)} failed"
                break
            if asyncio.get_running_loop().time() > end:
                why = f"not healthy within {format_duration(within)}"
                break
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_LOOK)
        events = await self.list("events", "", "")
        raise not_healthy(why, found, events, frozenset(ref.namespace for ref, _ in refs))

    async def _judge(self, ref: ObjectRef, version: str) -> tuple[ObjectRef, Verdict]:
        resource = await self._client.discovery.resource(ref.group, version, ref.kind)
        return ref, judge(await self._client.get(resource, ref.name, ref.namespace), self.now)

    async def _resource(self, kind: str) -> Resource:
        """What a person typed; looked for once more when it may have come with a CRD of an operator's."""
        try:
            return await self._client.discovery.resolve(kind)
        except InvalidInput:
            await self._client.discovery.refresh()
            return await self._client.discovery.resolve(kind)


@asynccontextmanager
async def working(kubeconfig: Path) -> AsyncIterator[Work]:
    """Connected to the cluster of that kubeconfig for the length of the block."""
    binary = await asyncio.to_thread(partial(engine_binary, "kustomize"))
    async with EnginePool(workers=1, binary=binary) as engines, KubeClient(load_config(kubeconfig)) as client:
        yield Work(client, engines)
