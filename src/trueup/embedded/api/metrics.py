"""The request counts and times that `/metrics` shows, under kube-apiserver's own names."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_METHODS = {"create": "POST", "update": "PUT"}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One server's metrics, in a registry of their own: tests run several servers in a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("verb", "group", "version", "resource", "subresource", "scope", "component", "code", "dry_run")
        self._requests = Counter(
            "apiserver_request_total", "Requests by verb, resource and code.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Response times by verb and resource; watches are not counted.",
            ("verb", "group", "version", "resource", "subresource"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self.watches = Gauge(
            "apiserver_longrunning_requests", "Watches that are open.", ("verb", "resource"), registry=self._registry
        )

    def observe(
        self,
        verb: str,
        group: str,
        version: str,
        resource: str,
        subresource: str,
        scope: str,
        code: int,
        seconds: float,
        *,
        dry_run: bool,
    ) -> None:
        """Counts one finished request. `verb` is the API's (`APPLY` and `PATCH` apart); `resource` empty for other paths."""
        shown = _METHODS.get(verb, verb.upper())
        self._requests.labels(
            shown, group, version, resource, subresource, scope, "apiserver", str(code), "All" if dry_run else ""
        ).inc()
        if verb != "watch":
            self._seconds.labels(shown, group, version, resource, subresource).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)
