"""Takes entries at once and has one thread chain and store them, sign checkpoints and apply retention.

An entry that was taken is in the journal before `put` returns, and waits there for as long as the database is away. What
cannot be taken is refused, so that its caller can refuse to change anything.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Self

import structlog
from msgspec import structs
from sqlalchemy import exc

from trueup.records.audit.checkpoints import Signer
from trueup.records.audit.entry import LONGEST_TEXT, AuditEntry, AuditUnavailable
from trueup.records.audit.journal import Journal, not_stored
from trueup.records.audit.ownchain import CheckpointSink, OwnChain
from trueup.records.audit.store import AuditRetention, AuditStore
from trueup.records.database import described, first_line
from trueup.records.waitingline import LineLimits, WaitingLine
from trueup.sync.concealing import conceal_words, concealed_json

log = structlog.get_logger(__name__)

LET_IN = 0.9
"""How full it may be when something new begins: what is under way needs room for its entry."""


class AuditLimits(LineLimits, frozen=True, kw_only=True):
    """Of the entries that wait for the database."""

    batch: int = 500
    gather_seconds: float = 0.02
    first_retry_seconds: float = 0.25
    last_retry_seconds: float = 10.0
    checkpoint_seconds: float = 60.0
    prune_seconds: float = 3600.0


class DatabaseAuditLog:
    """`start` returns at once; `stop` waits for what is queued, for so long, and leaves the rest to the next start.

    `folder` is this replica's own: its journal, its chain's name and, unless it comes from elsewhere, the key.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        signer: Signer,
        *,
        replica: str = "trueup",
        sinks: Sequence[CheckpointSink] = (),
        retention: AuditRetention | None = None,
        limits: AuditLimits | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = AuditStore(url)
        self._chain = OwnChain(self._store, folder, replica, signer, sinks, lambda: int(wall() * 1_000_000))
        self._folder = folder
        self._replica = replica
        self._retention = retention or AuditRetention()
        self._limits = limits or AuditLimits()
        self._line = WaitingLine(self._limits, _size)
        self._mask_key = secrets.token_bytes(32)
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._journal_problem = ""
        self._left_behind = 0
        now = time.monotonic()
        self._checkpoint_at = now + self._limits.checkpoint_seconds
        self._prune_at = now + min(self._limits.prune_seconds, 60.0)
        self._resumed = False
        self.working = False
        self.problem = "it is being opened"
        self.written = 0
        self.refused = 0

    @property
    def chain(self) -> str:
        """Its name; empty until the database answered for the first time."""
        return self._chain.name

    @property
    def checkpoints(self) -> int:
        return self._chain.checkpoints

    def start(self) -> None:
        """Raises InvalidInput when another process has the folder, OSError when it cannot be written."""
        self._journal = Journal(self._folder / "journal.jsonl")
        left = self._journal.read()
        self._line.begin_with(left)
        self._left_behind = len(left)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Blocks until all is stored or the time is up."""
        if self._thread is None:
            return
        self._line.stop(timeout)
        self._thread.join(timeout + 1.0)
        if self._thread.is_alive():
            log.error("the audit log is left to the next start: its database does not answer")
            return  # the thread still holds the journal
        if waiting := len(self._line):
            log.warning("audit entries wait in the journal for the next start", entries=waiting)
        if self._journal is not None:
            self._journal.close()
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raises AuditUnavailable when what happens now could not be stored now."""
        problem = self._journal_problem or self.problem
        if not problem and self._line.is_fuller_than(LET_IN):
            problem = "too many entries wait for the database"
        if problem or self._line.is_stopping:
            raise AuditUnavailable(
                f"the audit log cannot be written: {problem or 'the process is stopping'}",
                hint="see that the records database is reachable and its disk has room, and try again",
            )

    def put(self, entry: AuditEntry) -> None:
        """Never waits for the database. Raises AuditUnavailable when there is no room."""
        entry = without_secrets(entry, self._mask_key, self._replica)
        with self._line.changed:
            if self._journal is None or not self._line.has_room_for(entry):
                self.refused += 1
                raise AuditUnavailable("the audit log has no room: too many entries wait for the database")
            try:
                self._journal.add(entry)
                self._journal_problem = ""
            except OSError as error:
                self._journal_problem = f"its journal: {error.strerror}"  # the entry still waits in memory
            self._line.put(entry)

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until everything that was put is stored."""
        return self._line.flush(timeout)

    # the writer's thread

    def _run(self) -> None:
        try:
            self._line.work(self._step, self._fails)
        finally:
            self._store.close()

    def _step(self) -> bool:
        self._ensure_open()
        if self._line.taken or self._line.take(min(self._checkpoint_at, self._prune_at) - time.monotonic()):
            self._ensure_open()
            self._write()
        elif self._line.is_stopping:
            self._mark()
            return False
        if time.monotonic() >= self._checkpoint_at:
            self._mark()
        if time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + self._limits.prune_seconds
            self._chain.prune(self._retention)
        return True

    def _ensure_open(self) -> None:
        if self._store.is_open and not self._store.is_current():
            log.error("the database of the audit log was removed", database=described(self._store.url))
            self._store.close()
        if not self._store.is_open:
            self._store.open()
            self._resume()
            if not self._line.taken:  # else only what is written proves it
                self._works()

    def _resume(self) -> None:
        if not self._resumed:
            self._chain.find()
            self._drop_stored()
            self._resumed = True
        elif self._chain.find_again():
            self._stored()

    def _drop_stored(self) -> None:
        """Of what the last process left in the journal, what it had stored."""
        with self._line.changed:
            left = list(islice(self._line.waiting, self._left_behind))
            waiting = not_stored(left, self._store.last(self.chain, len(left))) if left else []
            self._line.begin_with([*waiting, *islice(self._line.waiting, self._left_behind, None)])
            if left:
                log.info("audit entries of the last run are stored now", entries=len(waiting))
            self._tidy_journal(force=True)

    def _write(self) -> None:
        try:
            self._store.append(self._chain.seal(self._line.taken))
        except exc.IntegrityError:
            self._chain.begin("somebody else wrote into it")
            return
        self._chain.grown()
        self._stored()

    def _stored(self) -> None:
        """All that was taken is."""
        self.written += len(self._line.taken)
        self._works()  # before anybody who waits hears of it
        with self._line.changed:
            self._line.done(len(self._line.taken))
            self._tidy_journal()

    def _tidy_journal(self, *, force: bool = False) -> None:
        assert self._journal is not None
        if force or not self._line.waiting or self._journal.is_large:
            try:
                self._journal.clear(self._line.waiting)
                self._journal_problem = ""
            except OSError as error:
                self._journal_problem = f"its journal: {error.strerror}"

    def _mark(self) -> None:
        self._checkpoint_at = time.monotonic() + self._limits.checkpoint_seconds
        self._chain.mark()

    def _works(self) -> None:
        if not self.working and self.written:
            log.info("audit entries are stored again", database=described(self._store.url))
        self.working, self.problem = True, ""

    def _fails(self, error: Exception) -> None:
        self.problem = first_line(error)
        if self.working or not self._resumed:
            log.error("audit entries cannot be stored", database=described(self._store.url), error=self.problem)
        self.working = False
        self._store.close()


def without_secrets(entry: AuditEntry, key: bytes, replica: str) -> AuditEntry:
    """Whoever told it may have masked already; here nothing passes that was forgotten."""
    return structs.replace(
        entry,
        target=conceal_words(entry.target[:LONGEST_TEXT], key),
        message=conceal_words(entry.message[:LONGEST_TEXT], key),
        before=concealed_json(entry.before, key),
        after=concealed_json(entry.after, key),
        replica=entry.replica or replica,
    )


def _size(entry: AuditEntry) -> int:
    return 200 + len(entry.before) + len(entry.after) + len(entry.message) + len(entry.target)
