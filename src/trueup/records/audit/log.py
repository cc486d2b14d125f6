"""Takes entries at once and has one thread chain and store them, sign checkpoints and apply retention.

An entry that was taken is in the journal before `put` returns, and waits there for as long as the database is away. What
cannot be taken is refused, so that its caller can refuse to change anything.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self

import structlog
from msgspec import Struct, structs
from sqlalchemy import exc

from trueup.records.audit.chain import Head, Sealed, head_of, seal
from trueup.records.audit.checkpoints import Checkpoint, Signer
from trueup.records.audit.entry import LONGEST_TEXT, AuditEntry, AuditUnavailable
from trueup.records.audit.journal import Journal, not_stored
from trueup.records.audit.store import AuditRetention, AuditStore
from trueup.records.database import described
from trueup.sync.concealing import conceal_words, concealed_json

log = structlog.get_logger(__name__)

LET_IN = 0.9
"""How full it may be when something new begins: what is under way needs room for its entry."""


class CheckpointSink(Protocol):
    """A place besides the database. Raises OSError or TrueupError when it does not take it now; it is asked again."""

    def export(self, checkpoint: Checkpoint) -> None: ...

    def newest(self, chain: str) -> Checkpoint | None:
        """The last one of a chain that it was given, if it can tell."""
        ...


class AuditLimits(Struct, frozen=True, kw_only=True):
    waiting: int = 10_000
    """Entries that may wait for the database."""
    size: int = 64 * 1024 * 1024
    """Bytes of them."""
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
        self._folder = folder
        self._signer = signer
        self._replica = replica
        self._sinks = sinks
        self._retention = retention or AuditRetention()
        self._limits = limits or AuditLimits()
        self._wall = wall
        self._queue: deque[AuditEntry] = deque()
        self._mask_key = secrets.token_bytes(32)
        self._size = 0
        self._taken: list[AuditEntry] = []
        self._sealed: list[Sealed] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._give_up_at: float | None = None
        self._journal: Journal | None = None
        self._journal_problem = ""
        self._head = Head()
        self._marked = 0
        self._unexported: deque[Checkpoint] = deque()
        now = time.monotonic()
        self._checkpoint_at = now + self._limits.checkpoint_seconds
        self._prune_at = now + min(self._limits.prune_seconds, 60.0)
        self._resumed = False
        self.chain = ""
        self.working = False
        self.problem = "it is being opened"
        self.written = 0
        self.refused = 0
        self.checkpoints = 0

    def start(self) -> None:
        """Raises InvalidInput when another process has the folder, OSError when it cannot be written."""
        self._journal = Journal(self._folder / "journal.jsonl")
        left = self._journal.read()
        self._queue.extend(left)
        self._size = sum(map(_size, left))
        self._left_behind = len(left)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Blocks until all is stored or the time is up."""
        if self._thread is None:
            return
        with self._changed:
            self._stopping = True
            self._give_up_at = time.monotonic() + timeout
            self._changed.notify_all()
        self._thread.join(timeout + 1.0)
        if self._thread.is_alive():
            log.error("the audit log is left to the next start: its database does not answer")
            return  # the thread still holds the journal
        if waiting := len(self._queue) + len(self._taken):
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
        problem = self._journal_problem or ("" if self.working else self.problem)
        waiting, size = self._limits.waiting, self._limits.size
        # What is under way was let in before, and its entry has yet to find room.
        if not problem and (len(self._queue) >= waiting * LET_IN or self._size >= size * LET_IN):
            problem = "too many entries wait for the database"
        if problem or self._stopping:
            raise AuditUnavailable(
                f"the audit log cannot be written: {problem or 'the process is stopping'}",
                hint="see that the records database is reachable and its disk has room, and try again",
            )

    def put(self, entry: AuditEntry) -> None:
        """Never waits for the database. Raises AuditUnavailable when there is no room."""
        entry = without_secrets(entry, self._mask_key, self._replica)
        size = _size(entry)
        with self._changed:
            full = len(self._queue) >= self._limits.waiting or (self._queue and self._size + size > self._limits.size)
            if full or self._stopping or self._journal is None:
                self.refused += 1
                raise AuditUnavailable("the audit log has no room: too many entries wait for the database")
            try:
                self._journal.add(entry)
                self._journal_problem = ""
            except OSError as error:
                self._journal_problem = f"its journal: {error.strerror}"  # the entry still waits in memory
            self._queue.append(entry)
            self._size += size
            if len(self._queue) == 1 or len(self._queue) == self._limits.batch:
                self._changed.notify_all()

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits until everything that was put is stored."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._taken, timeout)

    # the writer's thread

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._store.close()

    def _work(self) -> None:
        delay = self._limits.first_retry_seconds
        while True:
            try:
                self._ensure_open()
                if not self._taken and not self._take():
                    if self._stopping:
                        self._mark()
                        return
                else:
                    self._ensure_open()
                    self._write()
                if time.monotonic() >= self._checkpoint_at:
                    self._mark()
                self._prune_when_due()
                delay = self._limits.first_retry_seconds
            except Exception as error:
                self._fails(error)
                if not self._pause(delay):
                    return
                delay = min(delay * 2, self._limits.last_retry_seconds)

    def _ensure_open(self) -> None:
        if self._store.is_open and not self._store.is_current():
            log.error("the database of the audit log was removed", database=described(self._store.url))
            self._store.close()
        if not self._store.is_open:
            self._store.open()
            self._resume()
            if not self._taken:  # else only what is written proves it
                self._works()

    def _resume(self) -> None:
        """Finds where the chain stands; a chain that is not what we know of it is left as evidence, and another begun."""
        if not self._resumed:
            self.chain = self._chain_name()
            known = max(
                (found for sink in self._sinks if (found := sink.newest(self.chain))),
                key=lambda found: found.sequence,
                default=None,
            )
            if known is not None and not self._store.holds(self.chain, known.head):
                self._begin_chain(f"entry {known.sequence} is not what its exported checkpoint says")
            self._head = self._store.head(self.chain)
            self._marked = known.sequence if known is not None else 0
            self._drop_stored()
            self._resumed = True
            return
        head = self._store.head(self.chain)
        if self._sealed and head == head_of(self._sealed[-1]):
            self._stored()  # the answer to our commit was lost, the commit was not
        elif head != self._head:
            self._begin_chain(f"it ends at entry {head.sequence} and not at {self._head.sequence}")
            self._head = self._store.head(self.chain)

    def _drop_stored(self) -> None:
        """Of what the last process left in the journal, what it had stored."""
        with self._changed:
            left = [self._queue.popleft() for _ in range(self._left_behind)]
            waiting = not_stored(left, self._store.last(self.chain, len(left))) if left else []
            self._queue.extendleft(reversed(waiting))
            self._size = sum(map(_size, self._queue))
            if left:
                log.info("audit entries of the last run are stored now", entries=len(waiting))
            self._tidy_journal(force=True)

    def _take(self) -> bool:
        """The next batch; False: there is none yet, or the process stops and nothing is left."""
        with self._changed:
            due = min(self._checkpoint_at, self._prune_at) - time.monotonic()
            self._changed.wait_for(lambda: self._queue or self._stopping, max(due, 0.0))
            if self._queue:
                full = self._limits.batch
                self._changed.wait_for(lambda: len(self._queue) >= full or self._stopping, self._limits.gather_seconds)
            self._taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._limits.batch))]
            self._size -= sum(map(_size, self._taken))
            return bool(self._taken)

    def _write(self) -> None:
        self._sealed, head = [], self._head
        for entry in self._taken:
            self._sealed.append(seal(entry, self.chain, head))
            head = head_of(self._sealed[-1])
        try:
            self._store.append(self._sealed)
        except exc.IntegrityError:
            self._begin_chain("somebody else wrote into it")
            return
        self._stored()

    def _stored(self) -> None:
        self._head = head_of(self._sealed[-1])
        self.written += len(self._sealed)
        self._sealed = []
        self._works()  # before anybody who waits hears of it
        with self._changed:
            self._taken = []
            self._tidy_journal()
            self._changed.notify_all()

    def _tidy_journal(self, *, force: bool = False) -> None:
        assert self._journal is not None
        if force or not self._queue or self._journal.is_large:
            try:
                self._journal.clear(self._queue)
                self._journal_problem = ""
            except OSError as error:
                self._journal_problem = f"its journal: {error.strerror}"

    def _mark(self) -> None:
        """Signs where the chain stands, if it has grown, and hands out what was not handed out yet."""
        self._checkpoint_at = time.monotonic() + self._limits.checkpoint_seconds
        if self._head.sequence > self._marked:
            checkpoint = self._signer.sign(self.chain, self._head, self._now_us())
            self._store.add_checkpoint(checkpoint)
            self._marked = self._head.sequence
            self._unexported.append(checkpoint)
            self.checkpoints += 1
        self._export()

    def _export(self) -> None:
        while self._unexported:
            for sink in self._sinks:
                try:
                    sink.export(self._unexported[0])
                except Exception as error:
                    log.error("a checkpoint of the audit log cannot be exported", error=_first_line(error))
                    while len(self._unexported) > 1000:
                        self._unexported.popleft()
                    return
            self._unexported.popleft()

    def _prune_when_due(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + self._limits.prune_seconds
        cuts = self._store.prune(self._now_us(), self._retention, self._signer)
        self._unexported.extend(cuts)
        for cut in cuts:
            log.info("the audit log was cut by retention", chain=cut.chain, sequence=cut.sequence)
        self._export()

    def _chain_name(self) -> str:
        path = self._folder / "chain"
        if path.exists() and (name := path.read_text(encoding="utf-8").strip()):
            return name
        return self._new_chain()

    def _new_chain(self) -> str:
        name = f"{self._replica[:100]}-{secrets.token_hex(6)}"
        draft = self._folder / ".chain.new"
        draft.write_text(name + "\n", encoding="utf-8")
        draft.replace(self._folder / "chain")
        return name

    def _begin_chain(self, why: str) -> None:
        before, self.chain = self.chain, self._new_chain()
        self._head, self._marked = Head(), 0
        log.error("a chain of the audit log is not what it was, and another is begun", chain=before, why=why)

    def _pause(self, seconds: float) -> bool:
        """Waits before the next try; False when the process stops and its patience has ended."""
        with self._changed:
            if self._give_up_at is not None:
                seconds = min(seconds, 0.2, self._give_up_at - time.monotonic())
            if seconds > 0:
                stopping = self._stopping
                self._changed.wait_for(lambda: self._stopping and not stopping, seconds)
            return self._give_up_at is None or time.monotonic() < self._give_up_at

    def _works(self) -> None:
        if not self.working and self.written:
            log.info("audit entries are stored again", database=described(self._store.url))
        self.working, self.problem = True, ""

    def _fails(self, error: Exception) -> None:
        self.problem = _first_line(error)
        if self.working or not self._resumed:
            log.error("audit entries cannot be stored", database=described(self._store.url), error=self.problem)
        self.working = False
        self._store.close()

    def _now_us(self) -> int:
        return int(self._wall() * 1_000_000)


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


def _first_line(error: BaseException) -> str:
    """SQLAlchemy appends the statement and its values, which are nobody's business."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().split("\n", 1)[0] or type(error).__name__
