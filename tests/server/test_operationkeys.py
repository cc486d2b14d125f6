"""Calls with a key at two servers on one database: carried out once whichever is asked, and clear words when that cannot be said."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec import Struct, structs
from sqlalchemy import select, text

from tests.records.conftest import Postgres
from tests.server.api.support import Served, serving, until
from tests.server.api.test_dispatch import SYNC, Handlers, as_, table
from trueup.records.claimstore import ClaimStore
from trueup.records.database import open_reader, open_writer, parse_url
from trueup.records.tables import operation_keys
from trueup.server.api.idempotency import MARGIN_SECONDS, Idempotency
from trueup.server.operationkeys import DatabaseKeys

SECRETS = [b"the server's own key"]
TOKEN = "canary-token-7f3a"
PASSWORD = "canary-password-91"


class Replica(Struct):
    served: Served
    handlers: Handlers
    keys: DatabaseKeys
    life: AsyncExitStack

    async def sync(self, key: str, **body: object) -> tuple[int, dict[str, object], dict[str, str]]:
        async with self.served.client.post(SYNC, json=body, headers=as_("alice", **{"Idempotency-Key": key})) as answer:
            return answer.status, await answer.json(), dict(answer.headers)


async def replica(stack: AsyncExitStack, database: str, *, secret: bool = False) -> Replica:
    life = await stack.enter_async_context(AsyncExitStack())
    handlers = Handlers()
    keys = DatabaseKeys(ClaimStore(database), seconds=3.0)
    await life.enter_async_context(keys.running())
    operations = [
        structs.replace(one, seconds=30.0, secret_answer=secret and one.id == "things.sync") for one in table(handlers)
    ]
    served = await life.enter_async_context(serving(operations, idempotency=Idempotency(keys, lambda: SECRETS)))
    return Replica(served, handlers, keys, life)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_a_retry_at_another_replica_or_after_a_restart_gets_the_answer_of_the_first(
    stack: AsyncExitStack,
    url: str,
) -> None:
    first, second = await replica(stack, url), await replica(stack, url)
    assert (await first.sync("k1", prune=True))[:2] == (202, {"done": 1})
    status, body, headers = await second.sync("k1", prune=True)
    assert (status, body, headers["Idempotent-Replayed"]) == (202, {"done": 1}, "true")
    assert (await second.sync("k1", prune=False))[0] == 422
    await first.life.aclose()
    restarted = await replica(stack, url)
    assert (await restarted.sync("k1", prune=True))[:2] == (202, {"done": 1})
    assert (first.handlers.begun, second.handlers.begun, restarted.handlers.begun) == (1, 0, 0)


async def test_of_many_that_come_at_once_at_both_one_is_carried_out(stack: AsyncExitStack, url: str) -> None:
    both = [await replica(stack, url), await replica(stack, url)]
    answers = await asyncio.gather(*(both[number % 2].sync("k1") for number in range(8)))
    assert sum(one.handlers.begun for one in both) == 1
    told = Counter(str(body.get("reason", body)) for _, body, _ in answers)
    assert set(told) <= {"{'done': 1}", "StillRunning"}
    assert (await both[0].sync("k1"))[:2] == (202, {"done": 1})


async def test_of_a_call_that_died_with_its_replica_nobody_says_that_it_was_not_done(
    stack: AsyncExitStack,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dying, living = await replica(stack, url), await replica(stack, url)
    dying.handlers.wait = asyncio.Event()
    monkeypatch.setattr(dying.keys, "end", _never)  # as when it is killed before it can tell
    lost = asyncio.create_task(dying.sync("k1"))
    await until(lambda: dying.handlers.begun == 1)
    status, body, headers = await living.sync("k1")
    assert (status, body["reason"], "Retry-After" in headers) == (409, "StillRunning", True)
    dying.handlers.wait.set()
    await lost
    _age(url, 30.0 + MARGIN_SECONDS)
    status, body, headers = await living.sync("k1")
    assert (status, body["reason"], "Retry-After" in headers) == (409, "OutcomeUnknown", False)
    assert "another key" in str(body["hint"])
    assert living.handlers.begun == 0


async def test_an_answer_that_is_told_once_is_not_in_the_database_and_what_was_asked_neither(
    stack: AsyncExitStack,
    url: str,
) -> None:
    one, two = await replica(stack, url, secret=True), await replica(stack, url, secret=True)
    one.handlers.answer = {"token": TOKEN}
    assert (await one.sync("k1", revision=PASSWORD))[:2] == (202, {"token": TOKEN})
    for again in (one, two):
        status, body, _ = await again.sync("k1", revision=PASSWORD)
        assert (status, body["reason"]) == (409, "AnswerNotKept")
        assert "answered 202" in str(body["detail"])
    assert (one.handlers.begun, two.handlers.begun) == (1, 0)
    everything = _dump(url)
    assert "untold" in everything
    for canary in (TOKEN, PASSWORD, "alice", "k1"):
        assert canary not in everything


async def test_a_database_that_is_gone_stops_calls_with_a_key_alone(
    stack: AsyncExitStack,
    postgres: Postgres,
) -> None:
    one = await replica(stack, postgres.new_database())
    one.handlers.wait = asyncio.Event()
    under_way = asyncio.create_task(one.sync("k1"))
    await until(lambda: one.handlers.begun == 1)
    postgres.stop()
    try:
        one.handlers.wait.set()
        assert (await under_way)[:2] == (202, {"done": 1}), "it was done, and its caller hears so"
        status, body, headers = await one.sync("k2")
        assert (status, body["reason"], body["field"]) == (503, "Unavailable", "Idempotency-Key")
        assert "Retry-After" in headers
        async with one.served.client.post(SYNC, headers=as_("alice")) as answer:
            assert answer.status == 202
    finally:
        postgres.start()
    assert (await one.sync("k1"))[:2] == (202, {"done": 1}), "the end of the first was kept until the database was back"
    assert (await one.sync("k2"))[0] == 202
    assert one.handlers.begun == 3


async def test_what_was_claimed_when_nobody_waited_any_more_is_given_back(
    stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path}/trueup.db"
    one = await replica(stack, database)
    await one.sync("k0")
    monkeypatch.setattr(one.keys, "_seconds", 0.2)
    engine = open_writer(parse_url(database))
    with engine.begin() as connection:  # locks the file
        connection.execute(text("SELECT 1"))
        assert (await one.sync("k1"))[0] == 503
    engine.dispose()
    monkeypatch.setattr(one.keys, "_seconds", 3.0)
    async with asyncio.timeout(20):
        while (await one.sync("k1"))[0] != 202:  # noqa: ASYNC110 another process's lock is waited for
            await asyncio.sleep(0.05)
    assert one.handlers.begun == 2


async def _never(*_: object) -> None:
    """In the place of what would have told the database."""


def _age(url: str, seconds: float) -> None:
    """As if so much time had gone by."""
    engine = open_writer(parse_url(url))
    with engine.begin() as connection:
        shift = int(seconds * 1_000_000)
        connection.execute(operation_keys.update().values(until_us=operation_keys.c.until_us - shift))
    engine.dispose()


def _dump(url: str) -> str:
    engine = open_reader(parse_url(url))
    with engine.connect() as connection:
        found = "".join(str(tuple(row)) for row in connection.execute(select(operation_keys)))
    engine.dispose()
    return found
