"""Fetches what is named outside a repository: other repositories through the mirrors, files over HTTP, charts (`remotecharts`).

Credentials of the App's own source go along only to the same scheme, host, port and (for SSH) account. What was fetched is
kept as long as somebody asks for it, so a look at a remote that did not move is one `ls-remote`, or a request that is
answered "not modified". When to look is the controllers' to say.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct

from trueup.model.errors import BuildFailed, InvalidInput, RefNotFound, SourceError, TrueupError
from trueup.model.remote import ChartNeed, RemoteContent, RemoteNeed
from trueup.model.revision import Revision
from trueup.model.snapshot import EntryType
from trueup.model.source import GitReference, GitSource
from trueup.sources.contentstore import ContentStore
from trueup.sources.credentials import GitCredentials
from trueup.sources.gitfetcher import GitFetcher
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.giturl import mask_url, parse_git_url
from trueup.sources.http import HttpAnswer, HttpFetcher, HttpLimits, Request, shown
from trueup.sources.listing import FULL_HASH
from trueup.sources.mirrors import GitMirrors
from trueup.sources.remotecharts import FindChartRepository, RemoteCharts, anonymous, chart_key
from trueup.sources.remotetext import (
    RemoteBase,
    file_key,
    is_remote_file,
    looks_like_repository,
    parse_remote_base,
)
from trueup.sources.secrets import SourceSecrets
from trueup.sources.storedfile import StoredFile
from trueup.sources.submodules import may_share_credentials
from trueup.sources.treesnapshot import TreeSnapshot

FILE = "content"
_MOST_KEPT = 1000
_AT_ONCE = 8
_LONGEST = timedelta(minutes=5)
_FILE_LIMITS = HttpLimits(total=timedelta(seconds=60), size=10 * 1024 * 1024)


class Owner(Struct, frozen=True):
    """A Git source of the App, and what its Secrets hold."""

    source: GitSource
    secrets: SourceSecrets


@dataclass(slots=True)
class _Kept:
    snapshot: TreeSnapshot
    used: float
    looked: float
    reference: GitReference = GitReference()  # noqa: RUF009 frozen
    etag: str = ""


class RemoteBases:
    """Those of one process. `allow_local`: kustomizations may name `file:` repositories and this machine (a laptop's)."""

    def __init__(
        self,
        mirrors: GitMirrors,
        git: GitFetcher,
        store: ContentStore,
        *,
        charts: RemoteCharts | None = None,
        allow_local: bool,
    ) -> None:
        self.charts = charts
        self._mirrors = mirrors
        self._git = git
        self._store = store
        self._allow_local = allow_local
        self._http = HttpFetcher(allow_loopback=allow_local)
        self._kept: OrderedDict[tuple[str, GitCredentials | None], _Kept] = OrderedDict()
        self._turns: dict[tuple[str, GitCredentials | None], asyncio.Lock] = {}

    def of(
        self,
        owners: Sequence[Owner],
        *,
        expected: Sequence[RemoteNeed] = (),
        max_age: timedelta = timedelta(0),
        as_before: bool = False,
        find: FindChartRepository = anonymous,
    ) -> BoundRemotes:
        """For one render of an App that lives on these Git sources. A look at a remote within `max_age` is not repeated.

        `as_before`: what is expected is wanted at the revision that was used last, from the disk where it is there.
        `find` says whose repositories charts come from.
        """
        return BoundRemotes(self, tuple(owners), tuple(expected), max_age, as_before=as_before, find=find)

    async def close(self) -> None:
        await self._http.close()

    def forget(self, *, unused: timedelta) -> None:
        """Gives up what nobody has asked for lately; the next collection removes it."""
        oldest = _now() - unused.total_seconds()
        for key in [key for key, kept in self._kept.items() if kept.used < oldest]:
            self._kept.pop(key).snapshot.release()
        for key in [key for key, turn in self._turns.items() if key not in self._kept and not turn.locked()]:
            del self._turns[key]
        if self.charts is not None:
            self.charts.forget(unused=unused)

    async def repository(self, base: RemoteBase, owners: Sequence[Owner], max_age: timedelta) -> TreeSnapshot:
        """A snapshot of the caller's own to release."""
        credentials = await self._credentials(base, owners)
        key = (base.key, credentials)
        async with self._turns.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept.looked < _now() - max_age.total_seconds():
                kept = await self._newest(base, credentials, kept, max_age)
                self._keep(key, kept)
            kept.used = _now()
            return kept.snapshot.share()

    async def repository_at(self, base: RemoteBase, owners: Sequence[Owner], revision: Revision) -> TreeSnapshot | None:
        """The same at a revision that was given before, without any network; None where it is not here any more."""
        credentials = await self._credentials(base, owners)
        kept = self._kept.get((base.key, credentials))
        if kept is not None and kept.snapshot.revision == revision:
            return kept.snapshot.share()
        source = GitSource(
            url=base.repository, reference=GitReference(), recurse_submodules=base.submodules, timeout=base.timeout
        )
        return await self._mirrors.reopen(source, credentials, revision)

    async def file_at(self, url: str, revision: Revision) -> TreeSnapshot | None:
        """Likewise of a file."""
        return await self._store.reopen(_grant(url), revision)

    async def file(self, url: str, max_age: timedelta) -> TreeSnapshot | None:
        """The one file that the URL gives; None where it gives none, or a page for people."""
        key = (file_key(url), None)
        async with self._turns.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or kept.looked < _now() - max_age.total_seconds() or not self._store.holds(kept.snapshot):
                kept = await self._downloaded(url, kept)
                if kept is None:
                    return None
                self._keep(key, kept)
            kept.used = _now()
            return kept.snapshot.share()

    async def _credentials(self, base: RemoteBase, owners: Sequence[Owner]) -> GitCredentials | None:
        """Those of the first owner that lives at the same place."""
        theirs = parse_git_url(base.repository, allow_local=self._allow_local)
        for owner in owners:
            if may_share_credentials(parse_git_url(owner.source.url, allow_local=self._allow_local), theirs):
                return await self._git.credentials(owner.source, owner.secrets)
        return None

    async def _newest(
        self, base: RemoteBase, credentials: GitCredentials | None, kept: _Kept | None, max_age: timedelta
    ) -> _Kept:
        candidates = _references(base.reference)
        if kept is not None and kept.reference in candidates:
            candidates.sort(key=lambda reference: reference != kept.reference)  # what it was is likely what it is
        known = kept.snapshot if kept is not None and isinstance(kept.snapshot, GitSnapshot) else None
        missing: RefNotFound | None = None
        for reference in candidates:
            source = GitSource(
                url=base.repository,
                reference=reference,
                recurse_submodules=base.submodules,
                timeout=min(base.timeout, _LONGEST),
            )
            try:
                found = await self._mirrors.fetch(source, credentials, known=known, max_age=max_age)
            except RefNotFound as error:
                missing = missing or error
                continue
            return _Kept(found, _now(), _now(), reference)
        raise missing or RefNotFound(f"{mask_url(base.repository)}: there is no {base.reference!r}")

    async def _downloaded(self, url: str, kept: _Kept | None) -> _Kept | None:
        usable = kept is not None and self._store.holds(kept.snapshot)
        headers = {"If-None-Match": kept.etag} if kept is not None and usable and kept.etag else {}
        answer = await self._http.fetch(Request(url=url, headers=headers, limits=_FILE_LIMITS))
        if answer.status == 304 and kept is not None:
            kept.looked = _now()
            return kept
        if not 200 <= answer.status < 300 or _is_page(answer):
            return None
        revision = Revision("", "sha256", answer.digest.removeprefix("sha256:"))
        if kept is not None and usable and kept.snapshot.revision == revision:
            kept.looked, kept.etag = _now(), answer.header("ETag")
            return kept
        stored = await self._store.put([StoredFile(FILE, answer.body)], revision, grant=_grant(url))
        return _Kept(stored, _now(), _now(), etag=answer.header("ETag"))

    def _keep(self, key: tuple[str, GitCredentials | None], kept: _Kept) -> None:
        before = self._kept.pop(key, None)
        self._kept[key] = kept
        if before is not None and before.snapshot is not kept.snapshot:
            before.snapshot.release()
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)[1].snapshot.release()


