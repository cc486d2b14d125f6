"""The chain of this replica: its name, where it stands, and the signed checkpoints that are handed out.

A chain that is not what we know of it is left as evidence, and another begun.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from trueup.records.audit.chain import Head, Sealed, head_of, seal
from trueup.records.audit.checkpoints import Checkpoint, Signer
from trueup.records.audit.entry import AuditEntry
from trueup.records.audit.store import AuditRetention, AuditStore
from trueup.records.database import first_line

log = structlog.get_logger(__name__)

MOST_UNEXPORTED = 1000
"""Checkpoints that wait for a sink; of more, the newest prove the same."""


class CheckpointSink(Protocol):
    """A place besides the database. Raises OSError or TrueupError when it does not take it now; it is asked again."""

    def export(self, checkpoint: Checkpoint) -> None: ...

    def newest(self, chain: str) -> Checkpoint | None:
        """The last one of a chain that it was given, if it can tell."""
        ...


class OwnChain:
    """`now_us`: of the wall clock. Errors of the database are the caller's."""

    def __init__(
        self,
        store: AuditStore,
        folder: Path,
        replica: str,
        signer: Signer,
        sinks: Sequence[CheckpointSink],
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._folder = folder
        self._replica = replica
        self._signer = signer
        self._sinks = sinks
        self._now_us = now_us
        self._head = Head()
        self._marked = 0
        self._sealed: list[Sealed] = []
        """What was handed to the database, and is not known to be there."""
        self._unexported: deque[Checkpoint] = deque()
        self.name = ""
        self.checkpoints = 0

    def find(self) -> None:
        """Where the last process left it."""
        self.name = self._kept_name()
        known = max(
            (found for sink in self._sinks if (found := sink.newest(self.name))),
            key=lambda found: found.sequence,
            default=None,
        )
        if known is not None and not self._store.holds(self.name, known.head):
            self.begin(f"entry {known.sequence} is not what its exported checkpoint says")
        self._head = self._store.head(self.name)
        self._marked = known.sequence if known is not None else 0

    def find_again(self) -> bool:
        """After a connection was lost. Whether what was handed over last is stored: the answer was lost, the commit was not."""
        head = self._store.head(self.name)
        if self._sealed and head == head_of(self._sealed[-1]):
            self.grown()
            return True
        if head != self._head:
            self.begin(f"it ends at entry {head.sequence} and not at {self._head.sequence}")
            self._head = self._store.head(self.name)
        return False

    def seal(self, entries: Iterable[AuditEntry]) -> Collection[Sealed]:
        """The entries as the next ones; `grown` when they are stored."""
        self._sealed, head = [], self._head
        for entry in entries:
            self._sealed.append(seal(entry, self.name, head))
            head = head_of(self._sealed[-1])
        return self._sealed

    def grown(self) -> None:
        self._head = head_of(self._sealed[-1])
        self._sealed = []

    def begin(self, why: str) -> None:
        before, self.name = self.name, self._new_name()
        self._head, self._marked = Head(), 0
        log.error("a chain of the audit log is not what it was, and another is begun", chain=before, why=why)

    def mark(self) -> None:
        """Signs where the chain stands, if it has grown, and hands out what was not handed out yet."""
        if self._head.sequence > self._marked:
            checkpoint = self._signer.sign(self.name, self._head, self._now_us())
            self._store.add_checkpoint(checkpoint)
            self._marked = self._head.sequence
            self._unexported.append(checkpoint)
            self.checkpoints += 1
        self._export()

    def prune(self, retention: AuditRetention) -> None:
        """All chains of the database, each at a checkpoint."""
        cuts = self._store.prune(self._now_us(), retention, self._signer)
        self._unexported.extend(cuts)
        for cut in cuts:
            log.info("the audit log was cut by retention", chain=cut.chain, sequence=cut.sequence)
        self._export()

    def _export(self) -> None:
        while self._unexported:
            for sink in self._sinks:
                try:
                    sink.export(self._unexported[0])
                except Exception as error:
                    log.error("a checkpoint of the audit log cannot be exported", error=first_line(error))
                    while len(self._unexported) > MOST_UNEXPORTED:
                        self._unexported.popleft()
                    return
            self._unexported.popleft()

    def _kept_name(self) -> str:
        path = self._folder / "chain"
        if path.exists() and (name := path.read_text(encoding="utf-8").strip()):
            return name
        return self._new_name()

    def _new_name(self) -> str:
        name = f"{self._replica[:100]}-{secrets.token_hex(6)}"
        draft = self._folder / ".chain.new"
        draft.write_text(name + "\n", encoding="utf-8")
        draft.replace(self._folder / "chain")
        return name
