"""Writing to a cluster: apply, create, replace, patch, delete. Each asks the guard first; refusals are ApiError."""

from __future__ import annotations

from typing import Any

import msgspec

from trueup.cluster.connection import Connection, query_of
from trueup.cluster.exchange import JSON_TYPE, Call
from trueup.cluster.resource import Resource
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

_encode = msgspec.json.Encoder().encode


class Writes(Connection):
    """The writing half of KubeClient."""

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
        query = query_of(
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
        query = query_of(fieldManager=manager, dryRun="All" if dry_run else "")
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

    async def replace(
        self, manifest: Manifest, *, manager: str = "", subresource: str = "", dry_run: bool = False
    ) -> Manifest:
        """A PUT; a `metadata.resourceVersion` in it makes it fail with 409 when the object has changed."""
        resource = await self._resource_of(manifest)
        path = resource.path(namespace_of(manifest), name_of(manifest), subresource)
        return await self._write(
            "update",
            "PUT",
            path + query_of(fieldManager=manager, dryRun="All" if dry_run else ""),
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
        query = query_of(fieldManager=manager, dryRun="All" if dry_run else "")
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
        query = query_of(fieldManager=manager, dryRun="All" if dry_run else "")
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
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Manifest | None:
        """The server's answer (the object while finalizers hold it, else a Status); None: there was no such object.

        `uid` and `resource_version` are preconditions; one that does not hold is an ApiError with code 409.
        """
        preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
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

    async def _resource_of(self, manifest: Manifest) -> Resource:
        group, version = split_api_version(api_version_of(manifest))
        return await self.discovery.resource(group, version, kind_of(manifest))

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
