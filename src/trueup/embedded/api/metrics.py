"""The request counts and times that `/metrics` shows, under kube-apiserver's own names and labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from trueup.embedded.api.target import Target

_METHODS = {"create": "POST", "update": "PUT"}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_SERIES = 5_000
_COMPONENT = "apiserver"
_ABOUT = ("group", "version", "resource", "subresource", "scope", "component")


class Metrics:
    """One server's metrics, in a registry of their own: tests run several servers in a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seen: set[tuple[str, ...]] = set()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "apiserver_request_total",
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, "
            "component, and HTTP response code.",
            ("verb", *_ABOUT, "code", "dry_run"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds; watches are not counted.",
            ("verb", *_ABOUT, "dry_run"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self._running = Gauge(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests.",
            ("verb", *_ABOUT),
            registry=self._registry,
        )
        self._inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Requests that are being answered now, by kind; watches are not counted.",
            ("request_kind",),
            registry=self._registry,
        )

    def long_running(self, verb: str, target: Target, scope: str) -> Gauge:
        """The gauge of one kind of watch or log."""
        about = (target.group, target.version, target.resource, target.subresource, scope, _COMPONENT)
        return self._running.labels(verb, *about)

    def in_flight(self, verb: str) -> Gauge:
        """The gauge of reads or of writes."""
        is_read = verb in ("get", "list", "watch", "head", "options")
        return self._inflight.labels("readOnly" if is_read else "mutating")

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
        about = (group, version, resource, subresource, scope, _COMPONENT)
        if (shown, *about) not in self._seen:
            if len(self._seen) >= MOST_SERIES:  # paths are the clients' to invent: their names must not fill the memory
                about = ("", "", "", "", scope, _COMPONENT)
            self._seen.add((shown, *about))
        dry = "All" if dry_run else ""
        self._requests.labels(shown, *about, str(code), dry).inc()
        if verb != "watch":
            self._seconds.labels(shown, *about, dry).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)
