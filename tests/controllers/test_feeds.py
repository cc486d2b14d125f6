"""Feeds that are made of others: opened with the first user, closed with the last, and asked in the right order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import pytest

from tests.controllers.room import Commit
from trueup.controllers.credentials import SourceCredentials
from trueup.controllers.feeds import Feed, Feeds
from trueup.controllers.metrics import Metrics
from trueup.controllers.queue import work
from trueup.controllers.resources import Resources
from trueup.controllers.sourcereport import SourceReporter
from trueup.controllers.sources import SourceController, SourceShell
from trueup.controllers.values import ValueStore
from trueup.model.errors import SourceError
from trueup.model.manifest import Manifest
from trueup.model.news import News, NewsKind
from trueup.model.refs import ObjectRef
from trueup.model.revision import Revision
from trueup.model.source import CompositeSource, GitReference, GitSource, Member, Source
from trueup.sources.http import RateLimited
from trueup.sources.parent import Parent
from trueup.sources.secrets import SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot

APP = ObjectRef("argoproj.io", "Application", "argocd", "shop")
OTHER = ObjectRef("argoproj.io", "Application", "argocd", "other")
ONE = GitSource(url="https://example.com/one.git", reference=GitReference(branch="main"))
TWO = GitSource(url="https://example.com/two.git", reference=GitReference(branch="main"))
BOTH = CompositeSource(members=(Member(source=ONE), Member(source=TWO)))


def test_a_source_made_of_others_opens_them_and_takes_them_along() -> None:
    feeds = Feeds()
    feed, _ = feeds.use(APP, BOTH)
    feeds.connect(feed)
    feeds.use(OTHER, ONE)
    assert {one.label for one in feeds.all()} == {f"{ONE.url}, {TWO.url}", ONE.url, TWO.url}
    assert {gone.key for gone in feeds.leave(APP)} == {BOTH, TWO}
    assert [one.key for one in feeds.all()] == [ONE]
    assert feeds.leave(OTHER)[0].key == ONE
    assert feeds.all() == []


def test_a_source_that_is_made_of_another_one_from_now_on_leaves_the_old_one() -> None:
    feeds = Feeds()
    ref = ObjectRef("source.toolkit.fluxcd.io", "HelmChart", "shop", "web")
    feed = feeds.open(ref)
    feed.source = CompositeSource(members=(Member(source=ONE),))
    assert [parent.key for parent in feeds.connect(feed)[0]] == [ONE]
    feed.source = CompositeSource(members=(Member(source=TWO),))
    new, gone = feeds.connect(feed)
    assert [parent.key for parent in new] == [TWO]
    assert [left.key for left in gone] == [ONE]


class Remote:
    """`controllers.sources.Fetcher`: remotes that have the revisions that a test says, and one that composes."""

    def __init__(self) -> None:
        self.heads: dict[Source, str | SourceError] = {ONE: "1", TWO: "2"}
        self.disk: dict[Source, str] = {}
        self.asked: list[Source] = []

    async def fetch(
        self,
        source: Source,
        secrets: SourceSecrets,
        parents: Sequence[Parent] = (),
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot:
        self.asked.append(source)
        if isinstance(source, CompositeSource):
            name = str(max(int(parent.ready_snapshot.revision.digest[0]) for parent in parents))
        else:
            head = self.heads[source]
            if isinstance(head, SourceError):
                raise head
            name = head
        if known is not None and known.revision.digest[0] == name:
            return known
        return cast("TreeSnapshot", Commit(name))

    async def reopen(
        self, source: Source, secrets: SourceSecrets, revision: Revision, parents: Sequence[Parent] = ()
    ) -> TreeSnapshot | None:
        kept = self.disk.get(source) == revision.digest[0]
        return cast("TreeSnapshot", Commit(revision.digest[0])) if kept else None


class Loop:
    """The source loop around that remote; `told` are the feeds whose Apps were told, `woken` the Apps that waited."""

    def __init__(self) -> None:
        self.remote = Remote()
        self.told: list[Feed] = []
        self.woken: list[tuple[ObjectRef, int]] = []
        shell = SourceShell(
            fetcher=self.remote,
            resources=Resources(),
            dialects={},
            reporter=cast("SourceReporter", None),
            credentials=SourceCredentials(ValueStore(_nothing), lambda: ()),
            metrics=Metrics(),
            chance=lambda: 0.5,
        )
        self.sources = SourceController(shell, self._tell, lambda ref: self.woken.append((ref, len(self.remote.asked))))

    async def _tell(self, feed: Feed, before: TreeSnapshot | None) -> None:
        self.told.append(feed)

    async def until_quiet(self, seconds: float = 0.5) -> None:
        """Works until nothing is due, or for longer."""
        task = asyncio.create_task(work(self.sources.queue, self.sources.look, workers=4, name="source"))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _nothing(ref: ObjectRef) -> Manifest | None:
    return None


async def test_it_is_fetched_once_all_that_it_is_made_of_is_there(looptime: object) -> None:
    loop = Loop()
    feed = loop.sources.use(APP, BOTH)
    await loop.until_quiet()
    assert feed.snapshot is not None
    assert feed.snapshot.revision.digest[0] == "2"
    assert loop.remote.asked[-1] == BOTH
    assert set(loop.remote.asked[:2]) == {ONE, TWO}


async def test_after_a_restart_several_sources_are_there_before_their_remotes_answer(looptime: object) -> None:
    loop = Loop()
    loop.remote.disk = {ONE: "1", TWO: "2"}
    loop.remote.heads = dict.fromkeys((ONE, TWO), SourceError("the remote is away"))
    parts = (Commit("1").revision, Commit("2").revision)
    feed = loop.sources.use(APP, BOTH, Commit("2").revision, parts)
    await loop.until_quiet()
    assert feed.snapshot is not None, "made of what the disk has of each"
    assert feed in loop.told


async def test_what_was_remembered_of_other_parts_is_no_help(looptime: object) -> None:
    loop = Loop()
    loop.remote.disk = {ONE: "1", TWO: "2"}
    loop.remote.heads = dict.fromkeys((ONE, TWO), SourceError("the remote is away"))
    feed = loop.sources.use(APP, BOTH, Commit("2").revision, (Commit("1").revision,))
    await loop.until_quiet()
    assert feed.snapshot is None
    assert "the remote is away" in str(feed.problem)


async def test_news_of_one_part_are_news_of_the_whole(looptime: object) -> None:
    loop = Loop()
    feed = loop.sources.use(APP, BOTH)
    await loop.until_quiet()
    loop.remote.heads[ONE] = "9"
    loop.sources.ask(ONE)
    await loop.until_quiet()
    assert feed.snapshot is not None
    assert feed.snapshot.revision.digest[0] == "9"
    assert loop.told[-1] is feed


async def test_who_asks_for_the_whole_is_woken_when_every_part_was_asked(looptime: object) -> None:
    loop = Loop()
    loop.sources.use(APP, BOTH)
    await loop.until_quiet()
    loop.remote.asked.clear()
    loop.sources.ask(BOTH, waking=APP)
    await loop.until_quiet()
    assert set(loop.remote.asked[:2]) == {ONE, TWO}
    assert loop.remote.asked[-1] == BOTH
    assert loop.woken == [(APP, len(loop.remote.asked))]


async def test_a_part_that_fails_is_named_and_the_whole_follows_when_it_is_back(looptime: object) -> None:
    loop = Loop()
    loop.remote.heads[TWO] = SourceError("nobody answers")
    feed = loop.sources.use(APP, BOTH)
    await loop.until_quiet()
    assert feed.snapshot is None
    assert "two.git: nobody answers" in str(feed.problem)
    loop.remote.heads[TWO] = "2"
    loop.sources.ask(TWO)
    await loop.until_quiet()
    assert feed.problem is None
    assert feed.snapshot is not None


async def test_a_storm_of_news_is_one_more_look(looptime: object) -> None:
    loop = Loop()
    loop.sources.use(APP, ONE)
    await loop.until_quiet()
    loop.remote.asked.clear()
    for _ in range(500):
        assert loop.sources.heard(News(kind=NewsKind.GIT, urls=(ONE.url,), ref="refs/heads/main")) == 1
    await loop.until_quiet()
    assert loop.remote.asked == [ONE]
    assert loop.sources.heard(News(kind=NewsKind.GIT, urls=(ONE.url,), ref="refs/heads/other")) == 0


@pytest.mark.looptime
async def test_a_host_that_wants_to_be_left_alone_is(looptime: object) -> None:
    loop = Loop()
    busy = RateLimited("too many requests")
    busy.retry_after = 900
    loop.remote.heads[ONE] = busy
    loop.sources.use(APP, ONE)
    await loop.until_quiet(890)
    assert loop.remote.asked == [ONE]
    loop.remote.heads[ONE] = "1"
    await loop.until_quiet(20)
    assert loop.remote.asked == [ONE, ONE]
