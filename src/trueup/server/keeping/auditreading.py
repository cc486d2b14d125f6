"""The audit log as one: the entries of this server's database, and those that controllers keep in databases of their own.

Chains are never mixed: an entry is its chain's, wherever it is read, and each chain is judged where it is kept. What cannot be read
is said, in `notes`; nobody is let believe that they saw all.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from trueup.model.errors import TrueupError
from trueup.records.audit.chain import Sealed
from trueup.records.audit.reading import AuditHistory, AuditQuery, Cursor, cursor_of
from trueup.records.audit.verifying import Fault, Verdict
from trueup.records.history import HistoryUnavailable
from trueup.server.api.refusals import Unavailable
from trueup.server.sharedaudit import AsksEach, AuditQuestion, FromOne, answer_audit, nobody

T = TypeVar("T")
HERE = "this server"


class Found(Struct, frozen=True):
    entries: list[Sealed]
    notes: tuple[str, ...]


class Judged(Struct, frozen=True):
    """Verdicts, each with who keeps the chain and judged it."""

    verdicts: list[tuple[str, Verdict]]
    notes: tuple[str, ...]


class AuditReading:
    """`url` empty: no database is named. `states`: folders with keys and checkpoints of those who write into it.

    `others` asks the controllers. Raises Unavailable where the server's own database is away.
    """

    def __init__(self, url: str, states: Sequence[Path] = (), others: AsksEach = nobody) -> None:
        self._url = url
        self._states = states
        self._others = others
        self._history: AuditHistory | None = None
        self._proving = asyncio.Lock()

    def close(self) -> None:
        if self._history is not None:
            self._history.close()

    async def find(
        self, query: AuditQuery, *, limit: int, after: Cursor | None = None, oldest_first: bool = False
    ) -> Found:
        """The newest first, unless asked otherwise."""
        own, others = await asyncio.gather(
            self._ask(lambda history: history.find(query, limit=limit, after=after, oldest_first=oldest_first)),
            self._ask_others(
                AuditQuestion(method="find", query=query, limit=limit, after=after, oldest_first=oldest_first)
            ),
        )
        lists = [own, *(one.answer.entries for one in others if one.answer is not None)]
        return Found(merged(lists, limit, oldest_first=oldest_first), notes_of(others))

    async def get(self, chain: str, sequence: int) -> tuple[Sealed | None, tuple[str, ...]]:
        """None: it is nowhere, as far as could be asked."""
        if (own := (await self._ask(lambda history: [history.get(chain, sequence)]))[0]) is not None:
            return own, ()
        others = await self._ask_others(AuditQuestion(method="get", chain=chain, sequence=sequence))
        found = [entry for one in others if one.answer is not None for entry in one.answer.entries]
        return (found[0] if found else None), notes_of(others)

    async def prove(self) -> Judged:
        """One at a time: it reads all there is."""
        question = AuditQuestion(method="prove")
        async with self._proving:
            own, others = await asyncio.gather(
                self._ask(lambda history: answer_audit(history, self._states, question).verdicts),
                self._ask_others(question),
            )
        told = [(HERE, own), *((one.place, one.answer.verdicts) for one in others if one.answer is not None)]
        return Judged(one_of_each(told), notes_of(others))

    # parts

    async def _ask(self, read: Callable[[AuditHistory], T]) -> T:
        """In a thread."""
        if not self._url:
            raise Unavailable("no audit log is kept", hint="start the server with --database")
        if self._history is None:
            self._history = AuditHistory(self._url)
        try:
            return await asyncio.to_thread(read, self._history)
        except HistoryUnavailable as error:
            raise Unavailable(f"the audit log cannot be read: {error.message}", hint=error.hint) from error

    async def _ask_others(self, question: AuditQuestion) -> Sequence[FromOne]:
        try:
            return await self._others(question)
        except TrueupError as error:
            return [FromOne(place="the controllers", problem=error.message)]


def merged(lists: Iterable[Sequence[Sealed]], limit: int, *, oldest_first: bool = False) -> list[Sealed]:
    """Of lists in one order the first so many, each entry once."""
    found: list[Sealed] = []
    for entry in heapq.merge(*lists, key=cursor_of, reverse=not oldest_first):
        if not found or cursor_of(found[-1]) != cursor_of(entry):
            found.append(entry)
        if len(found) == limit:
            break
    return found


def one_of_each(told: Iterable[tuple[str, Sequence[Verdict]]]) -> list[tuple[str, Verdict]]:
    """Of each chain one verdict. Who share a database judge the same chains; it counts who knows the key of the one that wrote it."""
    found: dict[str, tuple[str, Verdict]] = {}
    for place, verdicts in told:
        for verdict in verdicts:
            before = found.get(verdict.chain)
            if before is None or _lacks_the_key(before[1]):
                found[verdict.chain] = (place, verdict)
    return list(found.values())


def _lacks_the_key(verdict: Verdict) -> bool:
    return verdict.broken is not None and verdict.broken.fault is Fault.UNSIGNED


def notes_of(others: Iterable[FromOne]) -> tuple[str, ...]:
    return tuple(
        f"entries of {one.place} are not here: {one.problem}" for one in islice(others, 100) if one.answer is None
    )
