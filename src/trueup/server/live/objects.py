"""Operations on single objects of an App: the whole manifest, patches, deletion, actions, events.

Each is asked of the object's cluster when a person asks; which objects there are, the live tree says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from trueup.apps.events import EventRow, read_event
from trueup.apps.objects.actions import Action, actions_of
from trueup.apps.objects.asks import Act, Change, Done, Remove, Seen
from trueup.apps.objects.reach import MANAGER, Reach
from trueup.model.manifest import Manifest, resource_version_of
from trueup.model.refs import ObjectRef
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.api.refusals import BadQuery
from trueup.server.live.masking import refuse_masks, shown
from trueup.server.live.place import Reaches
from trueup.server.world.operations import APP, Apps

__all__ = ["MANAGER"]


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


class Acted(Struct, frozen=True, kw_only=True):
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


class Objects:
    """The handlers. Where an object lives they do not know: `reaches` does."""

    def __init__(self, apps: Apps, reaches: Reaches) -> None:
        self._apps = apps
        self._reaches = reaches

    async def get(self, call: Call) -> Answer:
        seen = await self.seen(call, call.query.ref)
        body = ObjectAnswer(
            manifest=shown(seen.manifest, managed_fields=call.query.managed_fields),
            actions=actions_of(seen.manifest, seen.ref.group_kind),
        )
        etag = f'"{resource_version_of(seen.manifest)}"'
        return Answer(body=body, etag=etag)

    async def seen(self, call: Call, ref: ObjectRef) -> Seen:
        """An object as it is now. Raises NoSuchObject for what is not the App's, or no longer in its cluster; Elsewhere."""
        return await self._reach(call, ref).see(ref)

    async def patch(self, call: Call) -> Answer:
        done = await self.patched(call, call.query.ref, call.body, dry_run=call.query.dry_run)
        after = done.after or {}
        return Answer(body=ObjectAnswer(manifest=shown(after), actions=actions_of(after, done.ref.group_kind)))

    async def patched(self, call: Call, ref: ObjectRef, patch: dict[str, Any], *, dry_run: bool = False) -> Done:
        """A JSON merge patch (RFC 7386)."""
        if refuse_masks(patch):
            raise BadQuery(
                "the patch holds masked values, which would replace the real ones",
                field="body",
                hint="leave out what you did not change",
            )
        ask = Change(ref=ref, patch=patch, if_match=call.request.headers.get("If-Match", ""), dry_run=dry_run)
        done = await self._reach(call, ref).change(ask)
        if dry_run:
            call.note(target=str(done.ref), message="only tried: nothing was changed")
        else:
            _note(call, done)
        return done

    async def delete(self, call: Call) -> Answer:
        query = call.query
        ref = await self.deleted(call, query.ref, _PROPAGATION[query.propagation], force=query.force, uid=query.uid)
        return Answer(body=Acted(ref=str(ref), message="it is being deleted"), status=202)

    async def deleted(
        self, call: Call, ref: ObjectRef, propagation: Propagation, *, force: bool, uid: str = ""
    ) -> ObjectRef:
        if_match = call.request.headers.get("If-Match", "")
        ask = Remove(ref=ref, propagation=propagation, force=force, uid=uid, if_match=if_match)
        done = await self._reach(call, ref).remove(ask)
        _note(call, done)
        return done.ref

    async def act(self, call: Call) -> Answer:
        done = await self.acted(call, call.query.ref, call.body.action, call.body.parameters)
        return Answer(body=Acted(ref=str(done.ref), message=done.message), status=202)

    async def acted(self, call: Call, ref: ObjectRef, action: str, parameters: dict[str, str]) -> Done:
        done = await self._reach(call, ref).act(Act(ref=ref, action=action, parameters=parameters))
        _note(call, done)
        return done

    async def events(self, call: Call) -> Answer:
        """Newest last."""
        query = call.query
        ref = self._apps.known(call).ref
        if query.kind:
            ref = ObjectRef(query.group, query.kind, query.namespace, query.name)
        found = await self.events_of(call, ref)
        rows = sorted((read_event(event) for event in found), key=lambda row: row.at)
        return Answer(body=EventList(items=tuple(row for row in rows if row.ref.group == ref.group)))

    async def events_of(self, call: Call, ref: ObjectRef) -> tuple[Manifest, ...]:
        """As the cluster has them. Raises as `seen`."""
        return await self._reach(call, ref).events(ref)

    def _reach(self, call: Call, ref: ObjectRef) -> Reach:
        return self._reaches.of(call.caller, self._apps.known(call), ref)


Propagation = Literal["Background", "Foreground", "Orphan"]
_PROPAGATION: dict[str, Propagation] = {
    "background": "Background",
    "foreground": "Foreground",
    "orphan": "Orphan",
}


def _note(call: Call, done: Done) -> None:
    call.note(
        target=str(done.ref),
        message=done.message,
        before=msgspec.json.encode(shown(done.before)).decode(),
        after=msgspec.json.encode(shown(done.after)).decode() if done.after is not None else "",
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
            answer=Acted,
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
            answer=Acted,
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
