"""The table of the controller's metrics, read from the registries that serve them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from docs.parts.tables import table
from trueup.cli.auditing import AuditCounts
from trueup.cli.recording import RecordCounts
from trueup.controllers.metrics import Metrics
from trueup.records.audit.checkpoints import Signer
from trueup.records.audit.log import DatabaseAuditLog
from trueup.records.recorder import DatabaseRecorder
from trueup.server.api.metering import Meter
from trueup.server.measures import SizeCounts, Sizes


def rows() -> list[tuple[str, str, str, str]]:
    """Name, type, labels, meaning."""
    found = []
    for metric in vars(Metrics()).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        name = metric._name + ("_total" if isinstance(metric, Counter) else "")
        kind = next(word for type_, word in _WORDS.items() if isinstance(metric, type_))
        found.append((name, kind, ", ".join(metric._labelnames), metric._documentation))
    nowhere = "sqlite:////nowhere/trueup.db"
    audit = DatabaseAuditLog(nowhere, Path("/nowhere"), Signer(Ed25519PrivateKey.generate()))
    for family in (*RecordCounts(DatabaseRecorder(nowhere)).collect(), *AuditCounts(audit).collect()):
        suffix = "_total" if family.type == "counter" else ""
        labels = "destination" if family.name == "trueup_audit_shipped" else ""
        found.append((family.name + suffix, family.type, labels, family.documentation))
    return found


def server_rows() -> list[tuple[str, str, str, str]]:
    meter = Meter()
    nothing = Sizes(apps=int, sources=int, streams=int, controllers=dict)
    families = [*meter.registry.collect(), *SizeCounts(nothing).collect()]
    labels = {"trueup_api_requests": "operation, status", "trueup_api_request_seconds": "operation"}
    labels |= {"trueup_server_controller_followed": "controller"}
    suffix = {"counter": "_total"}
    return [
        (one.name + suffix.get(one.type, ""), one.type, labels.get(one.name, ""), one.documentation) for one in families
    ]


_WORDS: dict[type, str] = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


def table_text() -> str:
    return _text(rows())


def server_text() -> str:
    return _text(server_rows())


def _text(found: list[tuple[str, str, str, str]]) -> str:
    cells = [[f"`{name}`", kind, f"`{labels}`" if labels else "", text] for name, kind, labels, text in found]
    return table(["Metric", "Type", "Labels", "Meaning"], cells)
