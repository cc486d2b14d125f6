"""One controller process: waits for the Lease, works while it is held (`controllers.term`), and begins anew when not.

Everything that the loops know belongs to one term of the Lease; what outlives it is on disk (mirrors, render cache,
state folder) or in the cluster.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import structlog
from prometheus_client import generate_latest

from trueup.apps.comparison import (
    ChartWish,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    Impact,
    ImpactWish,
)
from trueup.apps.objects.asks import LogsWish, ObjectsWish, Told
from trueup.apps.objects.podlogs import LogLine
from trueup.apps.objects.refusals import NotAtWork
from trueup.apps.probe import Probe, ProbeWish
from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig
from trueup.cluster.lease import ClusterLeases, Lease, Term
from trueup.cluster.sharedtoken import ensure_token
from trueup.controllers.identity import own_identity
from trueup.controllers.metrics import Metrics
from trueup.controllers.pauses import short_pauses
from trueup.controllers.sourcereport import Packer
from trueup.controllers.term import ControllerOptions, Setup, WorkingTerm, utc_now
from trueup.dialects.dialect import Dialect
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed, LeaseLost
from trueup.model.news import News, NewsKind
from trueup.model.releaserecord import ChartAbout
from trueup.records.record import Recorder
from trueup.render.engine.pool import EnginePool

__all__ = ["LEASE", "Controller", "ControllerOptions", "utc_now"]

log = structlog.get_logger(__name__)

LEASE = "trueup-controller"


class Controller:
    """`run` is the process; the rest answers the HTTP side."""

    def __init__(
        self,
        config: ClusterConfig,
        dialects: tuple[Dialect, ...],
        options: ControllerOptions,
        recorder: Recorder,
        *,
        packer: Packer | None = None,
    ) -> None:
        self._config = config
        self._options = options
        self.metrics = Metrics()
        self._setup = Setup(dialects=dialects, options=options, recorder=recorder, packer=packer, metrics=self.metrics)
        self._present: WorkingTerm | None = None
        self._synced = False
        self._problem = "it has not reached the cluster yet"
        self._internal_token = options.internal_token

    async def run(self) -> None:
        """Until cancelled. A lost Lease or cluster begins a new term; nothing of the old one goes on."""
        options = self._options
        with own_identity(options.state_dir) as identity, short_pauses():
            await self._terms(identity)

    async def _terms(self, identity: str) -> None:
        options = self._options
        async with (
            EnginePool() as engines,
            KubeClient(
                self._config, max_in_flight=options.requests_in_flight, on_request=self._count_request
            ) as client,
        ):
            while True:
                lease = Lease(ClusterLeases(client), LEASE, options.namespace, identity)
                try:
                    self._problem = f"another process holds the Lease {options.namespace}/{LEASE}"
                    async with lease.hold() as term:
                        self.metrics.leader.set(1)
                        await self._term(client, term, engines)
                except* LeaseLost as lost:
                    log.warning("term ended", why=str(lost.exceptions[0]))
                except* (ApiError, ClusterUnreachable, KindNotServed) as failed:
                    self._problem = str(failed.exceptions[0])
                    log.warning("the cluster cannot be worked on yet", error=self._problem)
                finally:
                    self.metrics.leader.set(0)
                    self._present, self._synced = None, False
                await asyncio.sleep(1.0)

    # for the HTTP side

    def alive(self) -> list[str]:
        return []

    def ready(self) -> list[str]:
        return [] if self._synced else [self._problem]

    def exposition(self) -> bytes:
        """Counts that are a look at the moment are taken at the moment."""
        metrics = self.metrics
        metrics.apps.clear()
        if self._present is not None:
            apps = Counter((memory.ref.kind, memory.saved.state) for memory in self._present.memories.values())
            for (kind, state), count in apps.items():
                metrics.apps.labels(kind, state.value).set(count)
            metrics.queue.labels("apps").set(len(self._present.apps.queue))
            metrics.queue.labels("sources").set(len(self._present.sources.queue))
        return generate_latest(metrics.registry)

    async def pushed(self, url: str) -> int:
        """How many sources a push notice woke."""
        return await self.heard(News(kind=NewsKind.GIT, urls=(url,)))

    async def heard(self, news: News) -> int:
        """How many sources a webhook's news woke."""
        return self._present.sources.heard(news) if self._present is not None else 0

    async def webhook_secrets(self) -> dict[str, str]:
        """The secrets by which webhooks are proved, as they are now; none while there is no term."""
        return await self._present.webhooks.read() if self._present is not None else {}

    def trees(self, since: str) -> AsyncGenerator[bytes] | None:
        """The stream of live trees (`apps.livetree`); None while another process has the Lease, or none."""
        return self._present.trees.lines(since) if self._present is not None else None

    async def compare(self, wish: CompareWish) -> Comparison:
        """What a sync of an App would do. Raises NotAtWork while another process has the Lease, or none."""
        return await self._at_work().comparing.compare(wish)

    async def impact(self, wish: ImpactWish) -> Impact:
        """Which Apps a revision of a source concerns. Raises as `compare`."""
        present = self._at_work()
        return await present.comparing.impact(wish, present.apps.readers)

    async def objects(self, wish: ObjectsWish) -> Told:
        """Something done with an object of an App, wherever it lives. Raises as `compare`."""
        return await self._at_work().objects.do(wish)

    async def logs(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        """Logs of an App's pods, wherever they run. Raises as `compare`."""
        return await self._at_work().objects.logs(wish)

    async def commits(self, wish: CommitsWish) -> Commits:
        """Who made revisions of an App's source. Raises as `compare`."""
        return await self._at_work().comparing.commits(wish)

    async def chart(self, wish: ChartWish) -> ChartAbout:
        """What a chart of an App says of itself. Raises as `compare`."""
        return await self._at_work().comparing.chart(wish)

    async def probe(self, wish: ProbeWish) -> Probe:
        """Whether a registered repository or cluster answers. Raises as `compare`."""
        return await self._at_work().probing.probe(wish)

    def _at_work(self) -> WorkingTerm:
        if self._present is None:
            raise NotAtWork("this process is not at work", hint="ask the controller that has the Lease")
        return self._present

    async def internal_token(self) -> str:
        """By which our own servers are known; empty while there is none."""
        return self._internal_token

    # one term

    async def _term(self, client: KubeClient, term: Term, engines: EnginePool) -> None:
        if not self._internal_token:
            self._internal_token = await ensure_token(client.guarded(term), self._options.namespace)
        async with AsyncExitStack() as stack:
            working = WorkingTerm(self._setup, client.guarded(term), engines, stack, lambda: self._is_synced(working))
            await working.run()

    def _count_request(self, verb: str, resource: str, code: int, seconds: float) -> None:
        del seconds
        self.metrics.requests.labels(verb, resource, str(code)).inc()

    def _is_synced(self, term: WorkingTerm) -> None:
        self._present, self._synced, self._problem = term, True, ""
