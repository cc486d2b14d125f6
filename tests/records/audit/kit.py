"""Entries to keep, and logs to keep them in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from trueup.records.audit.chain import Head, Sealed, head_of, seal
from trueup.records.audit.checkpoints import Signer, load_signer
from trueup.records.audit.entry import AuditEntry
from trueup.records.audit.exporting import FileSink
from trueup.records.audit.log import AuditLimits, DatabaseAuditLog
from trueup.records.audit.reading import AuditHistory
from trueup.records.audit.verifying import Verdict, verify
from trueup.records.database import open_writer, parse_url

START = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
QUICK = AuditLimits(gather_seconds=0.0, first_retry_seconds=0.02, last_retry_seconds=0.05)


def entry(number: int = 0, **fields: Any) -> AuditEntry:
    """The `number`th entry: a second after the one before."""
    given: dict[str, Any] = {
        "at": START + timedelta(seconds=number),
        "actor": "somchai",
        "via": "session",
        "address": "192.0.2.7",
        "action": "apps.sync",
        "target": "Kustomization/shop/web",
        "project": "shop",
        "message": f"change {number}",
        "before": '{"replicas":2}',
        "after": '{"replicas":3}',
        "revision": f"main@sha1:{number:040x}",
        "request_id": f"request-{number}",
    }
    return AuditEntry(**(given | fields))


def chained(count: int, chain: str = "one", after: Head | None = None) -> list[Sealed]:
    head, found = after or Head(), []
    for number in range(count):
        found.append(seal(entry(number), chain, head))
        head = head_of(found[-1])
    return found


class Kept:
    """One replica's log with its folder, key and exported checkpoints."""

    def __init__(self, url: str, folder: Path, replica: str = "one", **more: Any) -> None:
        self.url = url
        self.folder = folder
        self.signer: Signer = load_signer(folder / "signing.key")
        self.sink = FileSink(folder / "checkpoints.jsonl")
        given: dict[str, Any] = {"limits": QUICK, "sinks": (self.sink,)} | more
        self.log = DatabaseAuditLog(url, folder, self.signer, replica=replica, **given)

    def __enter__(self) -> DatabaseAuditLog:
        self.log.start()
        return self.log

    def __exit__(self, *_: object) -> None:
        self.log.stop()


def verdicts(url: str, *kept: Kept) -> list[Verdict]:
    """Every chain that the database or the exported checkpoints know, verified."""
    keys = {one.signer.name: one.signer.public for one in kept}
    outside = [checkpoint for one in kept for checkpoint in one.sink.read()]
    with AuditHistory(url) as history:
        names = sorted({*history.chains(), *(checkpoint.chain for checkpoint in outside)})
        return [
            verify(
                name,
                history.walk_chain(name),
                history.checkpoints(name),
                [checkpoint for checkpoint in outside if checkpoint.chain == name],
                keys,
            )
            for name in names
        ]


def tamper(url: str, *statements: str) -> None:
    """What somebody does who has the database and no key."""
    engine = open_writer(parse_url(url))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
