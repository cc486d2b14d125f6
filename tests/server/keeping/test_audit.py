"""The audit log through the API: what was told is found, a page at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.server.api.support import serving
from trueup.records.audit.checkpoints import load_signer
from trueup.records.audit.entry import AuditEntry
from trueup.records.audit.log import DatabaseAuditLog
from trueup.server.keeping.audit import Audit, operations
from trueup.server.keeping.auditreading import AuditReading

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOSS = {"X-User": "admin"}


def fill(folder: Path) -> str:
    url = f"sqlite:///{folder}/audit.db"
    with DatabaseAuditLog(url, folder, load_signer(folder / "key.pem")) as log:
        for number in range(5):
            log.put(
                AuditEntry(
                    at=NOW + timedelta(minutes=number),
                    actor="malee" if number % 2 else "somchai",
                    action="apps.sync",
                    target=f"Kustomization/shop/web-{number}",
                    message="a newline\n and a comma,",
                )
            )
        assert log.flush()
    return url


async def test_a_question_is_bounded_and_what_is_beyond_is_named(tmp_path: Path) -> None:
    """Else it is the database that refuses it, and says so as if it were away."""
    audit = AuditReading(fill(tmp_path))
    async with serving(operations(Audit(audit))) as served:
        for path in ("/api/trueup/v1/audit", "/api/trueup/v1/audit/export"):
            for field, value in (("text", "a " * 21), ("text", "a" * 501), ("target", "*a" * 9), ("actor", "a" * 501)):
                async with served.client.get(path, params={field: value}, headers=BOSS) as answer:
                    assert (answer.status, (await answer.json())["field"]) == (400, field)
            for most in ({"text": "web " * 20}, {"target": "*a" * 8}, {"text": "a" * 500}):
                async with served.client.get(path, params=most, headers=BOSS) as answer:
                    assert answer.status == 200, await answer.text()
    audit.close()


async def test_entries_are_found_and_paged(tmp_path: Path) -> None:
    audit = AuditReading(fill(tmp_path))
    async with serving(operations(Audit(audit))) as served:
        seen: list[str] = []
        after = ""
        while True:
            path = f"/api/trueup/v1/audit?limit=2&after={after}"
            async with served.client.get(path, headers=BOSS) as answer:
                page = await answer.json()
            seen += [row["target"] for row in page["items"]]
            if not (after := page["next"]):
                break
        assert seen == [f"Kustomization/shop/web-{number}" for number in (4, 3, 2, 1, 0)]
        async with served.client.get("/api/trueup/v1/audit?actor=malee", headers=BOSS) as answer:
            rows = (await answer.json())["items"]
        assert {row["actor"] for row in rows} == {"malee"}
        async with served.client.get(f"/api/trueup/v1/audit/{rows[0]['id']}", headers=BOSS) as answer:
            assert (await answer.json()) == rows[0]
        for wrong in ("after=x", "since=2026-03-01T00:00:00", "limit=0"):
            async with served.client.get(f"/api/trueup/v1/audit?{wrong}", headers=BOSS) as answer:
                assert answer.status == 400
        async with served.client.get("/api/trueup/v1/audit/nothing:1", headers=BOSS) as answer:
            assert answer.status == 404
    audit.close()


async def test_whoever_may_not_read_it_does_not_know_of_it(tmp_path: Path) -> None:
    audit = AuditReading(fill(tmp_path))
    async with (
        serving(operations(Audit(audit))) as served,
        served.client.get("/api/trueup/v1/audit", headers={"X-User": "bob"}) as answer,
    ):
        assert answer.status == 404
    audit.close()
