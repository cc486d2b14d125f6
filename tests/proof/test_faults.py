"""What the server stands on goes away under it: clear words, nothing lost, and all is well again by itself."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.stack import Stack, until
from tests.proof import seeds
from tests.proof.door import BASE, TIMEOUT, Door
from tests.records.conftest import Postgres, postgres  # noqa: F401 the fixture

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("proof")]

APP = f"/apps/Kustomization/{seeds.NAMESPACE}/app"


def is_problem(answer: tuple[int, Any], *statuses: int) -> dict[str, Any]:
    """Problem details that say what is wrong and what to do, and nothing of our insides."""
    status, problem = answer
    assert status in statuses, answer
    assert problem["status"] == status
    assert problem["detail"], problem
    assert problem["hint"], problem
    assert "Traceback" not in str(problem)
    return dict(problem)


def actions(door: Door, message: str) -> list[str]:
    """Results of the calls with this message, as the audit log tells them."""
    _, page = door.ask("GET", "/audit?limit=100")
    return [row["result"] for row in page["items"] if row.get("message") == message]


def test_an_api_server_that_is_gone_is_said_reads_go_on_and_writes_work_when_it_is_back(
    fortress: Stack, door: Door
) -> None:
    assert door.ask("GET", APP)[0] == 200
    fortress.api_server.kill()
    try:
        status, page = door.ask("GET", "/apps")
        assert (status, page["total"]) == (200, 1), "what was seen last is shown"
        problem = is_problem(door.ask("POST", f"{APP}/sync", {"message": "while it is away"}), 503)
        assert "connect" in problem["detail"] or "reach" in problem["detail"], problem
        is_problem(door.ask("GET", f"{APP}/object?kind=ConfigMap&name=settings&namespace={seeds.NAMESPACE}"), 503)
        until(lambda: door.ask("GET", "/standing")[1]["problems"], what="the server says that it sees nothing new")
    finally:
        fortress.api_server.start()
    until(lambda: not door.ask("GET", "/standing")[1]["problems"], within=60, what="it sees again")
    until(lambda: door.ask("POST", f"{APP}/sync", {"message": "it is back"})[0] == 202, what="writes work again")
    assert actions(door, "while it is away") != ["succeeded"]
    fortress.until_applied(seeds.NAMESPACE, within=60)


def test_a_database_that_is_locked_delays_the_audit_log_and_loses_nothing(fortress: Stack, door: Door) -> None:
    with sqlite3.connect(fortress.database, isolation_level=None, timeout=30) as other:
        other.execute("BEGIN EXCLUSIVE")
        status, answer = door.ask("POST", f"{APP}/refresh", {})
        assert status in (202, 503), answer
        taken = [door.ask("POST", f"{APP}/sync", {"message": f"locked {n}"})[0] for n in range(3)]
        assert set(taken) <= {202, 503}
        asked = door.http.get(
            f"{door.url}{BASE}/audit", headers={"Authorization": f"Bearer {door.token}"}, timeout=TIMEOUT
        )
        assert asked.status_code in (200, 503), asked.text
        assert door.ask("GET", "/apps")[0] == 200, "what needs no database goes on"
        other.execute("ROLLBACK")
    for number, status in enumerate(taken):
        if status == 202:
            until(lambda number=number: actions(door, f"locked {number}") == ["succeeded"], what="it is told after all")  # type: ignore[misc]
    until(lambda: door.ask("POST", f"{APP}/sync", {"message": "unlocked"})[0] == 202, what="all is well again")


def test_a_database_that_is_gone_is_said_and_taken_up_again(
    fortress: Stack,
    postgres: Postgres,  # noqa: F811
) -> None:
    """A real PostgreSQL that is killed and started."""
    door = Door(fortress, "postgres", database=postgres.new_database())
    try:
        door.start()
        until(lambda: _signed_in(door), what="the audit log is open")
        assert door.ask("POST", f"{APP}/sync", {"message": "before"})[0] == 202
        until(lambda: actions(door, "before") == ["succeeded"], what="it is told")
        postgres.stop()
        try:
            problem = is_problem(door.ask("GET", "/audit"), 503)
            assert "database" in (problem["detail"] + problem["hint"]), problem
            assert "trueup@" not in str(problem)
            assert door.ask("GET", "/apps")[0] == 200
            # What is done meanwhile waits in the journal, or is refused: never done and untold.
            meanwhile = door.ask("POST", f"{APP}/sync", {"message": "meanwhile"})
            if meanwhile[0] != 202:
                is_problem(meanwhile, 503)
        finally:
            postgres.start()
        until(lambda: door.ask("POST", f"{APP}/sync", {"message": "after"})[0] == 202, within=60, what="writes again")
        until(lambda: actions(door, "after") == ["succeeded"], within=60, what="told again")
        if meanwhile[0] == 202:
            until(lambda: actions(door, "meanwhile") == ["succeeded"], within=60, what="nothing is lost")
        assert actions(door, "before") == ["succeeded"]
    finally:
        door.stop()


def test_a_replica_that_is_killed_in_the_middle_of_operations_loses_nothing(fortress: Stack, door: Door) -> None:
    """Each call was carried out and told, or its caller never had an answer; another replica goes on meanwhile."""
    victim = Door(fortress, "victim")
    victim.start()
    victim.token = door.token
    answered: dict[int, int] = {}
    lost: list[int] = []

    def suspend(at: Door, number: int) -> tuple[int, Any]:
        said = {"reason": f"killed {number}"}
        return at.ask("PUT", f"{APP}/suspension", said, **{"Idempotency-Key": f"suspend-{number}"})

    def work() -> None:
        for number in range(400):
            try:
                status, _ = suspend(victim, number)
            except requests.RequestException:
                lost.append(number)
                return
            answered[number] = status

    worker = threading.Thread(target=work)
    worker.start()
    until(lambda: len(answered) > 20, what="it works")
    victim.process.kill()
    worker.join(60)
    assert lost
    assert set(answered.values()) == {202}
    # The other replica knows all of it, and acts on.
    until(lambda: door.ask("GET", APP)[1]["row"]["suspended"], what="what was done is seen")
    # Asked there again, nothing is done twice: what was answered is answered so, and of the last nobody claims to know.
    assert {suspend(door, number)[0] for number in list(answered)[-5:]} == {202}
    status, problem = suspend(door, lost[0])
    assert status == 202 or (status, problem["reason"]) == (409, "StillRunning"), problem
    assert door.ask("DELETE", f"{APP}/suspension")[0] == 202
    # The killed one tells what it had not told, from its journal, once and whole.
    victim.start()
    try:
        told = until(lambda: _told(fortress.database, len(answered)), within=60, what="the journal is told")
        assert set(answered) <= set(told)
        assert len(told) == len(set(told)), "nothing is told twice"
        assert set(told) <= set(answered) | set(lost)
    finally:
        victim.stop()
    fortress.until_applied(seeds.NAMESPACE, within=60)


def test_a_controller_that_is_gone_leaves_a_gap_in_the_audit_log_that_is_said_and_closes_by_itself(
    fortress: Stack,
) -> None:
    """As `trueup install` sets it up: server and controller each with a file of their own."""
    door = Door(fortress, "apart", database=f"sqlite:///{fortress.folder}/apart.sqlite")
    door.start()
    try:
        until(lambda: _signed_in(door), what="the audit log is open")
        assert door.ask("POST", f"{APP}/sync", {"message": "apart"})[0] == 202
        until(lambda: actions(door, "apart") == ["succeeded"], what="it is told")
        of_controller = "/audit?action=controller.*&target=Kustomization/proof/app"
        assert door.ask("GET", of_controller)[1]["items"], "what the controller did is here too"
        exported = door.ask("GET", "/audit/export?format=cef")[1]
        assert "|controller.sync|" in exported
        assert "|apps.sync|" in exported
        status, verdict = door.ask("GET", "/audit/verification")
        assert (status, verdict["whole"]) == (200, True), verdict
        assert {one["keptBy"] for one in verdict["items"]} == {"this server", f"http://127.0.0.1:{fortress.http_port}"}
        fortress.controller.kill()
        try:
            _, page = door.ask("GET", "/audit")
            assert page["items"]
            assert "does not answer" in page["notes"][0]
            is_problem(door.ask("GET", "/audit/export"), 503)
            assert door.ask("GET", "/audit/verification")[1]["whole"] is False
        finally:
            fortress.controller.start()
            fortress.until_ready()
        until(lambda: door.ask("GET", of_controller)[1]["notes"] == [], what="all of it is seen again")
    finally:
        door.stop()


def _signed_in(door: Door) -> bool:
    """Not before it could be told."""
    with contextlib.suppress(AssertionError):
        door.sign_in()
    return bool(door.token)


def _told(database: Path, least: int) -> list[int]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as records:
        rows = records.execute("SELECT message FROM audit_entries WHERE message LIKE 'killed %'").fetchall()
    numbers = [int(text.split()[1]) for (text,) in rows]
    return numbers if len(numbers) >= least else []
