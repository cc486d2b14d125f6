"""From a reference to a commit that is in the mirror, with the right to read it proven.

Sharing a mirror is not sharing the right to read it: a commit counts only when these very credentials listed it, reached
it from what they listed, or had the remote serve it. Equal polls and fetches (URL and credentials) are merged.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from trueup.model.errors import RefNotFound
from trueup.model.revision import Revision, git_revision
from trueup.model.source import GitReference
from trueup.sources.gitcommand import Access, Git
from trueup.sources.giterrors import CommitNotServed, RemoteRefMissing
from trueup.sources.inflight import InFlight
from trueup.sources.listing import HEADS, TAGS, Listing, Scope, Target, choose, direct_target, parse_listing, scope_of
from trueup.sources.mirror import Mirror

PROOF_PREFIX = "proof-"


class Resolved(Struct, frozen=True):
    """`ref` is what the remote can be asked for again: a full ref name, HEAD, or the commit."""

    revision: Revision
    ref: str


class Resolver:
    """Remembers what remotes said lately, and what is under way. `root` is a folder for short-lived trials."""

    def __init__(self, git: Git, root: Path) -> None:
        self._git = git
        self._root = root
        self._listings: dict[tuple[str, str, Scope], tuple[float, Listing]] = {}
        self._arrived: dict[tuple[str, str, str], tuple[float, str]] = {}
        self._abbreviated: dict[tuple[str, str, str], str] = {}
        self._polls: InFlight[Listing] = InFlight()
        self._fetches: InFlight[str] = InFlight()

    async def resolve(
        self,
        mirror: Mirror,
        access: Access,
        reference: GitReference,
        *,
        known: str = "",
        max_age: timedelta = timedelta(0),
    ) -> Resolved:
        """Raises RefNotFound, EmptyRepository and all that a fetch can. `known` is a commit that the caller has already."""
        if mirror.reader is None:
            async with mirror.fetching:
                await mirror.prepare()
        direct = direct_target(reference)
        if direct is not None and direct.commit:
            return _resolved(direct, await self._pinned(mirror, access, direct.commit))
        if direct is not None and not (known and await mirror.has(known)):
            try:
                return _resolved(direct, await self._direct(mirror, access, direct, max_age))
            except RemoteRefMissing:
                pass  # the listing below tells which refs exist
        listing = await self._list(mirror, access, scope_of(reference), max_age)
        target = choose(reference, listing, str(access.url))
        if target.prefix:
            return _resolved(target, await self._from_history(mirror, access, listing, target.prefix))
        if await mirror.has(target.commit):
            return _resolved(target, target.commit)
        try:
            return _resolved(target, await self._bring(mirror, access, target))
        except RemoteRefMissing as error:
            raise RefNotFound(f"{access.url}: {target.ref} went away while it was fetched") from error

    async def listing(self, mirror: Mirror, access: Access) -> Listing:
        """All refs that the remote shows now; nothing is fetched."""
        if mirror.reader is None:
            async with mirror.fetching:
                await mirror.prepare()
        return await self._list(mirror, access, Scope.ALL, timedelta(0))

    def forget(self, *, older_than: timedelta) -> None:
        """Drops what remotes said longer ago."""
        oldest = _now() - older_than.total_seconds()
        self._listings = {key: seen for key, seen in self._listings.items() if seen[0] >= oldest}
        self._arrived = {key: seen for key, seen in self._arrived.items() if seen[0] >= oldest}

    async def _direct(self, mirror: Mirror, access: Access, target: Target, max_age: timedelta) -> str:
        """First contact: one fetch by name, which also proves that these credentials may see the ref."""
        key = (mirror.name, access.who, target.ref)
        seen = self._arrived.get(key)
        if seen is not None and seen[0] >= _now() - max_age.total_seconds() and await mirror.has(seen[1]):
            return seen[1]
        started = _now()
        commit = await self._bring(mirror, access, target)
        self._arrived[key] = (started, commit)
        return commit

    async def _list(self, mirror: Mirror, access: Access, scope: Scope, max_age: timedelta) -> Listing:
        name = mirror.name
        for wider in (scope, Scope.ALL):
            seen = self._listings.get((name, access.who, wider))
            if seen is not None and seen[0] >= _now() - max_age.total_seconds():
                return seen[1]
        if (name, access.who, Scope.ALL) in self._polls:
            scope = Scope.ALL

        async def poll() -> Listing:
            started = _now()
            for known in (scope, Scope.ALL):  # when this fails, what was said before counts no longer
                self._listings.pop((name, access.who, known), None)
            only = [] if scope is Scope.ALL else ["--heads", "--tags"]
            arguments = ["ls-remote", "--symref", *only, "--", access.url.text]
            text = await self._git.run(arguments, access=access, directory=mirror.directory)
            listing = parse_listing(text.decode("utf-8", "surrogateescape"))
            self._listings[name, access.who, scope] = (started, listing)
            return listing

        return await self._polls.share((name, access.who, scope), poll)

    async def _bring(self, mirror: Mirror, access: Access, target: Target) -> str:
        """Brings a target that these credentials may read, or whose reading is what proves that they may."""

        async def fetch() -> str:
            async with mirror.fetching:
                await mirror.prepare()
                if target.ref and target.commit and await mirror.has(target.commit):
                    return target.commit  # listed, and somebody else's fetch brought it while we waited for our turn
                if not target.ref and await mirror.has(target.commit):
                    await self._prove(access, target.commit)
                    return target.commit
                return await mirror.fetch(access, target.ref or target.commit, depth=await mirror.depth_for_more())

        return await self._fetches.share((mirror.name, access.who, target.ref, target.commit), fetch)

    async def _pinned(self, mirror: Mirror, access: Access, commit: str) -> str:
        """A commit by its hash: it never changes, so a right once proven needs no network again."""
        if await mirror.granted(commit, access.who) and await mirror.has(commit):
            return commit
        try:
            return await self._bring(mirror, access, Target(name="", commit=commit))
        except (CommitNotServed, RemoteRefMissing):
            listing = await self._list(mirror, access, Scope.HEADS_AND_TAGS, timedelta(0))
            return await self._from_history(mirror, access, listing, commit)

    async def _prove(self, access: Access, commit: str) -> None:
        """Has the remote serve a commit that the mirror holds already, into an empty place that is thrown away.

        A fetch into the mirror would prove nothing: git asks no server for what it has.
        """

        place = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=PROOF_PREFIX, dir=self._root))
        try:
            trial = Mirror(self._git, place, access.url)
            async with trial.fetching:
                await trial.prepare()
                await trial.fetch(access, commit, depth=1)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, ignore_errors=True))

    async def _from_history(self, mirror: Mirror, access: Access, listing: Listing, prefix: str) -> str:
        """The one commit that starts with `prefix` among all that the listed branches and tags lead to."""
        key = (mirror.name, access.who, prefix)
        known = self._abbreviated.get(key) or await mirror.granted(prefix, access.who)
        if known is not None and await mirror.has(known):
            return known
        tips = {commit for commit in listing.refs.values() if commit.startswith(prefix)}
        if len(tips) == 1 and await mirror.has(next(iter(tips))):
            return tips.pop()
        refs = [ref for ref in listing.refs if ref.startswith((HEADS, TAGS))]

        async def fetch() -> str:
            async with mirror.fetching:
                await mirror.prepare()
                commits = await mirror.fetch_history(access, refs) if refs else []
            found = [commit for commit in commits if commit.startswith(prefix)]
            if not found:
                raise RefNotFound(
                    f"{access.url}: no branch or tag leads to a commit {prefix}",
                    hint="check the hash, or name a branch or tag",
                )
            if len(found) > 1:
                raise RefNotFound(
                    f"{access.url}: {prefix} is the beginning of {len(found)} commits", hint="write more digits"
                )
            return found[0]

        commit = await self._fetches.share(("history", *key), fetch)
        self._abbreviated[key] = commit
        return commit


def _resolved(target: Target, commit: str) -> Resolved:
    return Resolved(git_revision(target.name, commit), target.ref or commit)


def _now() -> float:
    return asyncio.get_running_loop().time()
