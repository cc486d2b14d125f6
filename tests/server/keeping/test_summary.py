"""Figures about Apps: counted from what is seen now, and from what was recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.server.api.support import serving
from tests.server.argo.kit import application, world_of
from trueup.apps.identity import APPLICATION
from trueup.model.refs import ObjectRef
from trueup.records.history import Activity, History
from trueup.records.record import Record, RecordKind
from trueup.records.recorder import DatabaseRecorder
from trueup.server.access.policy import policy_of
from trueup.server.keeping.summary import Summaries, happened_in, operations
from trueup.server.world.operations import Apps

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
WEB, API = (ObjectRef("argoproj.io", APPLICATION, "argocd", name) for name in ("web", "api"))


def row(
    kind: RecordKind, *, days: float = 0, seconds: float = 1, result: str = "succeeded", app: ObjectRef = WEB
) -> Activity:
    return Activity(NOON - timedelta(days=days), kind, result, seconds, app)


def test_what_happened_is_counted_by_day_and_by_app() -> None:
    rows = [
        row(RecordKind.SYNC, seconds=2),
        row(RecordKind.SYNC, seconds=4, result="failed"),
        row(RecordKind.FAILURE, app=API),
        row(RecordKind.FAILURE, app=API, days=1),
        row(RecordKind.DRIFT, days=1),
        row(RecordKind.HEAL, days=1),
        row(RecordKind.ROLLBACK, days=1),
    ]
    since = NOON.replace(hour=0) - timedelta(days=1)
    found = happened_in(rows, since, 2)
    assert (found.syncs, found.failures, found.drifts, found.heals, found.rollbacks) == (2, 3, 1, 1, 1)
    assert [(day.day, day.syncs, day.failures, day.drifts) for day in found.days] == [
        ("2026-03-09", 0, 1, 1),
        ("2026-03-10", 2, 2, 0),
    ]
    assert [(one.app, one.failures) for one in found.failing] == [(str(API), 2), (str(WEB), 1)]
    assert [one.app for one in found.drifting] == [str(WEB)]


def test_quantiles_are_by_the_nearest_rank() -> None:
    rows = [row(RecordKind.SYNC, seconds=number) for number in range(1, 21)]
    found = happened_in(rows, NOON, 1)
    assert (found.median, found.p95, found.longest) == (10, 19, 20)
    none = happened_in([], NOON, 1)
    assert (none.median, none.p95, none.longest) == (0, 0, 0)


def written(path: Path, *records: Record) -> str:
    url = f"sqlite:///{path}/records.db"
    with DatabaseRecorder(url) as recorder:
        for one in records:
            recorder.put(one)
        assert recorder.flush()
    return url


def record(app: ObjectRef, kind: RecordKind, days: int, seconds: float = 1) -> Record:
    at = NOON - timedelta(days=days)
    return Record(at=at, app=app, kind=kind, dialect="argocd", took=timedelta(seconds=seconds))


def test_the_history_gives_what_is_counted_and_no_older(tmp_path: Path) -> None:
    url = written(
        tmp_path,
        record(WEB, RecordKind.SYNC, 0, 1.5),
        record(WEB, RecordKind.SYNC, 5),
        record(WEB, RecordKind.HEALTH, 0),
    )
    with History(url) as history:
        found = history.activity(NOON - timedelta(days=2))
        assert found == [Activity(NOON, RecordKind.SYNC, "succeeded", 1.5, WEB)]
        assert len(history.activity(NOON - timedelta(days=9), most=1)) == 1


async def test_only_what_one_may_see_is_counted(tmp_path: Path) -> None:
    hidden = ObjectRef("argoproj.io", APPLICATION, "argocd", "vault")
    url = written(
        tmp_path,
        record(WEB, RecordKind.SYNC, 0),
        record(hidden, RecordKind.SYNC, 0),
        record(hidden, RecordKind.DRIFT, 0),
    )
    world = world_of(application("web"), application("vault", project="bank"))
    async with serving(operations(Summaries(Apps(world), url, lambda: NOON))) as one:
        one.authority.update(
            policy_of({"policy.csv": "p, ann, applications, get, shop/*, allow\ng, boss, role:admin"}), {}
        )

        async def ask(who: str, query: str = "") -> dict[str, object]:
            async with one.client.get(f"/api/trueup/v1/summary{query}", headers={"X-User": who}) as answer:
                assert answer.status == 200, await answer.text()
                found: dict[str, object] = await answer.json()
                return found

        assert (await ask("boss"))["apps"] == 2
        told = await ask("ann")
        assert told["apps"] == 1
        assert isinstance(told["happened"], dict)
        assert (told["happened"]["syncs"], told["happened"]["drifts"], len(told["happened"]["days"])) == (1, 0, 7)
        assert (await ask("boss", "?search=vault&days=1"))["apps"] == 1
    who = {"X-User": "alice"}
    table = operations(Summaries(Apps(world), ""))
    async with serving(table) as one, one.client.get("/api/trueup/v1/summary", headers=who) as answer:
        assert "--database" in (await answer.json())["notes"][0]
