"""The recorder of a controller process: made from `--database`, counted in its metrics, drained when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from trueup.records.record import NullRecorder, Recorder
from trueup.records.recorder import DatabaseRecorder, StoreState

DRAIN_SECONDS = 10.0


def make_recorder(database: str) -> Recorder:
    """Empty: nothing is kept. Raises InvalidInput for what is no database."""
    return DatabaseRecorder(database) if database else NullRecorder()


@asynccontextmanager
async def recording(recorder: Recorder, registry: CollectorRegistry) -> AsyncIterator[None]:
    """While the block runs, what is put is stored; at its end what waits is stored first, without holding up the loop."""
    if not isinstance(recorder, DatabaseRecorder):
        yield
        return
    counts = RecordCounts(recorder)
    registry.register(counts)
    recorder.start()
    try:
        yield
    finally:
        await asyncio.shield(asyncio.to_thread(recorder.stop, DRAIN_SECONDS))
        registry.unregister(counts)


class RecordCounts(Collector):
    """The recorder's counts, read when they are asked for."""

    def __init__(self, recorder: DatabaseRecorder) -> None:
        self._recorder = recorder

    def collect(self) -> Iterator[Metric]:
        recorder = self._recorder
        yield CounterMetricFamily("trueup_records_written", "Records stored in the database.", value=recorder.written)
        yield CounterMetricFamily(
            "trueup_records_dropped", "Records lost because the database was away or too slow.", value=recorder.dropped
        )
        working = recorder.state is StoreState.WORKING
        yield GaugeMetricFamily("trueup_records_database_up", "1 while records can be stored.", value=int(working))
