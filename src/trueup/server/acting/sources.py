"""Operations that change a source: create, fetch now, suspend, resume, delete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.apps.asks import Ask, request_reconcile, request_suspension
from trueup.apps.identity import policy_object
from trueup.apps.suspension import with_suspension, without_suspension
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, resource_version_of, uid_of
from trueup.server.acting.apps import ONLY_TRIED, Asked, CreateQuery, text_of
from trueup.server.acting.decided import fresh
from trueup.server.acting.given import placed
from trueup.server.api.call import Call, missing
from trueup.server.api.dispatch import utc_now
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Target
from trueup.server.api.refusals import Conflict
from trueup.server.live.masking import shown
from trueup.server.live.objects import MANAGER
from trueup.server.live.place import Clients
from trueup.server.world.operations import BASE, SourceAnswer, Sources
from trueup.server.world.rows import source_row
from trueup.server.world.world import World

PATH = BASE + "/sources/{kind}/{namespace}/{name}"


class SourceSuspendBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source is suspended until somebody resumes it."""

    reason: str = ""


class SourceActing:
    def __init__(
        self, world: World, sources: Sources, clients: Clients, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._world = world
        self._sources = sources
        self._clients = clients
        self._clock = clock

    async def create(self, call: Call) -> Answer:
        ref = placed(call.body, self._world.source_kinds, "source")
        manifest = fresh(call.body)
        target = Target(policy_object(manifest, self._world.control_namespace), ref)
        call.note(target=str(ref))
        await call.require("sources", "create", target)
        dialect = self._world.source_kinds[ref.group_kind]
        dialect.read_source(manifest)
        made = await self._clients.of(call.caller).create(manifest, manager=MANAGER, dry_run=call.query.dry_run)
        call.note(message=ONLY_TRIED) if call.query.dry_run else call.note(after=text_of(made))
        return Answer(body=SourceAnswer(row=source_row(made, dialect), resource=shown(made)), status=201)

    async def refresh(self, call: Call) -> Answer:
        return await self._ask(call, "it is fetched", lambda obj: request_reconcile(obj, self._clock()))

    async def suspend(self, call: Call) -> Answer:
        body = call.body
        dialect = self._sources.known(call).dialect

        def ask(obj: Manifest) -> Ask:
            made = request_suspension(obj, dialect, self._clock(), is_source=True, suspend=True)
            return with_suspension(made or Ask({}), by=call.caller.shown, reason=body.reason, until=None)

        call.note(message=body.reason)
        return await self._ask(call, "it is left alone", ask)

    async def resume(self, call: Call) -> Answer:
        dialect = self._sources.known(call).dialect

        def ask(obj: Manifest) -> Ask:
            made = request_suspension(obj, dialect, self._clock(), is_source=True, suspend=False)
            return without_suspension(made or Ask({}))

        return await self._ask(call, "it goes on", ask)

    async def delete(self, call: Call) -> Answer:
        """What runs stays, and gets no new revisions."""
        known = self._sources.known(call)
        client = self._clients.of(call.caller)
        resource = await client.discovery.resource(known.ref.group, "", known.ref.kind)
        await client.delete(resource, known.ref.name, known.ref.namespace, uid=uid_of(known.obj))
        call.note(before=text_of(known.obj))
        asked = Asked(ref=str(known.ref), message="it is being deleted", version=resource_version_of(known.obj))
        return Answer(body=asked, status=202)

    async def _ask(self, call: Call, message: str, make: Callable[[Manifest], Ask]) -> Answer:
        known = self._sources.known(call)
        client = self._clients.of(call.caller)
        resource = await client.discovery.resource(known.ref.group, "", known.ref.kind)
        live = await client.get(resource, known.ref.name, known.ref.namespace)
        if live is None:
            raise missing(Target(known.policy_object, known.ref))
        try:
            ask = make(live)
        except InvalidInput as error:
            raise Conflict(error.message, ref=known.ref, hint=error.hint, field=error.field) from error
        after = await client.merge_patch(resource, known.ref.name, known.ref.namespace, ask.patch, manager=MANAGER)
        call.note(before=text_of(live), after=text_of(after))
        asked = Asked(ref=str(known.ref), message=message, version=resource_version_of(after), token=ask.token)
        return Answer(body=asked, status=202)


def operations(acting: SourceActing, sources: Sources) -> list[Operation]:
    def change(
        name: str, method: str, path: str, summary: str, action: str, handler: Callable[[Call], Any], body: Any = None
    ) -> Operation:
        return Operation(
            id=f"sources.{name}",
            method=method,
            path=PATH + path,
            summary=summary,
            access=Needs("sources", action, sources.target),
            body=body,
            body_optional=True,
            answer=Asked,
            status=202,
            handler=handler,
        )

    return [
        Operation(
            id="sources.create",
            method="POST",
            path=BASE + "/sources",
            summary="Make a source from its native resource",
            access=Listed("sources", "create"),
            query=CreateQuery,
            body=dict[str, Any],
            answer=SourceAnswer,
            status=201,
            handler=acting.create,
        ),
        change("refresh", "POST", "/refresh", "Fetch it now", "sync", acting.refresh),
        change("suspend", "PUT", "/suspension", "Leave it alone", "update", acting.suspend, SourceSuspendBody),
        change("resume", "DELETE", "/suspension", "Go on with it", "update", acting.resume),
        change("delete", "DELETE", "", "Delete it", "delete", acting.delete),
    ]
