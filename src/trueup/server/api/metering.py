"""Metrics of the API: calls by operation and status, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram

from trueup.server.api.operation import Operation


class Timed:
    status = 500


class Meter:
    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.registry = registry
        self._calls = Counter(
            "trueup_api_requests",
            "Calls of the API by operation and status.",
            ["operation", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "trueup_api_request_seconds",
            "How long calls took that are no streams, in seconds.",
            ["operation"],
            buckets=(0.002, 0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=registry,
        )

    @contextmanager
    def timing(self, operation: Operation) -> Iterator[Timed]:
        timed, began = Timed(), time.perf_counter()
        try:
            yield timed
        finally:
            self._calls.labels(operation.id, str(timed.status)).inc()
            if not operation.streams:
                self._seconds.labels(operation.id).observe(time.perf_counter() - began)
