"""Operations on single objects of an App: the whole manifest, patches, deletion, actions, events.

Each is done with one request to the API server when a person asks; which objects there are, the live tree says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from trueup.apps.comparison import ObjectSeen, ObjectWish
from trueup.apps.events import EventRow, read_event
from trueup.cluster.client import KubeClient
from trueup.model.manifest import Manifest, ref_of, resource_version_of, uid_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call, check_uid
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.api.refusals import BadQuery, Forbidden
from trueup.server.live.actions import Action, Creation, Patch, Replacement, actions_of, effect_of
from trueup.server.live.masking import refuse_masks, shown
from trueup.server.live.place import Clients, Placed, check_here, find
from trueup.server.world.operations import APP, Apps

MANAGER = "trueup-server"
"""The field manager of changes that people make through the API."""


class ObjectQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which object; `group` and `namespace` are empty where the object has none."""

    kind: str
    name: str
    group: str = ""
    namespace: str = ""

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.group, self.kind, self.namespace, self.name)


class ManifestQuery(ObjectQuery, frozen=True, kw_only=True, rename="camel"):
    managed_fields: bool = False


class PatchQuery(ObjectQuery, frozen=True, kw_only=True, rename="camel"):
    """`dryRun`: answer what the API server would make of it, and change nothing."""

    dry_run: bool = False


class DeleteQuery(ObjectQuery, frozen=True, kw_only=True, rename="camel"):
    """`orphan` leaves what the object owns; `force` does not wait for a pod to end; `uid`: only this one, not another that has
    its name by now."""

    propagation: Literal["background", "foreground", "orphan"] = "background"
    force: bool = False
    uid: str = ""


class ObjectAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    manifest: dict[str, Any]
    actions: tuple[Action, ...] = ()


class ActionBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    action: str
    parameters: dict[str, str] = {}


class Done(Struct, frozen=True, kw_only=True):
    ref: str
    message: str


class EventQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Of one object; without `kind` of the App itself."""

    kind: str = ""
    name: str = ""
    group: str = ""
    namespace: str = ""


class EventList(Struct, frozen=True, kw_only=True):
    items: tuple[EventRow, ...]


class Far(Protocol):
    """A controller, which has the clients of other clusters."""

    async def see(self, wish: ObjectWish) -> ObjectSeen:
        """Raises NotFound for what is not the App's, and what keeps its cluster from being asked."""
        ...


class Objects:
    """The handlers."""

    def __init__(
        self, apps: Apps, clients: Clients, clock: Callable[[], datetime] = utc_now, far: Far | None = None
    ) -> None:
        """`far` looks into other clusters; None: nobody does."""
        self._apps = apps
        self._far = far
        self._clients = clients
        self._clock = clock

    async def get(self, call: Call) -> Answer:
        live, here = await self.seen(call, call.query.ref)
        body = ObjectAnswer(
            manifest=shown(live, managed_fields=call.query.managed_fields),
            actions=actions_of(live, ref_of(live).group_kind) if here else (),
        )
        etag = f'"{resource_version_of(live)}"'
        return Answer(body=body, etag=etag)

    async def seen(self, call: Call, ref: ObjectRef) -> tuple[Manifest, bool]:
        """An object as it is now, and whether it is in our cluster, where things can be done with it. Raises as `live`."""
        app = self._apps.known(call)
        if self._far is None or not app.elsewhere or ref == app.ref:
            return (await self.live(call, ref)).live, True
        return (await self._far.see(ObjectWish(app=app.ref, ref=ref))).manifest, False

    async def patch(self, call: Call) -> Answer:
        ref, after = await self.patched(call, call.query.ref, call.body, dry_run=call.query.dry_run)
        return Answer(body=ObjectAnswer(manifest=shown(after), actions=actions_of(after, ref.group_kind)))

    async def patched(
        self, call: Call, ref: ObjectRef, patch: dict[str, Any], *, dry_run: bool = False
    ) -> tuple[ObjectRef, Manifest]:
        """A JSON merge patch (RFC 7386). What was patched, and how it is now."""
        if refuse_masks(patch):
            raise BadQuery(
                "the patch holds masked values, which would replace the real ones",
                field="body",
                hint="leave out what you did not change",
            )
        self._refuse_app(ref)
        placed = await self.live(call, ref)
        before, resource = placed.live, placed.resource
        call.check_version(resource_version_of(before))
        # What was asked for was asked of this version, so that it holds until the API server has it.
        body = _with_version(patch, before) if "If-Match" in call.request.headers else patch
        after = await self._client(call).merge_patch(
            resource, placed.ref.name, placed.ref.namespace, body, manager=MANAGER, dry_run=dry_run
        )
        if dry_run:
            call.note(target=str(placed.ref), message="only tried: nothing was changed")
        else:
            _note(call, placed.ref, before, after)
        return placed.ref, after

    async def delete(self, call: Call) -> Answer:
        query = call.query
        ref = await self.deleted(call, query.ref, query.propagation.capitalize(), force=query.force, uid=query.uid)
        return Answer(body=Done(ref=str(ref), message="it is being deleted"), status=202)

    async def deleted(self, call: Call, ref: ObjectRef, propagation: str, *, force: bool, uid: str = "") -> ObjectRef:
        self._refuse_app(ref)
        placed = await self.live(call, ref)
        before, resource = placed.live, placed.resource
        call.check_version(resource_version_of(before))
        check_uid(uid, uid_of(before))
        await self._client(call).delete(
            resource,
            placed.ref.name,
            placed.ref.namespace,
            uid=uid_of(before),
            propagation=propagation,
            grace_seconds=0 if force else None,
        )
        _note(call, placed.ref, before, None)
        return placed.ref

    async def act(self, call: Call) -> Answer:
        ref, message = await self.acted(call, call.query.ref, call.body.action, call.body.parameters)
        return Answer(body=Done(ref=str(ref), message=message), status=202)

    async def acted(
        self, call: Call, wanted: ObjectRef, action: str, parameters: dict[str, str]
    ) -> tuple[ObjectRef, str]:
        """On what it was done, and what was done."""
        placed = await self.live(call, wanted)
        before, resource = placed.live, placed.resource
        effect = effect_of(action, before, placed.ref.group_kind, parameters, self._clock())
        client, ref = self._client(call), placed.ref
        match effect:
            case Patch():
                body = _with_version(effect.body, before)
                after: Manifest | None = await client.merge_patch(
                    resource, ref.name, ref.namespace, body, manager=MANAGER
                )
                message = f"{action}: done"
            case Creation():
                after = await client.create(effect.manifest, manager=MANAGER)
                message = f"{action}: made {after['kind']}/{after['metadata']['name']}"
            case Replacement():
                await client.delete(resource, ref.name, ref.namespace, uid=uid_of(before))
                after, message = None, f"{action}: another will take its place"
        _note(call, ref, before, after, message)
        return ref, message

    async def events(self, call: Call) -> Answer:
        """Newest last."""
        query = call.query
        ref = self._apps.known(call).ref
        if query.kind:
            ref = (await self.live(call, ObjectRef(query.group, query.kind, query.namespace, query.name))).ref
        found = await self.events_of(call, ref)
        rows = sorted((read_event(event) for event in found), key=lambda row: row.at)
        return Answer(body=EventList(items=tuple(row for row in rows if row.ref.group == ref.group)))

    async def events_of(self, call: Call, ref: ObjectRef) -> list[Manifest]:
        client = self._client(call)
        resource = await client.discovery.resource("", "v1", "Event")
        selector = f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}"
        return await client.list_all(resource, ref.namespace or "default", field_selector=selector)

    # parts

    def _client(self, call: Call) -> KubeClient:
        return self._clients.of(call.caller)

    def _refuse_app(self, ref: ObjectRef) -> None:
        """An App among the objects of another is changed with rights on itself: those on the other say nothing of its project."""
        if self._apps.is_app(ref):
            raise Forbidden(
                f"{ref} is an App of its own",
                hint="change or delete it as an App, with the rights on that one",
                ref=ref,
            )

    async def live(self, call: Call, ref: ObjectRef) -> Placed:
        """Raises NotFound for what is not the App's, or no longer in the cluster; Elsewhere."""
        app = self._apps.known(call)
        check_here(app, ref)
        return await find(self._client(call), app, ref)


