"""Operations that change an App: sync, refresh, terminate, pin, suspend, delete, create, update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from trueup.apps.asks import ARGOCD, Ask, request_suspension
from trueup.apps.identity import policy_object
from trueup.apps.leaving import leaving_patch
from trueup.apps.objects.refusals import check_uid
from trueup.apps.pins import Pin, read_revisions, whole
from trueup.apps.suspension import with_suspension, without_suspension
from trueup.apps.wishes import (
    SyncWish,
    pin_patch,
    request_look,
    request_termination,
    request_wished_sync,
    unpin_patch,
)
from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.dialects.dialect import Dialect
from trueup.model.apierror import ApiError
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, resource_version_of, uid_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.server.acting.decided import fresh, with_decided
from trueup.server.acting.given import placed, ref_of_given
from trueup.server.acting.overriding import Guarded, goes_elsewhere, unguarded
from trueup.server.api.call import Call, missing
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Target
from trueup.server.api.refusals import BadQuery, Conflict, PreconditionFailed
from trueup.server.live.masking import shown
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.server.world.operations import APP, BASE, AppAnswer, Apps
from trueup.server.world.rows import Known, app_row
from trueup.server.world.world import World

ONLY_TRIED = "only tried: nothing was changed"
"""What the audit log is told of a dry run."""
TRIES = 5
"""At writing, when a controller writes at the same moment."""


class ObjectName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    name: str
    group: str = ""
    namespace: str = ""


class SyncBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is left out is as the App says. A Kustomization or HelmRelease takes `message` alone."""

    revision: str = ""
    prune: bool | None = None
    dry_run: bool = False
    force: bool = False
    hooks: bool = True
    resources: tuple[ObjectName, ...] = ()
    options: tuple[str, ...] = ()
    retries: int | None = None
    message: str = ""


class RefreshBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hard`: also what is kept of renders is not trusted."""

    hard: bool = False


class SuspendBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`until`: when it goes on by itself."""

    reason: str = ""
    until: datetime | None = None


class PinBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`revision` as the history shows it in full."""

    revision: str
    reason: str = ""
    until: datetime | None = None


class DeleteQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`keepObjects`: the App goes, and what it made stays. `uid`: only this one, not another that has its name by now."""

    keep_objects: bool = False
    uid: str = ""
    propagation: Literal["background", "foreground"] = "background"


class CreateQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`dryRun`: say what is wrong with it, and make nothing."""

    dry_run: bool = False


class Asked(Struct, frozen=True, kw_only=True):
    """`token` names the request where its dialect has names for requests; `version` is the resourceVersion after it."""

    ref: str
    message: str
    version: str
    token: str = ""


class Acting:
    """The handlers."""

    def __init__(
        self,
        world: World,
        apps: Apps,
        clients: Clients,
        clock: Callable[[], datetime] = utc_now,
        guarded: Guarded = unguarded,
    ) -> None:
        self._world = world
        self._apps = apps
        self._clients = clients
        self._clock = clock
        self._guarded = guarded

    async def require_override(self, call: Call, known: Known, revisions: Sequence[str]) -> None:
        """Raises Forbidden where the settings want another right for a revision that is not the App's own."""
        if self._guarded() and goes_elsewhere(known.obj, revisions):
            await call.require("applications", "override", Target(known.policy_object, known.ref))

    async def sync(self, call: Call) -> Answer:
        body = call.body
        wish = SyncWish(
            revision=body.revision,
            prune=body.prune,
            dry_run=body.dry_run,
            force=body.force,
            hooks=body.hooks,
            resources=tuple(ObjectRef(one.group, one.kind, one.namespace, one.name) for one in body.resources),
            options=body.options,
            retries=body.retries,
            message=body.message,
        )
        call.note(message=body.message, revision=body.revision)
        await self.require_override(call, self._apps.known(call), body.revision.split(","))
        who = call.caller.shown
        return await self._ask(
            call,
            "a sync was asked for",
            lambda obj, dialect: request_wished_sync(obj, dialect, self._clock(), who, wish),
        )

    async def refresh(self, call: Call) -> Answer:
        hard = call.body.hard
        return await self._ask(
            call,
            "it is looked at again",
            lambda obj, dialect: request_look(obj, dialect, self._clock(), hard=hard),
        )

    async def terminate(self, call: Call) -> Answer:
        return await self._ask(call, "the sync is being terminated", request_termination)

    async def suspend(self, call: Call) -> Answer:
        body = call.body
        if body.until is not None and body.until <= self._clock():
            raise BadQuery("is in the past", field="until", hint="give a time to come, with its zone")
        call.note(message=body.reason)

        def ask(obj: Manifest, dialect: Dialect) -> Ask:
            made = request_suspension(obj, dialect, self._clock(), is_source=False, suspend=True)
            return with_suspension(made or Ask({}), by=call.caller.shown, reason=body.reason, until=body.until)

        return await self._ask(call, "it is left alone", ask)

    async def resume(self, call: Call) -> Answer:
        def ask(obj: Manifest, dialect: Dialect) -> Ask:
            made = request_suspension(obj, dialect, self._clock(), is_source=False, suspend=False)
            return without_suspension(made or Ask({}))

        return await self._ask(call, "it goes on", ask)

    async def pin(self, call: Call) -> Answer:
        body = call.body
        revisions = read_revisions(body.revision)
        if revisions is None:
            raise BadQuery(
                f"{body.revision[:100]!r} is not a revision",
                field="revision",
                hint="take it from the history in full; of several sources one for each, with commas",
            )
        if body.until is not None and body.until <= self._clock():
            raise BadQuery("is in the past", field="until", hint="give a time to come, with its zone")
        await self.require_override(call, self._apps.known(call), [body.revision])
        revision = whole(revisions)
        parts = revisions if len(revisions) > 1 else ()
        pin = Pin(revision=revision, parts=parts, by=call.caller.shown, reason=body.reason, until=body.until)
        call.note(message=body.reason, revision=body.revision)
        return await self._ask(call, f"it goes to {revision.short}", lambda _obj, _dialect: pin_patch(pin))

    async def unpin(self, call: Call) -> Answer:
        return await self._ask(call, "it follows Git again", lambda _obj, _dialect: unpin_patch())

    async def delete(self, call: Call) -> Answer:
        """As Kubernetes deletes: finalizers make the App's objects go first, as its own policy says."""
        known = self._apps.known(call)
        client, resource = await self.reach(call, known.ref)
        live = await client.get(resource, known.ref.name, known.ref.namespace)
        if live is None:
            raise missing(Target(known.policy_object, known.ref))
        check_uid(call.query.uid, uid_of(live))
        self.check_place(live, known)
        if call.query.keep_objects and (patch := leaving_patch(live, known.dialect)) is not None:
            patch = patch | {"metadata": {**patch.get("metadata", {}), "resourceVersion": resource_version_of(live)}}
            live = await client.merge_patch(resource, known.ref.name, known.ref.namespace, patch, manager=MANAGER)
        await client.delete(
            resource,
            known.ref.name,
            known.ref.namespace,
            uid=uid_of(live),
            propagation=call.query.propagation.capitalize(),
        )
        call.note(before=text_of(known.obj), message="its objects stay" if call.query.keep_objects else "")
        return Answer(
            body=Asked(ref=str(known.ref), message="it is being deleted", version=resource_version_of(live)), status=202
        )

    async def create(self, call: Call) -> Answer:
        manifest = fresh(self._manifest(call))
        target = Target(policy_object(manifest, self._world.control_namespace), ref_of_given(manifest))
        call.note(target=str(target.ref))  # also of what is refused
        await call.require("applications", "create", target)
        self._check(manifest)
        client, _ = await self.reach(call, ref_of_given(manifest))
        made = await client.create(manifest, manager=MANAGER, dry_run=call.query.dry_run)
        if call.query.dry_run:
            call.note(message=ONLY_TRIED)
        else:
            call.note(after=text_of(made))
            await self._world.heard_of(ref_of_given(manifest))
        return Answer(body=self._answer(made), status=201)

    async def update(self, call: Call) -> Answer:
        """What the body decides in place of what is decided now. A version in it, or in If-Match, has to be that of now."""
        known, wanted = self._apps.known(call), self._manifest(call)
        if ref_of_given(wanted) != known.ref:
            raise BadQuery("names another App than the path", field="body.metadata", hint=f"it is {known.ref}")
        client, resource = await self.reach(call, known.ref)
        for tries_left in reversed(range(TRIES)):
            live = await client.get(resource, known.ref.name, known.ref.namespace)
            if live is None:
                raise missing(Target(known.policy_object, known.ref))
            _check_read(call, wanted, live)
            self.check_place(live, known)
            manifest = with_decided(live, wanted)
            after = Target(policy_object(manifest, self._world.control_namespace), known.ref)
            await call.require("applications", "update", after)  # into another project too
            self._check(manifest)
            try:
                made = await client.replace(manifest, manager=MANAGER, dry_run=call.query.dry_run)
            except ApiError as error:
                if not error.is_conflict or not tries_left:
                    raise
                continue  # a status was written meanwhile; whoever named a version is told by the next look
            if call.query.dry_run:
                call.note(message=ONLY_TRIED)
            else:
                call.note(before=text_of(live), after=text_of(made))
            return Answer(body=self._answer(made))
        raise AssertionError("unreachable")

    # parts

    async def _ask(self, call: Call, message: str, make: Callable[[Manifest, Dialect], Ask]) -> Answer:
        known = self._apps.known(call)
        after, token = await self.asked(call, known, make)
        asked = Asked(ref=str(known.ref), message=message, version=resource_version_of(after), token=token)
        return Answer(body=asked, status=202)

    async def asked(self, call: Call, known: Known, make: Callable[[Manifest, Dialect], Ask]) -> tuple[Manifest, str]:
        """Made from the newest resource, and sent to it; once more when somebody else wrote meanwhile. The resource after it, and
        the request's name."""
        client, resource = await self.reach(call, known.ref)
        for last in (False, True):
            live = await client.get(resource, known.ref.name, known.ref.namespace)
            if live is None:
                raise missing(Target(known.policy_object, known.ref))
            self.check_place(live, known)
            try:
                ask = make(live, known.dialect)
            except InvalidInput as error:
                raise Conflict(error.message, ref=known.ref, hint=error.hint, field=error.field) from error
            try:
                after = await client.merge_patch(
                    resource, known.ref.name, known.ref.namespace, ask.patch, manager=MANAGER
                )
            except ApiError as error:
                if last or not error.is_conflict:
                    raise
                continue
            call.note(target=str(known.ref), before=text_of(live), after=text_of(after))
            return after, ask.token
        raise AssertionError("unreachable")

    def check_place(self, live: Manifest, known: Known) -> None:
        """Raises NotFound when it has come to another project since the watch told of it: rights in the one before are none there."""
        if policy_object(live, self._world.control_namespace) != known.policy_object:
            raise missing(Target(known.policy_object, known.ref))

    async def reach(self, call: Call, ref: ObjectRef) -> tuple[KubeClient, Resource]:
        client = self._clients.of(call.caller)
        dialect = self._world.app_kinds[ref.group_kind]
        return client, await client.discovery.resource(ref.group, dialect.app_kind.version, ref.kind)

    def _manifest(self, call: Call) -> Manifest:
        """The body, as one of our kinds with a place. Raises BadQuery."""
        manifest: Manifest = call.body
        placed(manifest, self._world.app_kinds)
        return manifest

    def _check(self, manifest: Manifest) -> None:
        """Raises what the dialect finds wrong in the spec. Rights are asked for before."""
        self._world.app_kinds[ref_of_given(manifest).group_kind].read_app(manifest)

    def _answer(self, made: Manifest) -> AppAnswer:
        ref = ref_of_given(made)
        dialect = self._world.app_kinds[GroupKind(ref.group, ref.kind)]
        return AppAnswer(row=app_row(made, dialect, self._clock()), resource=shown(made))


def _check_read(call: Call, wanted: Manifest, live: Manifest) -> None:
    """Raises PreconditionFailed when the client decided on another version than there is."""
    call.check_version(resource_version_of(live))
    if (read := resource_version_of(wanted)) and read != resource_version_of(live):
        raise PreconditionFailed("it has changed since you read it", hint="read it again, and decide anew")


def text_of(obj: Manifest) -> str:
    """For the audit log: what people decide; the status is the controller's."""
    kept = {name: value for name, value in shown(obj).items() if name != "status"}
    return msgspec.json.encode(kept).decode()


def _looking(apps: Apps) -> Callable[[Call], str]:
    """To look again changes nothing of an Application, but re-applies a Kustomization."""

    def action(call: Call) -> str:
        return "get" if apps.known(call).dialect.name == ARGOCD else "sync"

    return action


def operations(acting: Acting, apps: Apps) -> list[Operation]:
    def change(
        name: str,
        method: str,
        path: str,
        summary: str,
        action: str,
        handler: Callable[[Call], Any],
        *,
        body: Any = None,
        exact: Callable[[Call], str] | None = None,
        query: type[Struct] | None = None,
    ) -> Operation:
        return Operation(
            id=f"apps.{name}",
            method=method,
            path=APP + path,
            summary=summary,
            access=Needs("applications", action, apps.target, exact),
            query=query,
            body=body,
            body_optional=True,
            answer=Asked,
            status=202,
            handler=handler,
        )

    return [
        change("sync", "POST", "/sync", "Sync now", "sync", acting.sync, body=SyncBody),
        change(
            "refresh",
            "POST",
            "/refresh",
            "Look at Git and the cluster again",
            "get",
            acting.refresh,
            body=RefreshBody,
            exact=_looking(apps),
        ),
        change("terminate", "DELETE", "/operation", "Terminate the sync that is under way", "sync", acting.terminate),
        change(
            "suspend", "PUT", "/suspension", "Leave it alone, with a reason, until a time", "update", acting.suspend,
            body=SuspendBody,
        ),
        change("resume", "DELETE", "/suspension", "Go on with it", "update", acting.resume),
        change("pin", "PUT", "/pin", "Hold it at a revision of before", "sync", acting.pin, body=PinBody),
        change("unpin", "DELETE", "/pin", "Follow Git again", "sync", acting.unpin),
        change("delete", "DELETE", "", "Delete it, and its objects as it says", "delete", acting.delete, query=DeleteQuery),
        Operation(
            id="apps.create",
            method="POST",
            path=BASE + "/apps",
            summary="Make an App from its native resource",
            description="Needs the right to create in the project that the resource names.",
            access=Listed("applications", "create"),
            query=CreateQuery,
            body=dict[str, Any],
            answer=AppAnswer,
            status=201,
            handler=acting.create,
        ),
        Operation(
            id="apps.update",
            method="PUT",
            path=APP,
            summary="Put another resource in an App's place",
            access=Needs("applications", "update", apps.target),
            query=CreateQuery,
            body=dict[str, Any],
            answer=AppAnswer,
            handler=acting.update,
        ),
    ]  # fmt: skip