class BoundRemotes:
    """`model.remote.RemoteFetcher` for one render; `release` afterwards."""

    def __init__(
        self,
        bases: RemoteBases,
        owners: tuple[Owner, ...],
        expected: tuple[RemoteNeed, ...],
        max_age: timedelta,
        *,
        as_before: bool,
        find: FindChartRepository,
    ) -> None:
        self._bases = bases
        self._owners = owners
        self._max_age = max_age
        self._find = find
        self._held: list[TreeSnapshot] = []
        self._before = {need.text: need.revision for need in expected if need.revision} if as_before else {}
        self.expected = expected

    def release(self) -> None:
        held, self._held = self._held, []
        for snapshot in held:
            snapshot.release()

    async def fetch(self, needs: Sequence[RemoteNeed]) -> tuple[RemoteContent, ...]:
        """See `RemoteFetcher.fetch`."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(need: RemoteNeed) -> RemoteContent | None:
            async with slots:
                return await self._content(need)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(need), name=f"remote {shown(need.text)}") for need in needs]
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return tuple(content for task in tasks if (content := task.result()) is not None)

    async def _content(self, need: RemoteNeed) -> RemoteContent | None:
        if need.chart is not None:
            return await self._of_chart(need, need.chart)
        base = parse_remote_base(need.text)
        as_file = is_remote_file(need.text) and not need.directory
        if base is None and not as_file:
            return None
        try:
            if base is not None and (not as_file or looks_like_repository(base, need.text)):
                return await self._of_repository(need, base) if not as_file else await self._either(need, base)
            if (found := await self._of_file(need)) is not None:
                return found
            if base is not None:
                return await self._of_repository(need, base)
            raise SourceError(f"{shown(need.text)} gives no file", hint="check the address")
        except TrueupError as error:
            error.origin = error.origin or need.origin
            raise

    async def _of_chart(self, need: RemoteNeed, chart: ChartNeed) -> RemoteContent | None:
        charts, before = self._bases.charts, self._before.get(need.text)
        if charts is None:
            return None
        try:
            found = await self._find(chart.repository)
            snapshot = await charts.chart_at(chart, found, before) if before is not None else None
            snapshot = snapshot or await charts.chart(chart, found, self._max_age)
        except TrueupError as error:
            error.message = f"the dependency {chart.name} {chart.version}: {error.message}"
            error.origin = need.origin
            raise
        self._held.append(snapshot)
        return RemoteContent(
            text=need.text,
            key=chart_key(chart),
            snapshot=snapshot,
            path="",
            is_file=False,
            repository=found[0].url,
            chart=chart,
        )

    async def _either(self, need: RemoteNeed, base: RemoteBase) -> RemoteContent:
        """An HTTP address that says itself that it is a repository; a file all the same where no repository answers."""
        try:
            return await self._of_repository(need, base)
        except (SourceError, InvalidInput):
            if (found := await self._of_file(need)) is not None:
                return found
            raise

    async def _of_file(self, need: RemoteNeed) -> RemoteContent | None:
        before = self._before.get(need.text)
        snapshot = await self._bases.file_at(need.text, before) if before is not None else None
        snapshot = snapshot or await self._bases.file(need.text, self._max_age)
        if snapshot is None:
            return None
        self._held.append(snapshot)
        return RemoteContent(text=need.text, key=file_key(need.text), snapshot=snapshot, path=FILE, is_file=True)

    async def _of_repository(self, need: RemoteNeed, base: RemoteBase) -> RemoteContent:
        before = self._before.get(need.text)
        snapshot = None
        if before is not None:
            snapshot = await self._bases.repository_at(base, self._owners, before)
        snapshot = snapshot or await self._bases.repository(base, self._owners, self._max_age)
        self._held.append(snapshot)
        entry = await asyncio.to_thread(snapshot.entry, base.path)
        if entry is None or entry.type is EntryType.FILE:
            raise BuildFailed(
                f"{mask_url(base.repository)} has no directory {base.path!r} at {snapshot.revision.short}",
                origin=need.origin,
                hint="check the path behind // and the ref",
            )
        return RemoteContent(
            text=need.text,
            key=base.key,
            snapshot=snapshot,
            path=base.path,
            is_file=False,
            repository=base.repository,
            reference=base.reference,
        )


def _references(text: str) -> list[GitReference]:
    """What `git fetch REPOSITORY text` would look for, in its order."""
    if text in ("", "HEAD"):
        return [GitReference()]
    if FULL_HASH.match(text):
        return [GitReference(commit=text)]
    if text.startswith("refs/"):
        return [GitReference(name=text)]
    if text.startswith(("heads/", "tags/")):
        return [GitReference(name=f"refs/{text}")]
    return [GitReference(tag=text), GitReference(branch=text)]


def _grant(url: str) -> str:
    return f"remote-{file_key(url)}"


def _is_page(answer: HttpAnswer) -> bool:
    """HTML is never a manifest: a Git host shows people the repository at the same address."""
    start = answer.body[:256].lstrip().lower()
    return "text/html" in answer.header("Content-Type").lower() or start.startswith((b"<!doctype html", b"<html"))


def _now() -> float:
    return asyncio.get_running_loop().time()
