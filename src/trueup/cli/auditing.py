"""The audit log of a controller or server process: made from its options, counted in its metrics, told to its recorder."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from trueup.apps.times import utc_now
from trueup.records.audit.deriving import AuditingRecorder
from trueup.records.audit.entry import AuditEntry, AuditUnavailable
from trueup.records.audit.log import DatabaseAuditLog
from trueup.records.audit.service import AuditService
from trueup.records.audit.settings import read_settings
from trueup.records.audit.shipping import Shipper
from trueup.records.record import Recorder
from trueup.server.webhooks.receiver import Answer

AuditSettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--audit-settings",
        envvar="TRUEUP_AUDIT_SETTINGS",
        help="File with the audit log's destinations and retention.",
    ),
]
AuditKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--audit-key",
        envvar="TRUEUP_AUDIT_KEY",
        help="Ed25519 key in PEM that signs the audit log's checkpoints; default: made in the state folder.",
    ),
]


def make_audit(database: str, state: Path, settings: Path | None, key: Path | None) -> AuditService | None:
    """None: without a database there is no audit log. Raises InvalidInput."""
    if not database:
        return None
    return AuditService(database, state, read_settings(settings) if settings is not None else None, key)


def told(recorder: Recorder, audit: AuditService | None) -> Recorder:
    """The recorder that tells the audit log, too."""
    return AuditingRecorder(recorder, audit.log) if audit is not None else recorder


@asynccontextmanager
async def auditing(audit: AuditService | None, registry: CollectorRegistry) -> AsyncIterator[None]:
    """While the block runs, what is put is stored and shipped."""
    if audit is None:
        yield
        return
    counts = AuditCounts(audit.log, lambda: audit.shippers)
    registry.register(counts)
    try:
        async with audit.running():
            yield
    finally:
        registry.unregister(counts)


class AuditCounts(Collector):
    """The log's counts, read when they are asked for."""

    def __init__(self, log: DatabaseAuditLog, shippers: Callable[[], Sequence[Shipper]] = tuple) -> None:
        self._log = log
        self._shippers = shippers

    def collect(self) -> Iterator[Metric]:
        log = self._log
        yield CounterMetricFamily("trueup_audit_entries", "Audit entries stored in the database.", value=log.written)
        yield CounterMetricFamily(
            "trueup_audit_refused", "Audit entries that there was no room for.", value=log.refused
        )
        yield CounterMetricFamily(
            "trueup_audit_checkpoints", "Signed checkpoints of the audit log.", value=log.checkpoints
        )
        yield GaugeMetricFamily("trueup_audit_up", "1 while audit entries can be stored.", value=int(log.working))
        shipped = CounterMetricFamily(
            "trueup_audit_shipped", "Audit entries that a destination has taken.", labels=["destination"]
        )
        for one in self._shippers():
            shipped.add_metric([one.name], one.shipped)
        yield shipped


def webhook_noted(audit: AuditService | None) -> Callable[[Answer], None]:
    """Tells the audit log of each delivery that was proved and taken. One that was refused stands in the log of the process:
    strangers must not be able to fill this one."""

    def note(answer: Answer) -> None:
        if audit is None:
            return
        entry = AuditEntry(
            at=utc_now(),
            actor=f"webhook:{answer.provider}",
            via="webhook",
            address=answer.address,
            action="webhook.receive",
            target=", ".join(answer.news[:20]),
            message=f"woke {answer.sources} sources",
        )
        with contextlib.suppress(AuditUnavailable):
            audit.log.put(entry)

    return note
