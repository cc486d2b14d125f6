"""A world for controllers: the real store, the real API in process, all controllers, on the loop's (virtual) time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import yaml

from trueup.embedded.api import bootstrap
from trueup.embedded.api.addresses import ServiceAddresses
from trueup.embedded.api.admission import Admission
from trueup.embedded.api.builtin import builtin_kinds
from trueup.embedded.api.crd.controller import DefinitionController
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.expressions import NoExpressions
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.kinds import Registry
from trueup.embedded.api.local import LocalClient
from trueup.embedded.api.webhooks import AdmissionWebhooks
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.authorizer import Authorizer
from trueup.embedded.auth.identity import system
from trueup.embedded.storage.history import Event
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.embedded.workloads.clock import LoopClock, stamp
from trueup.embedded.workloads.run import make_runtime
from trueup.embedded.workloads.runtime import Runtime
from trueup.model.manifest import Manifest, api_version_of, kind_of, name_of, namespace_of

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
BOUND = 3600.0


class World:
    """What a test does and sees. `client` writes as a user would; times are the loop's."""

    def __init__(self, store: Store, registry: Registry, clock: LoopClock, make: Callable[[str], LocalClient]) -> None:
        self.store = store
        self.clock = clock
        self.client = make("user")
        self._make = make
        self.runtime: Runtime | None = None
        self.writes: list[Event] = []
        store.listen(self.writes.append)

    def resource(self, api_version: str, kind: str) -> Resource:
        served = self.client.by_kind(api_version, kind)
        assert served is not None, f"{kind} of {api_version} is not served"
        return served.resource

    async def apply(self, text: str | Manifest, namespace: str = "default") -> list[Manifest]:
        """Creates or replaces what the YAML holds."""
        documents = [text] if isinstance(text, dict) else list(yaml.safe_load_all(text))
        return [await self._put(each, namespace) for each in documents if each]

    async def _put(self, manifest: Manifest, namespace: str) -> Manifest:
        resource = self.resource(api_version_of(manifest), kind_of(manifest))
        served = self.client.by_kind(api_version_of(manifest), kind_of(manifest))
        assert served is not None
        if served.namespaced:
            manifest["metadata"].setdefault("namespace", namespace)
        if self.client.get(resource, namespace_of(manifest), name_of(manifest)) is None:
            return await self.client.create(resource, manifest)
        return await self.client.update(resource, manifest)

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Manifest:
        found = self.client.get(resource, namespace, name)
        assert found is not None, f"{resource} {namespace}/{name} is not there"
        return found

    def all(self, resource: Resource, namespace: str = "") -> list[Manifest]:
        return list(self.client.list(resource, namespace))

    def names(self, resource: Resource, namespace: str = "") -> list[str]:
        return [name_of(each) for each in self.all(resource, namespace)]

    async def until(self, condition: Callable[[], Any], within: float = BOUND) -> Any:
        """Waits, on virtual time, until the condition holds at the end of some commit; fails naming what it saw."""
        deadline = asyncio.get_running_loop().time() + within
        while not (found := condition()):
            left = deadline - asyncio.get_running_loop().time()
            assert left > 0, f"not within {within} s"
            await asyncio.sleep(min(0.05, left))
        return found

    async def settled(self) -> None:
        """Until no controller has anything to do before time goes on."""
        assert self.runtime is not None
        for _ in range(100_000):
            await asyncio.sleep(0)
            if self.runtime.is_idle:
                return
        raise AssertionError("the controllers never come to rest")

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.settled()

    def now(self) -> str:
        """As the API writes it."""
        return stamp(self.clock.now())

    async def pass_time_alone(self, seconds: float) -> None:
        """While no controller runs."""
        await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def controllers(self, **options: Any) -> AsyncIterator[None]:
        """All controllers for the length of the block."""
        runtime = make_runtime(self._make("kube-controller-manager"), clock=self.clock, **options)
        self.runtime = runtime
        task = asyncio.create_task(runtime.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def bare_world() -> AsyncIterator[World]:
    """The API without controllers."""
    clock = LoopClock(START)
    store = await Store.open()
    registry, fields = Registry(builtin_kinds()), Fields()
    webhooks = AdmissionWebhooks(store, registry, fields, NoExpressions(), Authorizer(store).decide)
    admission = Admission(store, ServiceAddresses(store), webhooks)
    writes = Writes(store, registry, fields, admission, clock.now)
    removal = Deletion(store, admission, clock.now)
    definitions = DefinitionController(store, registry, writes, removal, fields)
    task = asyncio.create_task(definitions.run())

    def make(manager: str) -> LocalClient:
        return LocalClient(store, registry, writes, removal, fields, system(manager), manager)

    try:
        await bootstrap.ensure(make("apiserver"))
        yield World(store, registry, clock, make)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await webhooks.close()
        await store.close()


@contextlib.asynccontextmanager
async def running_world(**options: Any) -> AsyncIterator[World]:
    """The API and all controllers, at rest."""
    async with bare_world() as world, world.controllers(**options):
        await world.settled()
        yield world
