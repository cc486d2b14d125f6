"""Operations on how an App stood at a moment: objects and manifests as they were recorded, what was not, and two moments compared."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from trueup.apps.comparison import FieldRow
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.records.history import History, HistoryUnavailable
from trueup.records.standing import Moment, ObjectThen, Standing, compared, standing_at
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Needs, Operation
from trueup.server.api.refusals import NotFound, Unavailable
from trueup.server.keeping.incarnation import is_told, told_since
from trueup.server.keeping.past import HistoryRow, Past, RecordedManifest, read, row_of
from trueup.server.live.objects import ObjectQuery
from trueup.server.world.operations import APP, Apps
from trueup.server.world.rows import Known

Zoned = Annotated[datetime, Meta(tz=True)]


class ThenQuery(Struct, frozen=True, kw_only=True):
    """`at`: with a time zone; none: now."""

    at: Zoned | None = None


class PairQuery(Struct, frozen=True, kw_only=True):
    """Two moments; without one of them, now."""

    before: Zoned | None = None
    after: Zoned | None = None


class ThenRow(Struct, frozen=True, kw_only=True):
    """One object of then. `record`: whose manifest shows it; 0: none, and `unrecorded` says why (`before-records`, `not-kept`)."""

    ref: ObjectRef
    record: int
    since: datetime | None
    unrecorded: str
    health: str
    health_message: str
    drifted: tuple[str, ...]


class ThenAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """`sync`: the last one up to then. `begins`: from when on there are records; a moment before it is not known at all.

    What objects themselves own (ReplicaSets, pods) is never recorded, nor are logs and events.
    """

    at: datetime | None
    begins: datetime | None
    sync: HistoryRow | None
    objects: tuple[ThenRow, ...]


class PairRow(Struct, frozen=True, kw_only=True):
    """`action`: added, removed, changed, or unknown where a manifest of one side was not recorded. `before`, `after`: records."""

    ref: ObjectRef
    action: str
    before: int
    after: int


class PairAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    before: HistoryRow | None
    after: HistoryRow | None
    begins: datetime | None
    items: tuple[PairRow, ...]
    equal: int


class RecordedObject(RecordedManifest, frozen=True, kw_only=True):
    """`fields`: what that record changed in the object."""

    action: str
    fields: tuple[FieldRow, ...]
    origin: str
    row: HistoryRow


class Then:
    def __init__(self, past: Past, apps: Apps) -> None:
        self._past = past
        self._apps = apps

    async def standing(self, call: Call) -> Answer:
        known: Known = self._apps.known(call)
        standing = standing_at(await self._moments(call, known), call.query.at, _inventory(known))
        sees = await call.sight(one.ref for one in standing.objects)
        return Answer(
            body=ThenAnswer(
                at=call.query.at,
                begins=standing.begins,
                sync=_sync(standing),
                objects=tuple(_row(one) for one in standing.objects if sees(one.ref)),
            )
        )

    async def comparison(self, call: Call) -> Answer:
        known: Known = self._apps.known(call)
        moments, inventory = await self._moments(call, known), _inventory(known)
        before = standing_at(moments, call.query.before, inventory)
        after = standing_at(moments, call.query.after, inventory)
        found = compared(before, after)
        sees = await call.sight(pair.ref for pair in found)
        pairs = [pair for pair in found if sees(pair.ref)]
        items = tuple(
            PairRow(
                ref=pair.ref,
                action=pair.action,
                before=pair.before.record if pair.before else 0,
                after=pair.after.record if pair.after else 0,
            )
            for pair in pairs
            if pair.action != "equal"
        )
        return Answer(
            body=PairAnswer(
                before=_sync(before),
                after=_sync(after),
                begins=before.begins,
                items=items,
                equal=len(pairs) - len(items),
            )
        )

    async def object(self, call: Call) -> Answer:
        record = await self._past.record_of(call)
        ref = call.query.ref
        sees = await call.sight([ref])
        kept = await self._past.ask(lambda history: history.manifest(record.id, ref))
        if kept is None or not sees(ref):
            raise NotFound(
                f"record {record.id} shows no manifest of {ref}", hint="look at the moment that names another record"
            )
        change = next((one for one in record.changes if one.ref == ref), None)
        return Answer(
            body=RecordedObject(
                ref=ref,
                desired=read(kept.desired),
                applied=read(kept.applied),
                action=str(change.action) if change else "",
                fields=tuple(
                    FieldRow(path=one.path, before=one.before, after=one.after)
                    for one in (change.fields if change else ())
                ),
                origin=str(change.origin) if change and change.origin else "",
                row=row_of(record),
            )
        )

    async def _moments(self, call: Call, known: Known) -> list[Moment]:
        """Raises Unavailable where nothing is recorded."""
        since = await told_since(call, known)

        def ask(history: History) -> list[Moment]:
            return [one for one in history.moments(known.ref) if is_told(one.record.at, since)]

        try:
            return await self._past.ask(ask)
        except HistoryUnavailable as error:
            raise Unavailable(error.message, hint=error.hint) from error


def _inventory(known: Known) -> set[ObjectRef]:
    try:
        return {entry.ref for entry in known.dialect.stored_inventory(known.obj).entries}
    except TrueupError:
        return set()  # a status that cannot be read tells of no object


def _sync(standing: Standing) -> HistoryRow | None:
    return row_of(standing.sync) if standing.sync is not None else None


def _row(one: ObjectThen) -> ThenRow:
    return ThenRow(
        ref=one.ref,
        record=one.record,
        since=one.since,
        unrecorded=str(one.unrecorded),
        health=one.health,
        health_message=one.health_message,
        drifted=one.drifted,
    )


def operations(then: Then, apps: Apps) -> list[Operation]:
    needs = Needs("applications", "get", apps.target)
    shared: dict[str, Any] = {"method": "GET", "access": needs}
    return [
        Operation(
            id="apps.then",
            path=APP + "/then",
            summary="How an App stood at a moment: its objects as they were recorded, and what was not",
            query=ThenQuery,
            answer=ThenAnswer,
            handler=then.standing,
            **shared,
        ),
        Operation(
            id="apps.then-comparison",
            path=APP + "/then/comparison",
            summary="What was another in an App between two moments, as far as it was recorded",
            query=PairQuery,
            answer=PairAnswer,
            handler=then.comparison,
            **shared,
        ),
        Operation(
            id="objects.recorded",
            path=APP + "/history/{id}/manifest",
            summary="One object as one row of the history shows it; Secrets masked",
            query=ObjectQuery,
            answer=RecordedObject,
            handler=then.object,
            **shared,
        ),
    ]
