"""Reading from a cluster: one object, lists in pages, watches, streams of lines. Manifests out; refusals are ApiError."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from trueup.cluster.answers import Answer, is_unserved
from trueup.cluster.connection import Connection, query_of
from trueup.cluster.exchange import Call
from trueup.cluster.resource import Resource
from trueup.cluster.wire import Page, WatchEvent, decode_event, decode_page, split_lines, split_texts
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

PAGE_SIZE = 500
WATCH_IDLE_SECONDS = 150.0
"""Seconds without a byte after which a watch is taken for dead; API servers send a bookmark every minute."""


class Reads(Connection):
    """The reading half of KubeClient."""

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Manifest | None:
        """The object, or None where there is none."""
        ref = ObjectRef(resource.group, resource.kind, namespace, name)
        path = resource.path(namespace, name, subresource)
        try:
            answer = await self._read("get", path, resource, ref=ref)
        except ApiError as error:
            if error.code == 404 and not is_unserved(error):
                return None
            raise self._unserved(error, resource) from None
        return answer.manifest

    async def list_page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE_SIZE,
        continue_token: str = "",
    ) -> Page:
        query = query_of(
            limit=str(limit) if limit else "",
            labelSelector=label_selector,
            fieldSelector=field_selector,
            **{"continue": continue_token},
        )
        try:
            answer = await self._read("list", resource.path(namespace) + query, resource)
        except ApiError as error:
            raise self._unserved(error, resource) from None
        return decode_page(answer.body, resource)

    async def list_pages(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE_SIZE,
    ) -> AsyncGenerator[Page, None]:
        """Page after page of one consistent list. A token that expired on the way is an ApiError with code 410."""
        token = ""
        while True:
            page = await self.list_page(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                limit=limit,
                continue_token=token,
            )
            yield page
            if not (token := page.continue_token):
                return

    async def list_all(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE_SIZE,
    ) -> list[Manifest]:
        """All objects; an empty `namespace` means every namespace. A list that expires on the way is begun again once."""
        for last in (False, True):
            found: list[Manifest] = []
            try:
                pages = self.list_pages(
                    resource, namespace, label_selector=label_selector, field_selector=field_selector, limit=limit
                )
                async for page in pages:
                    found.extend(page)
            except ApiError as error:
                if last or not error.is_gone:
                    raise
            else:
                return found
        raise AssertionError("unreachable")

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 300,
        idle_seconds: float = WATCH_IDLE_SECONDS,
        opened: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events after `resource_version`, bookmarks included, until the server ends the watch. `opened`: it has taken it up.

        Raises ApiError (410: only a fresh list helps), KindNotServed, or ClusterUnreachable when the connection breaks.
        """
        query = query_of(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            timeoutSeconds=str(timeout_seconds),
            labelSelector=label_selector,
            fieldSelector=field_selector,
        )
        call = Call(
            method="GET",
            target=resource.path(namespace) + query,
            verb="watch",
            resource=resource.name,
            identity=self._identity,
            seconds=timeout_seconds + 30,
        )
        try:
            async with self._transport.stream(call, idle_seconds=idle_seconds) as chunks:
                if opened is not None:
                    opened()
                async for line in split_lines(chunks):
                    yield decode_event(line)
        except ApiError as error:
            raise self._unserved(error, resource) from None

    async def lines(self, path: str, *, query: dict[str, str] | None = None) -> AsyncGenerator[bytes, None]:
        """A long GET line by line: the logs of a pod with `follow`."""
        target = path + query_of(**(query or {}))
        call = Call(method="GET", target=target, verb="get", accept="*/*", identity=self._identity, seconds=0)
        async with self._transport.stream(call) as chunks:
            async for line in split_texts(chunks):
                yield line

    async def _read(self, verb: str, target: str, resource: Resource, ref: ObjectRef | None = None) -> Answer:
        return await self._transport.request(
            Call(method="GET", target=target, verb=verb, resource=resource.name, identity=self._identity, ref=ref)
        )
