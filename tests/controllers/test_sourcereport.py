"""What a source's resource is told: news once, and nothing again after a restart that brought none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from tests.controllers.room import Commit
from tests.dialects.kit import merged
from trueup.controllers.events import Event, EventWriter
from trueup.controllers.feeds import Feed
from trueup.controllers.sourcereport import SourceReporter
from trueup.controllers.status import StatusWriter
from trueup.dialects.flux.dialect import FluxDialect
from trueup.model.errors import SourceError
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef
from trueup.model.snapshot import Details
from trueup.model.source import GitReference, GitSource
from trueup.sources.treesnapshot import TreeSnapshot

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


class Cluster:
    """Holds one GitRepository; writes its status and gathers Events."""

    def __init__(self) -> None:
        self.obj: Manifest = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "fleet", "namespace": "flux-system", "generation": 1},
            "spec": {"url": "https://example.com/fleet.git", "interval": "1m"},
        }
        self.events: list[Event] = []
        self.writes = 0

    async def write(self, ref: ObjectRef, make: Any) -> bool:
        patch = make(self.obj)
        if patch is not None:
            self.obj = merged(self.obj, patch.body)
            self.writes += 1
        return True

    def emit(self, obj: Manifest, event: Event) -> None:
        self.events.append(event)

    def reporter(self) -> SourceReporter:
        return SourceReporter(cast("StatusWriter", self), cast("EventWriter", self), lambda: NOW, "http://localhost")

    def feed(self, name: str = "a") -> Feed:
        """As a process that has just fetched knows it."""
        snapshot = Commit(name)
        snapshot.details = Details()  # type: ignore[attr-defined]
        source = GitSource(url="https://example.com/fleet.git", reference=GitReference(branch="main"))
        return Feed(ref_of(self.obj), source=source, snapshot=cast("TreeSnapshot", snapshot))


async def test_a_new_revision_is_told_once() -> None:
    cluster, dialect = Cluster(), FluxDialect()
    feed, reporter = cluster.feed(), cluster.reporter()
    for _ in range(2):
        await reporter.looked(feed, cluster.obj, dialect, token="")
    assert [event.reason for event in cluster.events] == ["NewArtifact"]
    assert cluster.writes == 1


async def test_a_restart_that_brings_nothing_new_tells_nothing() -> None:
    cluster, dialect = Cluster(), FluxDialect()
    await cluster.reporter().looked(cluster.feed(), cluster.obj, dialect, token="")
    cluster.events.clear()
    await cluster.reporter().looked(cluster.feed(), cluster.obj, dialect, token="")
    assert (cluster.events, cluster.writes) == ([], 1)


async def test_a_restart_tells_what_came_meanwhile_and_what_fails() -> None:
    cluster, dialect = Cluster(), FluxDialect()
    await cluster.reporter().looked(cluster.feed(), cluster.obj, dialect, token="")
    cluster.events.clear()
    await cluster.reporter().looked(cluster.feed("b"), cluster.obj, dialect, token="")
    failing = cluster.feed("b")
    failing.problem = SourceError("nobody answers")
    await cluster.reporter().looked(failing, cluster.obj, dialect, token="")
    assert [(event.reason, event.warning) for event in cluster.events] == [
        ("NewArtifact", False),
        ("FetchFailed", True),
    ]
