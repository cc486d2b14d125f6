"""The controllers' audit entries, read by a server that has no database in common with them: over their internal door.

Both halves. Each controller answers of its own database, and proves its own chains; nothing is copied from one into another. Unlike
history, all controllers are asked, because each has done things that no other one tells of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from trueup.records.audit.chain import Sealed
from trueup.records.audit.proving import evidence_of, prove
from trueup.records.audit.reading import AuditHistory, AuditQuery, Cursor
from trueup.records.audit.verifying import Verdict
from trueup.records.history import HistoryUnavailable

MOST = 501
PROVING_SECONDS = 40.0
"""Less than the door gives a question."""


class AuditQuestion(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """`find`: as `AuditHistory.find`; `get`: one entry, by chain and sequence; `prove`: verdicts on all chains."""

    method: Literal["find", "get", "prove"]
    query: AuditQuery = AuditQuery()
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 100
    after: Cursor | None = None
    oldest_first: bool = False
    chain: str = ""
    sequence: int = 0


class AuditAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    entries: tuple[Sealed, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class FromOne(Struct, frozen=True, kw_only=True):
    """What one controller, told by its URL, said. `answer` None: it said nothing, and `problem` is why."""

    place: str
    answer: AuditAnswer | None = None
    problem: str = ""


AnswersAudit = Callable[[AuditQuestion], Awaitable[AuditAnswer]]
AsksEach = Callable[[AuditQuestion], Awaitable[Sequence[FromOne]]]


async def nobody(_: AuditQuestion) -> Sequence[FromOne]:
    """Where the server's database is everybody's."""
    return ()


def answering_audit(url: str, state: Path) -> AnswersAudit:
    """Over a database, which may not be there yet, and the keys and checkpoints in a state folder. Raises HistoryUnavailable."""
    opened: list[AuditHistory] = []
    proving = asyncio.Lock()

    def read(question: AuditQuestion) -> AuditAnswer:
        if not opened:
            opened.append(AuditHistory(url))
        return answer_audit(opened[0], (state,), question)

    async def ask(question: AuditQuestion) -> AuditAnswer:
        if not url:
            raise HistoryUnavailable("it keeps no audit log", hint="start it with --database")
        if question.method != "prove":
            return await asyncio.to_thread(read, question)
        async with proving:
            return await asyncio.to_thread(read, question)

    return ask


def answer_audit(history: AuditHistory, states: Sequence[Path], question: AuditQuestion) -> AuditAnswer:
    """Raises HistoryUnavailable, and what the evidence raises."""
    match question.method:
        case "find":
            found = history.find(
                question.query, limit=question.limit, after=question.after, oldest_first=question.oldest_first
            )
            return AuditAnswer(entries=tuple(found))
        case "get":
            one = history.get(question.chain, question.sequence)
            return AuditAnswer(entries=(one,) if one is not None else ())
        case "prove":
            return AuditAnswer(verdicts=tuple(prove(history, evidence_of(*states), seconds=PROVING_SECONDS)))
