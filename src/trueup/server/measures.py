"""The server's own metrics, on a port of their own: for Prometheus, not for people, and without a login as everywhere in a cluster.

Names are a public interface: docs/reference/metrics.md is checked against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aiohttp import web
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Sizes(Struct, frozen=True, kw_only=True):
    """Functions that count what there is now. `stale`: controllers whose live trees are old."""

    apps: Callable[[], int]
    sources: Callable[[], int]
    streams: Callable[[], int]
    controllers: Callable[[], Mapping[str, bool]]
    """By name, whether its live trees are followed."""


class SizeCounts(Collector):
    """Counted when somebody asks, so counting costs nothing else."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes

    def collect(self) -> Iterator[Metric]:
        sizes = self._sizes
        yield GaugeMetricFamily("trueup_server_apps", "Apps that the server knows.", sizes.apps())
        yield GaugeMetricFamily("trueup_server_sources", "Sources that the server knows.", sizes.sources())
        yield GaugeMetricFamily("trueup_server_streams", "Streams that people follow now.", sizes.streams())
        followed = GaugeMetricFamily(
            "trueup_server_controller_followed",
            "1 while the live trees of a controller are followed, 0 while they are as old as the last word of it.",
            labels=("controller",),
        )
        for name, is_followed in sizes.controllers().items():
            followed.add_metric((name,), float(is_followed))
        yield followed


def measuring(registry: CollectorRegistry) -> web.Application:
    """An application that serves `/metrics` and `/healthz`, and nothing else."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    return app
