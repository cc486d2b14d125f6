"""Typed requests to one cluster as one identity. Manifests in, manifests out; refusals are ApiError.

Impersonating clients share the connections, the bound on requests in flight and the discovery of the one they came from.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import msgspec

from trueup.cluster.answers import Answer, is_unserved, not_served
from trueup.cluster.config import ClusterConfig
from trueup.cluster.discovery import Discovery
from trueup.cluster.exchange import JSON_TYPE, REQUEST_SECONDS, Call, Headers, impersonation_headers
from trueup.cluster.guard import WriteGuard
from trueup.cluster.resource import Resource
from trueup.cluster.retry import RetryPolicy
from trueup.cluster.transport import OnRequest, Transport
from trueup.cluster.wire import Page, WatchEvent, decode_event, decode_page, split_lines
from trueup.model.apierror import ApiError
from trueup.model.manifest import (
    Manifest,
    api_version_of,
    kind_of,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
)
from trueup.model.refs import ObjectRef, split_api_version

APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
PAGE_SIZE = 500
WATCH_IDLE_SECONDS = 150.0
"""Seconds without a byte after which a watch is taken for dead; API servers send a bookmark every minute."""

_encode = msgspec.json.Encoder().encode


class KubeClient:
    """`async with KubeClient(config) as client:`"""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        max_in_flight: int = 32,
        retry: RetryPolicy | None = None,
        guard: WriteGuard | None = None,
        on_request: OnRequest | None = None,
        on_warning: Callable[[str], None] | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.config = config
        self._transport = Transport(
            config,
            max_in_flight=max_in_flight,
            retry=retry or RetryPolicy(),
            on_request=on_request,
            on_warning=on_warning,
            chance=chance,
            sleep=sleep,
        )
        self._identity: Headers = ()
        self._guard = guard
        self.discovery = Discovery(self)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.discovery.close()
        await self._transport.close()

    def impersonate(self, user: str, groups: Sequence[str] = ()) -> KubeClient:
        """The same connections as another user, e.g. `system:serviceaccount:shop:deployer`.

        A service account without `groups` has its usual ones (`system:serviceaccounts`, `system:serviceaccounts:shop`,
        `system:authenticated`): the server adds them.
        """
        other = self._copy()
        other._identity = impersonation_headers(user, tuple(groups))
        return other

    def guarded(self, guard: WriteGuard | None) -> KubeClient:
        """The same client whose writes ask this guard first (None: nobody)."""
        other = self._copy()
        other._guard = guard
        return other

    def _copy(self) -> KubeClient:
        other = object.__new__(KubeClient)
        other.config = self.config
        other._transport = self._transport
        other._identity = self._identity
        other._guard = self._guard
        other.discovery = self.discovery
        return other

    # reading

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
        query = _query(
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
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events after `resource_version`, bookmarks included, until the server ends the watch.

        Raises ApiError (410: only a fresh list helps), KindNotServed, or ClusterUnreachable when the connection breaks.
        """
        query = _query(
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
                async for line in split_lines(chunks):
                    yield decode_event(line)
        except ApiError as error:
            raise self._unserved(error, resource) from None

    # writing

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str,
        force: bool = True,
        dry_run: bool = False,
        field_validation: str = "",
        subresource: str = "",
    ) -> Manifest:
        """One server-side apply. `field_validation` is Strict, Warn or Ignore; empty: the server's own default (Warn)."""
        resource = await self._resource_of(manifest)
        query = _query(
            fieldManager=manager,
            force="true" if force else "",
            dryRun="All" if dry_run else "",
            fieldValidation=field_validation,
        )
        path = resource.path(namespace_of(manifest), name_of(manifest), subresource)
        return await self._write(
            "apply", "PATCH", path + query, resource, manifest, content_type=APPLY_PATCH, repeatable=True, of=manifest
        )

    async def create(self, manifest: Manifest, *, manager: str = "", dry_run: bool = False) -> Manifest:
        resource = await self._resource_of(manifest)
        query = _query(fieldManager=manager, dryRun="All" if dry_run else "")
        path = resource.path(namespace_of(manifest))
        return await self._write("create", "POST", path + query, resource, manifest, repeatable=False, of=manifest)

    async def create_event(self, event: Manifest) -> None:
        """Posts a core/v1 Event as it stands. Sent once: a lost Event is better than two."""
        path = f"/api/v1/namespaces/{namespace_of(event) or 'default'}/events"
        await self._transport.request(
            Call(
                method="POST",
                target=path,
                verb="create",
                resource="events",
                body=_encode(event),
                identity=self._identity,
                guard=self._guard,
                repeatable=False,
            )
        )

    async def replace(self, manifest: Manifest, *, manager: str = "", subresource: str = "") -> Manifest:
        """A PUT; a `metadata.resourceVersion` in it makes it fail with 409 when the object has changed."""
        resource = await self._resource_of(manifest)
        path = resource.path(namespace_of(manifest), name_of(manifest), subresource)
        return await self._write(
            "update",
            "PUT",
            path + _query(fieldManager=manager),
            resource,
            manifest,
            repeatable=not resource_version_of(manifest),
            of=manifest,
        )

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        body: dict[str, Any],
        *,
        subresource: str = "",
        manager: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """RFC 7386. A `metadata.resourceVersion` in the body makes it fail with 409 when the object has changed."""
        path = resource.path(namespace, name, subresource)
        query = _query(fieldManager=manager, dryRun="All" if dry_run else "")
        return await self._write(
            "patch",
            "PATCH",
            path + query,
            resource,
            body,
            content_type=MERGE_PATCH,
            repeatable="resourceVersion" not in metadata_of(body),
            ref=ObjectRef(resource.group, resource.kind, namespace, name),
        )

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        operations: list[dict[str, Any]],
        *,
        subresource: str = "",
        manager: str = "",
        dry_run: bool = False,
    ) -> Manifest:
        """RFC 6902; a failed `test` is an ApiError with code 422."""
        path = resource.path(namespace, name, subresource)
        query = _query(fieldManager=manager, dryRun="All" if dry_run else "")
        return await self._write(
            "patch",
            "PATCH",
            path + query,
            resource,
            operations,
            content_type=JSON_PATCH,
            repeatable=False,
            ref=ObjectRef(resource.group, resource.kind, namespace, name),
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> Manifest | None:
        """The server's answer (the object while finalizers hold it, else a Status); None: there was no such object.

        `uid` and `resource_version` are preconditions; one that does not hold is an ApiError with code 409.
        """
        preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if preconditions:
            options["preconditions"] = preconditions
        if dry_run:
            options["dryRun"] = ["All"]
        ref = ObjectRef(resource.group, resource.kind, namespace, name)
        path = resource.path(namespace, name)
        try:
            return await self._write("delete", "DELETE", path, resource, options, repeatable=bool(uid), ref=ref)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    # anything else

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON_TYPE,
        accept: str = JSON_TYPE,
        seconds: float = REQUEST_SECONDS,
    ) -> Answer:
        """Any request to any path. Everything but GET counts as a write and is sent once."""
        reads = method in ("GET", "HEAD")
        return await self._transport.request(
            Call(
                method=method,
                target=path + _query(**(query or {})),
                verb=method.lower(),
                body=body,
                content_type=content_type,
                accept=accept,
                identity=self._identity,
                guard=None if reads else self._guard,
                repeatable=reads,
                seconds=seconds,
            )
        )

    async def lines(self, path: str, *, query: dict[str, str] | None = None) -> AsyncGenerator[bytes, None]:
        """A long GET line by line: the logs of a pod with `follow`."""
        target = path + _query(**(query or {}))
        call = Call(method="GET", target=target, verb="get", accept="*/*", identity=self._identity, seconds=0)
        async with self._transport.stream(call) as chunks:
            async for line in split_lines(chunks):
                yield line

    # parts

    async def _resource_of(self, manifest: Manifest) -> Resource:
        group, version = split_api_version(api_version_of(manifest))
        return await self.discovery.resource(group, version, kind_of(manifest))

    async def _read(self, verb: str, target: str, resource: Resource, ref: ObjectRef | None = None) -> Answer:
        return await self._transport.request(
            Call(method="GET", target=target, verb=verb, resource=resource.name, identity=self._identity, ref=ref)
        )

    async def _write(
        self,
        verb: str,
        method: str,
        target: str,
        resource: Resource,
        body: Any,
        *,
        content_type: str = JSON_TYPE,
        repeatable: bool,
        of: Manifest | None = None,
        ref: ObjectRef | None = None,
    ) -> Manifest:
        if ref is None and of is not None:
            ref = ObjectRef(resource.group, resource.kind, namespace_of(of), name_of(of))
        try:
            answer = await self._transport.request(
                Call(
                    method=method,
                    target=target,
                    verb=verb,
                    resource=resource.name,
                    body=_encode(body),
                    content_type=content_type,
                    identity=self._identity,
                    guard=self._guard,
                    repeatable=repeatable,
                    ref=ref,
                )
            )
        except ApiError as error:
            raise self._unserved(error, resource) from None
        return answer.manifest

    def _unserved(self, error: ApiError, resource: Resource) -> Exception:
        """A 404 of the path itself means that discovery is out of date."""
        if not is_unserved(error):
            return error
        self.discovery.doubt()
        return not_served(resource.api_version, resource.kind, error)


@functools.lru_cache(maxsize=512)  # the same few, thousands of times
def _query(**values: str) -> str:
    given = [(key, value) for key, value in values.items() if value]
    return "?" + urlencode(given) if given else ""
