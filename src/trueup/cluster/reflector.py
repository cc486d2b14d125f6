"""Follows one resource in one place: list, watch, and list again when the place in history is lost. Keeps nothing itself.

The sink is told every object seen, every deletion, and after each list what was not there any more, so that it never
misses a change. Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Protocol

import structlog
from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.cluster.retry import RetryPolicy
from trueup.cluster.wire import BOOKMARK, DELETED
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, resource_version_of

log = structlog.get_logger(__name__)

BREATH = 50
"""Objects of a list handled in one go before the loop gets its turn."""
SHORT_WATCH = 1.0
"""A watch that ends sooner than this many seconds without an event counts as a failure: it must not become a busy loop."""


_TOO_LARGE = "ResourceVersionTooLarge"


class Sink(Protocol):
    def begin_list(self, *, rewound: bool) -> None:
        """A list begins: what is not seen until `end_list` was deleted meanwhile.

        `rewound`: the list is older than what was told before, for the server was restored from a backup.
        """
        ...

    def seen(self, manifest: Manifest) -> None:
        """The object as it is now (listed, added or modified)."""
        ...

    def deleted(self, manifest: Manifest) -> None:
        """The object as it was when it went."""
        ...

    def end_list(self, resource_version: str) -> None: ...

    def reached(self, resource_version: str) -> None:
        """An event or a bookmark of a watch: everything up to here has been told."""
        ...

    def gone(self, error: KindNotServed) -> None:
        """The server does not serve the resource (any more)."""
        ...

    def failed(self, error: TrueupError) -> None:
        """A list was refused or did not come; it is tried again."""
        ...


class ReflectorTiming(Struct, frozen=True, kw_only=True):
    """Waits between attempts, and for how long one watch is asked for (seconds, up to twice that)."""

    unreachable: RetryPolicy = RetryPolicy(first=0.5, maximum=5.0)
    """Nothing answers: cheap to try, and each second without a watch is a second blind."""
    refused: RetryPolicy = RetryPolicy(first=0.5, maximum=30.0)
    parked: RetryPolicy = RetryPolicy(first=1.0, maximum=300.0)
    """The resource is not served: looked for ever more rarely, and at once when `revive` says so."""
    watch_seconds: int = 300


class Reflector:
    """`run` goes on until it is cancelled."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        sink: Sink,
        *,
        namespace: str = "",
        label_selector: str = "",
        timing: ReflectorTiming | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._resource = resource
        self._sink = sink
        self._namespace = namespace
        self._label_selector = label_selector
        self._timing = timing or ReflectorTiming()
        self._chance = chance
        self._resource_version = ""
        self._reached = ""
        self._failures = 0
        self._policy: RetryPolicy | None = None
        """What the failures are of that were counted."""
        self._blind_since: float | None = None
        self._wake = asyncio.Event()

    def revive(self) -> None:
        """Tries at once instead of waiting on: the CRD has come, or the server is back."""
        self._wake.set()

    def blind_seconds(self) -> float:
        """For how long nothing has been heard because the server is away or refuses; 0: a watch is open."""
        return 0.0 if self._blind_since is None else asyncio.get_running_loop().time() - self._blind_since

    def _sees(self) -> None:
        self._blind_since = None

    async def run(self) -> None:
        while True:
            try:
                if not self._resource_version:
                    await self._list()
                await self._watch()
            except KindNotServed as error:
                self._resource_version = ""
                self._sink.gone(error)
                await self._pause(self._timing.parked, error)
            except ApiError as error:
                if error.is_gone or error.code == 400 or _TOO_LARGE in {cause.reason for cause in error.causes}:
                    # Our place in history is lost (too old, or ahead of a server that was restored from a backup), and
                    # only a fresh list can tell what was deleted meanwhile.
                    self._resource_version = ""
                    if self._failures == 0:
                        self._failures = 1
                        continue
                if not self._resource_version:
                    self._sink.failed(error)
                await self._pause(self._timing.refused, error)
            except ClusterUnreachable as error:
                if not self._resource_version:
                    self._sink.failed(error)
                await self._pause(self._timing.unreachable, error)

    async def _list(self) -> None:
        resource_version = ""
        pages = self._client.list_pages(self._resource, self._namespace, label_selector=self._label_selector)
        async with contextlib.aclosing(pages):
            async for page in pages:
                if not resource_version:
                    resource_version = page.resource_version
                    self._sink.begin_list(rewound=_number(resource_version) < _number(self._reached))
                for number, manifest in enumerate(page, 1):
                    self._sink.seen(manifest)
                    if number % BREATH == 0:
                        await asyncio.sleep(0)
        self._sink.end_list(resource_version)
        self._resource_version = self._reached = resource_version

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        started, events = loop.time(), 0
        watch = self._client.watch(
            self._resource,
            self._namespace,
            resource_version=self._resource_version,
            label_selector=self._label_selector,
            # Spread, so that watches that began together do not all end together.
            timeout_seconds=int(self._timing.watch_seconds * (1 + self._chance())),
            opened=self._sees,
        )
        async with contextlib.aclosing(watch):
            async for event in watch:
                events += 1
                self._failures = 0
                resource_version = resource_version_of(event.object)
                if event.type == DELETED:
                    self._sink.deleted(event.object)
                elif event.type != BOOKMARK:
                    self._sink.seen(event.object)
                self._sink.reached(resource_version)
                self._resource_version = self._reached = resource_version or self._resource_version
        if events or loop.time() - started >= SHORT_WATCH:
            self._failures = 0
        else:
            await self._pause(self._timing.unreachable, None)

    async def _pause(self, policy: RetryPolicy, error: TrueupError | None) -> None:
        if policy is not self._policy:
            # Counted anew: the first refusal of a server that was away a moment ago is no reason to wait for half a minute.
            self._policy, self._failures = policy, 0
        self._failures += 1
        if error is not None and self._blind_since is None:
            self._blind_since = asyncio.get_running_loop().time()
        wait = policy.backoff(self._failures, chance=self._chance())
        if isinstance(error, ApiError) and error.retry_after is not None:
            wait = max(wait, min(error.retry_after, policy.longest_retry_after))
        log.debug(
            "watch is taken up again later",
            resource=self._resource.name,
            namespace=self._namespace,
            reason=error.reason if error else "ended at once",
            wait=round(wait, 3),
        )
        self._wake.clear()
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return
        self._failures = 0


def _number(resource_version: str) -> int:
    return int(resource_version) if resource_version.isdecimal() else 0
