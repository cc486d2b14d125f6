"""The audit log where the controllers keep their entries for themselves: found, exported and judged as one, each chain by itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import Struct
from sqlalchemy import update

from tests.server.api.support import Served, serving
from trueup.records.audit.entry import AuditEntry
from trueup.records.audit.service import AuditService
from trueup.records.audit.tables import audit_entries
from trueup.records.database import open_writer, parse_url
from trueup.server.comparing.asking import Controllers
from trueup.server.internal import Internal, add_internal
from trueup.server.keeping.audit import Audit, operations
from trueup.server.keeping.auditreading import AuditReading
from trueup.server.sharedaudit import AuditQuestion, FromOne, answering_audit, nobody

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOSS = {"X-User": "admin"}
LIST, EXPORT, VERIFICATION = (f"/api/trueup/v1/audit{rest}" for rest in ("", "/export", "/verification"))


async def a_token() -> str:
    return "t" * 43


async def wrote(url: str, state: Path, action: str, *minutes: int) -> None:
    """A process that did something at these minutes, and ended."""
    service = AuditService(url, state)
    async with service.running():
        for minute in minutes:
            at = NOON + timedelta(minutes=minute)
            service.log.put(AuditEntry(at=at, actor="somebody", action=action, target=f"Kustomization/shop/{minute}"))
        assert service.log.flush()


class Set(Struct):
    served: Served
    doors: list[TestServer]
    databases: list[str]

    async def get(self, path: str, status: int = 200) -> dict[str, Any]:
        async with self.served.client.get(path, headers=BOSS) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == status, found
            return found

    async def lines(self, path: str = EXPORT) -> list[str]:
        async with self.served.client.get(path, headers=BOSS) as answer:
            assert answer.status == 200, await answer.text()
            return (await answer.text()).splitlines()


@pytest.fixture
async def everyone(tmp_path: Path, url: str) -> AsyncIterator[Set]:
    """A server with a file of its own and two controllers: one with a database of each kind, one with a file."""
    databases = [f"sqlite:///{tmp_path}/server.db", url, f"sqlite:///{tmp_path}/second.db"]
    await wrote(databases[0], tmp_path / "server", "apps.sync", 0, 3, 6)
    await wrote(databases[1], tmp_path / "first", "controller.sync", 1, 4, 7)
    await wrote(databases[2], tmp_path / "second", "controller.heal", 2, 5, 8)
    async with AsyncExitStack() as stack:
        doors = []
        # The first controller is asked twice, as two that share a database are.
        for database, state in ((1, "first"), (1, "first"), (2, "second")):
            app = web.Application()
            answers = answering_audit(databases[database], tmp_path / state)
            add_internal(app, Internal(a_token, lambda _: None, audit=answers))
            doors.append(await stack.enter_async_context(TestServer(app)))
        asks = Controllers([str(one.make_url("/")) for one in doors], a_token).audit
        reading = AuditReading(databases[0], [tmp_path / "server"], asks)
        stack.callback(reading.close)
        served = await stack.enter_async_context(serving(operations(Audit(reading))))
        yield Set(served, doors, databases)


async def test_entries_of_all_are_found_the_newest_first_page_by_page_and_each_once(everyone: Set) -> None:
    seen, after = [], ""
    while True:
        page = await everyone.get(f"{LIST}?limit=2&after={after}")
        assert page["notes"] == []
        seen += [row["target"] for row in page["items"]]
        if not (after := page["next"]):
            break
    assert seen == [f"Kustomization/shop/{minute}" for minute in (8, 7, 6, 5, 4, 3, 2, 1, 0)]
    rows = (await everyone.get(f"{LIST}?action=controller.*&since=2026-03-01T12:05:00Z"))["items"]
    assert [row["action"] for row in rows] == ["controller.heal", "controller.sync", "controller.heal"]
    for row in rows:
        assert await everyone.get(f"{LIST}/{row['id']}") == row
    await everyone.get(f"{LIST}/nothing:1", 404)


async def test_all_of_it_is_exported_the_oldest_first(everyone: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.server.keeping.audit.EXPORT_PAGE", 2)
    rows = [json.loads(one) for one in await everyone.lines()]
    assert [row["target"] for row in rows] == [f"Kustomization/shop/{minute}" for minute in range(9)]
    assert len({row["chain"] for row in rows}) == 3
    for chain in {row["chain"] for row in rows}:
        own = [row for row in rows if row["chain"] == chain]
        assert [row["sequence"] for row in own] == [1, 2, 3]
        assert [row["previous"] for row in own[1:]] == [row["hash"] for row in own[:-1]]
    cef = await everyone.lines(f"{EXPORT}?format=cef&action=controller.sync")
    assert [line.startswith("CEF:0|") for line in cef] == [True] * 3


async def test_each_chain_is_judged_where_it_is_kept(everyone: Set) -> None:
    whole = await everyone.get(VERIFICATION)
    assert (whole["whole"], whole["notes"]) == (True, [])
    assert [(one["entries"], one["signed"], one["fault"]) for one in whole["items"]] == [(3, 3, "")] * 3
    places = [one["keptBy"] for one in whole["items"]]
    assert places == ["this server", *(str(everyone.doors[n].make_url("/")).rstrip("/") for n in (0, 2))]
    engine = open_writer(parse_url(everyone.databases[1]))
    with engine.begin() as connection:
        connection.execute(update(audit_entries).where(audit_entries.c.sequence == 2).values(actor="nobody"))
    engine.dispose()
    broken = await everyone.get(VERIFICATION)
    assert broken["whole"] is False
    assert [(one["fault"], one["sequence"]) for one in broken["items"]] == [("", 0), ("altered", 2), ("", 0)]


async def test_of_a_chain_in_a_common_database_it_counts_who_knows_its_key(tmp_path: Path, url: str) -> None:
    await wrote(url, tmp_path / "server", "apps.sync", 0)
    await wrote(url, tmp_path / "controller", "controller.sync", 1)
    question = AuditQuestion(method="prove")

    async def controller(asked: AuditQuestion) -> list[FromOne]:
        return [FromOne(place="controller", answer=await answering_audit(url, tmp_path / "controller")(asked))]

    for states, others in (
        ([tmp_path / "server"], controller),
        ([tmp_path / "server", tmp_path / "controller"], nobody),
    ):
        reading = AuditReading(url, states, others)
        judged = await reading.prove()
        assert [one.broken for _, one in judged.verdicts] == [None, None]
        reading.close()
    alone = await answering_audit(url, tmp_path / "controller")(question)
    assert sorted(str(one.broken.fault) for one in alone.verdicts if one.broken) == ["unsigned"]


async def test_what_a_controller_that_is_away_has_is_said_to_be_missing(everyone: Set) -> None:
    gone = str(everyone.doors[2].make_url("/")).rstrip("/")
    await everyone.doors[2].close()
    page = await everyone.get(LIST)
    assert len(page["items"]) == 6
    assert page["notes"] == [f"entries of {gone} are not here: it does not answer"]
    problem = await everyone.get(EXPORT, 503)
    assert gone in problem["detail"]
    assert gone in (await everyone.get(f"{LIST}/nothing:1", 503))["detail"]
    verdict = await everyone.get(VERIFICATION)
    assert (verdict["whole"], len(verdict["items"]), len(verdict["notes"])) == (False, 2, 1)


async def test_an_export_that_cannot_go_on_breaks_off(everyone: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.server.keeping.audit.EXPORT_PAGE", 1)
    first = AuditReading.find
    pages = 0

    async def then_one_goes(self: AuditReading, *given: Any, **named: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages == 4:
            await everyone.doors[2].close()
        return await first(self, *given, **named)

    monkeypatch.setattr(AuditReading, "find", then_one_goes)
    with pytest.raises(aiohttp.ClientError):
        await everyone.lines()


async def test_whoever_may_not_read_it_does_not_know_of_it(everyone: Set) -> None:
    for path in (LIST, EXPORT, VERIFICATION):
        async with everyone.served.client.get(path, headers={"X-User": "bob"}) as answer:
            assert answer.status == 404


async def test_a_log_that_is_too_long_to_be_judged_meanwhile_says_so(
    everyone: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trueup.server.sharedaudit.PROVING_SECONDS", -1.0)
    problem = await everyone.get(VERIFICATION, 503)
    assert problem["reason"] == "TookTooLong"
    assert "trueup audit verify" in problem["hint"]