def _with_version(body: dict[str, Any], before: Manifest) -> dict[str, Any]:
    """Only what was looked at is changed: a 409 when somebody was faster."""
    return {**body, "metadata": {**(body.get("metadata") or {}), "resourceVersion": resource_version_of(before)}}


def _note(call: Call, ref: ObjectRef, before: Manifest, after: Manifest | None, message: str = "") -> None:
    call.note(
        target=str(ref),
        message=message,
        before=msgspec.json.encode(shown(before)).decode(),
        after=msgspec.json.encode(shown(after)).decode() if after is not None else "",
    )


def _fine(verb: str) -> Callable[[Call], str]:
    """Argo CD's action on one object of an App: `delete/apps/Deployment/shop/web`."""

    def action(call: Call) -> str:
        query = call.query
        return f"{verb}/{query.group}/{query.kind}/{query.namespace}/{query.name}"

    return action


def _action(call: Call) -> str:
    return f"action/{call.query.group}/{call.query.kind}/{call.body.action}"


def operations(objects: Objects, apps: Apps) -> list[Operation]:
    path = APP + "/object"
    return [
        Operation(
            id="objects.get",
            method="GET",
            path=path,
            summary="One object of an App as it is, values of Secrets masked",
            access=Needs("applications", "get", apps.target),
            query=ManifestQuery,
            answer=ObjectAnswer,
            handler=objects.get,
        ),
        Operation(
            id="objects.patch",
            method="PATCH",
            path=path,
            summary="Change one object of an App by a merge patch",
            description="What Git declares is healed at once: this is for what Git leaves open. If-Match takes the ETag.",
            access=Needs("applications", "update/*", apps.target, _fine("update")),
            query=PatchQuery,
            body=dict[str, Any],
            body_media_types=("application/merge-patch+json", "application/json"),
            answer=ObjectAnswer,
            handler=objects.patch,
        ),
        Operation(
            id="objects.delete",
            method="DELETE",
            path=path,
            summary="Delete one object of an App",
            access=Needs("applications", "delete/*", apps.target, _fine("delete")),
            query=DeleteQuery,
            answer=Done,
            status=202,
            handler=objects.delete,
        ),
        Operation(
            id="objects.act",
            method="POST",
            path=path + "/actions",
            summary="Do with one object what its kind knows: restart, scale, pause",
            access=Needs("applications", "action/*", apps.target, _action),
            query=ObjectQuery,
            body=ActionBody,
            answer=Done,
            status=202,
            handler=objects.act,
        ),
        Operation(
            id="objects.events",
            method="GET",
            path=APP + "/events",
            summary="Kubernetes' Events of an App, or of one object of it",
            access=Needs("applications", "get", apps.target),
            query=EventQuery,
            answer=EventList,
            handler=objects.events,
        ),
    ]
