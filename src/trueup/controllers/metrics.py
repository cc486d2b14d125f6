"""The controller's Prometheus metrics. Names are a public interface: docs/reference/metrics.md is checked against them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """One registry per controller, so that tests and several controllers in a process do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Histogram(
            "trueup_reconcile_duration_seconds",
            "Time of one look at an App or a source, by what was done.",
            ("kind", "step"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.syncs = Counter(
            "trueup_sync_total", "Executed syncs by result.", ("dialect", "result"), registry=self.registry
        )
        self.changes = Counter(
            "trueup_object_changes_total", "Objects by what a sync did to them.", ("action",), registry=self.registry
        )
        self.renders = Counter(
            "trueup_renders_total", "Builds by where they came from.", ("result",), registry=self.registry
        )
        self.cache_bytes = Gauge(
            "trueup_render_cache_bytes", "Bytes of kept builds on this disk, as last counted.", registry=self.registry
        )
        self.cache_limit = Gauge(
            "trueup_render_cache_limit_bytes", "What the kept builds may take.", registry=self.registry
        )
        self.source_bytes = Gauge(
            "trueup_source_bytes",
            "Bytes of what was fetched (mirrors; content of all but Git; artifacts to serve), as last counted.",
            ("store",),
            registry=self.registry,
        )
        self.source_limit = Gauge(
            "trueup_source_limit_bytes", "What all that was fetched may take.", registry=self.registry
        )
        self.drift = Counter(
            "trueup_drift_healed_total", "Objects brought back by drift healing.", ("dialect",), registry=self.registry
        )
        self.heal_seconds = Histogram(
            "trueup_drift_heal_seconds",
            "From the watch event to the answer of the healing apply.",
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.fights = Counter("trueup_drift_fights_total", "Times that healing was held back.", registry=self.registry)
        self.requests = Counter(
            "trueup_kubernetes_requests_total",
            "Requests to the Kubernetes API.",
            ("verb", "resource", "code"),
            registry=self.registry,
        )
        self.status_writes = Counter(
            "trueup_status_writes_total", "Status patches by why.", ("why",), registry=self.registry
        )
        self.polls = Counter("trueup_source_polls_total", "Polls by result.", ("result",), registry=self.registry)
        self.queue = Gauge("trueup_queue_length", "Keys due and not worked on.", ("queue",), registry=self.registry)
        self.apps = Gauge("trueup_apps", "Apps by kind and state.", ("kind", "state"), registry=self.registry)
        self.leader = Gauge("trueup_leader", "1 while this process holds the Lease.", registry=self.registry)
