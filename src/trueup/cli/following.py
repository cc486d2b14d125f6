"""Changes of resources as they come, for people who wait or watch: one object, or everything of some kinds.

Lists first and then watches; a lost place in history or a lost connection begins anew, and what did not change meanwhile
is not told twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.cluster.reflector import Reflector
from trueup.cluster.resource import Resource
from trueup.cluster.wire import BOOKMARK, DELETED
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, ref_of, resource_version_of
from trueup.model.refs import ObjectRef

RETRY_SECONDS = 1.0


class Seen(Struct, frozen=True):
    """An object as it is now; `deleted`: as it was when it went."""

    obj: Manifest
    deleted: bool = False


async def follow_one(
    client: KubeClient, resource: Resource, namespace: str, name: str
) -> AsyncGenerator[Manifest | None, None]:
    """The object now and after each change; None while there is none. Goes on until it is closed.

    Raises ApiError for a refusal that trying again will not change; a cluster that is away for a while is waited for.
    """
    selector = f"metadata.name={name}"
    last = ""
    begun = False
    while True:
        try:
            page = await client.list_page(resource, namespace, field_selector=selector)
            obj = next(iter(page), None)
            version = resource_version_of(obj) if obj else "absent"
            if version != last or not begun:
                last, begun = version, True
                yield obj
            watch = client.watch(resource, namespace, resource_version=page.resource_version, field_selector=selector)
            async with contextlib.aclosing(watch):
                async for event in watch:
                    if event.type == BOOKMARK:
                        continue
                    gone = event.type == DELETED
                    last = "absent" if gone else resource_version_of(event.object)
                    yield None if gone else event.object
        except ApiError as error:
            if not error.is_gone and not error.is_retryable:
                raise
            await asyncio.sleep(0 if error.is_gone else RETRY_SECONDS)
        except ClusterUnreachable:
            if not begun:
                raise
            await asyncio.sleep(RETRY_SECONDS)


class _Queue:
    """A reflector's sink that passes on what is new."""

    def __init__(self, queue: asyncio.Queue[Seen | TrueupError]) -> None:
        self._queue = queue
        self._known: dict[ObjectRef, Manifest] = {}
        self._listed: set[ObjectRef] | None = None

    def begin_list(self, *, rewound: bool) -> None:  # noqa: ARG002
        self._listed = set()

    def seen(self, manifest: Manifest) -> None:
        ref = ref_of(manifest)
        if self._listed is not None:
            self._listed.add(ref)
        before = self._known.get(ref)
        self._known[ref] = manifest
        if before is None or resource_version_of(before) != resource_version_of(manifest):
            self._queue.put_nowait(Seen(manifest))

    def deleted(self, manifest: Manifest) -> None:
        if self._known.pop(ref_of(manifest), None) is not None:
            self._queue.put_nowait(Seen(manifest, deleted=True))

    def end_list(self, resource_version: str) -> None:  # noqa: ARG002
        listed, self._listed = self._listed or set(), None
        for ref in [ref for ref in self._known if ref not in listed]:
            self._queue.put_nowait(Seen(self._known.pop(ref), deleted=True))

    def reached(self, resource_version: str) -> None: ...

    def gone(self, error: KindNotServed) -> None:
        self._queue.put_nowait(error)

    def failed(self, error: TrueupError) -> None:
        if isinstance(error, ApiError) and not error.is_retryable:
            self._queue.put_nowait(error)


@asynccontextmanager
async def follow_all(
    client: KubeClient, resources: Sequence[Resource], namespace: str
) -> AsyncIterator[AsyncGenerator[Seen, None]]:
    """Everything of these kinds as it is, and then each change, until the block ends. A refusal is raised."""
    queue: asyncio.Queue[Seen | TrueupError] = asyncio.Queue()

    async def changes() -> AsyncGenerator[Seen, None]:
        while True:
            item = await queue.get()
            if isinstance(item, TrueupError):
                raise item
            yield item

    tasks = [
        asyncio.create_task(Reflector(client, resource, _Queue(queue), namespace=namespace).run(), name=resource.name)
        for resource in resources
    ]
    try:
        yield changes()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
