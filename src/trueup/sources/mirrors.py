"""Git sources as Snapshots: resolve a reference, fetch only when it moved, share one mirror per URL.

Sharing a mirror is not sharing the right to read it: a revision is given to a resource only when its own credentials
listed it, reached it from what they listed, or had it served. Equal polls and fetches (URL and credentials) are merged.
When to poll is the controllers' to say.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pygit2

from trueup.model.app import GitSource
from trueup.model.errors import RefNotFound
from trueup.model.revision import Revision, git_revision
from trueup.sources.credentials import GitCredentials
from trueup.sources.gitcommand import Access, Git
from trueup.sources.giterrors import CommitNotServed, MirrorCorrupt, RemoteRefMissing
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.giturl import GitUrl, parse_git_url
from trueup.sources.inflight import InFlight
from trueup.sources.listing import (
    HEADS,
    TAGS,
    Listing,
    Scope,
    Target,
    check_reference,
    choose,
    direct_target,
    parse_listing,
    scope_of,
)
from trueup.sources.mirror import Mirror

_ANONYMOUS = "anonymous"
_ATTEMPTS = 3  # a ref may move, or a mirror turn out damaged, between two steps


class GitMirrors:
    """All Git sources of one process. `root` is the folder of the mirrors; one process at a time may use it."""

    def __init__(
        self,
        root: Path,
        *,
        allow_local: bool,
        program: str = "git",
        environment: Mapping[str, str] | None = None,
        parallel: int = 16,
        max_bytes: int = 2 * 1024**3,
    ) -> None:
        self._root = root
        self._allow_local = allow_local
        self.git = Git(
            allow_local=allow_local, program=program, environment=environment, parallel=parallel, max_bytes=max_bytes
        )
        self._mirrors: dict[str, Mirror] = {}
        self._key: bytes | None = None
        self._contacted: dict[str, GitUrl] = {}
        self._listings: dict[tuple[str, str, Scope], tuple[float, Listing]] = {}
        self._arrived: dict[tuple[str, str, str], tuple[float, str]] = {}
        self._abbreviated: dict[tuple[str, str, str], str] = {}
        self._polls: InFlight[Listing] = InFlight()
        self._fetches: InFlight[str] = InFlight()

    async def fetch(
        self,
        source: GitSource,
        credentials: GitCredentials | None = None,
        *,
        known: GitSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> GitSnapshot:
        """The snapshot that the source's reference means now: `known` itself when that is still the one.

        Release each snapshot when it is no longer used. As long as the mirror holds `known`, the remote is only asked
        where its refs are (`ls-remote`), and a fetch follows only when ours moved. Without it, the first contact is the
        fetch itself. An answer of the remote to equal credentials that is not older than `max_age` is used without
        asking again. Raises SourceError and its kinds, or InvalidInput.
        """
        check_reference(source.reference)
        access = await self._access(source, credentials)
        mirror = self._mirror(access.url)
        for attempt in range(_ATTEMPTS):
            try:
                revision = await self._resolve(mirror, access, source, known, max_age)
                if known is not None and self._is_current(known, mirror, revision):
                    return known
                if await mirror.keep(revision.digest, access.who):
                    return await self._snapshot(mirror, revision)
            except MirrorCorrupt:
                mirror.mark_corrupt()
                if attempt == _ATTEMPTS - 1:
                    raise
            max_age = timedelta(0)
        raise MirrorCorrupt(
            f"our mirror of {access.url} loses commits while it is used", hint="check the state folder's disk"
        )

    def _is_current(self, known: GitSnapshot, mirror: Mirror, revision: Revision) -> bool:
        return known.revision == revision and known.reader is mirror.reader and known.url == str(mirror.url)

    async def reopen(
        self, source: GitSource, credentials: GitCredentials | None, revision: Revision
    ) -> GitSnapshot | None:
        """A revision that these credentials were given before, without any network; None when it is not here (any more)."""
        access = await self._access(source, credentials)
        mirror = self._mirror(access.url)
        if not mirror.granted(revision.digest, access.who):
            return None
        async with mirror.fetching:
            await mirror.prepare()
        if not await mirror.keep(revision.digest, access.who):
            return None
        return await self._snapshot(mirror, revision)

    async def collect(self) -> None:
        """Removes what no snapshot in use needs. After a start, call it only once all sources were resolved again."""
        for mirror in list(self._mirrors.values()):
            await mirror.collect()

    def _mirror(self, url: GitUrl) -> Mirror:
        name = url.directory_name
        if name not in self._mirrors:
            self._mirrors[name] = Mirror(self.git, self._root / name, url)
        return self._mirrors[name]

    async def _access(self, source: GitSource, credentials: GitCredentials | None) -> Access:
        url = parse_git_url(source.url, allow_local=self._allow_local)
        if credentials is None and url.password:
            credentials = GitCredentials(username=url.user, password=url.password)
        if self._key is None:
            self._key = await asyncio.to_thread(_load_key, self._root)
        who = credentials.fingerprint(self._key) if credentials is not None and credentials.parts else _ANONYMOUS
        contacted = url if credentials is None else await self._contacted_by(url)
        return Access(url=url, contacted=contacted, credentials=credentials, who=who, deadline=source.timeout)

    async def _contacted_by(self, url: GitUrl) -> GitUrl:
        """Where git will really go: a credential must be bound to that host, and to no other."""
        if url.text not in self._contacted:
            found = await self.git.run(["ls-remote", "--get-url", url.text], directory=self._root)
            self._contacted[url.text] = parse_git_url(found.decode().strip(), allow_local=True)
        return self._contacted[url.text]

    async def _snapshot(self, mirror: Mirror, revision: Revision) -> GitSnapshot:
        reader = mirror.reader
        commit = revision.digest
        try:
            if reader is None:
                raise MirrorCorrupt(f"our mirror of {mirror.url} is damaged")
            return await asyncio.to_thread(
                GitSnapshot,
                reader,
                revision,
                url=str(mirror.url),
                on_release=lambda: mirror.release(commit),
            )
        except BaseException:
            mirror.release(commit)
            raise

    async def _resolve(
        self, mirror: Mirror, access: Access, source: GitSource, known: GitSnapshot | None, max_age: timedelta
    ) -> Revision:
        """The revision, with its commit in the mirror and the right to read it proven."""
        async with mirror.fetching:
            await mirror.prepare()
        reference = source.reference
        direct = direct_target(reference)
        if direct is not None and direct.commit:
            return git_revision(direct.name, await self._pinned(mirror, access, direct.commit))
        if direct is not None and await self._is_first_contact(mirror, known):
            try:
                return git_revision(direct.name, await self._direct(mirror, access, direct, max_age))
            except RemoteRefMissing:
                pass  # the listing below tells which refs exist
        listing = await self._list(mirror, access, scope_of(reference), max_age)
        target = choose(reference, listing, str(access.url))
        if target.prefix:
            return git_revision("", await self._from_history(mirror, access, listing, target.prefix))
        if not await self._has(mirror, target.commit):
            try:
                commit = await self._share_fetch(mirror, access, target)
            except RemoteRefMissing as error:
                raise MirrorCorrupt(f"{access.url}: {target.ref} went away while it was fetched") from error
            return git_revision(target.name, commit)
        return git_revision(target.name, target.commit)

    async def _is_first_contact(self, mirror: Mirror, known: GitSnapshot | None) -> bool:
        return known is None or not await self._has(mirror, known.commit)

    async def _has(self, mirror: Mirror, commit: str) -> bool:
        reader = mirror.reader
        return reader is not None and await asyncio.to_thread(reader.has, commit)

    async def _direct(self, mirror: Mirror, access: Access, target: Target, max_age: timedelta) -> str:
        """First contact: one fetch by name, which also proves that these credentials may see the ref."""
        key = (mirror.directory.name, access.who, target.ref)
        seen = self._arrived.get(key)
        if seen is not None and seen[0] >= _now() - max_age.total_seconds() and await self._has(mirror, seen[1]):
            return seen[1]
        started = _now()
        commit = await self._share_fetch(mirror, access, target)
        self._arrived[key] = (started, commit)
        return commit

    async def _list(self, mirror: Mirror, access: Access, scope: Scope, max_age: timedelta) -> Listing:
        name = mirror.directory.name
        for wider in (scope, Scope.ALL):
            seen = self._listings.get((name, access.who, wider))
            if seen is not None and seen[0] >= _now() - max_age.total_seconds():
                return seen[1]
        if (name, access.who, Scope.ALL) in self._polls:
            scope = Scope.ALL

        async def poll() -> Listing:
            started = _now()
            only = [] if scope is Scope.ALL else ["--heads", "--tags"]
            arguments = ["ls-remote", "--symref", *only, "--", access.url.text]
            text = await self.git.run(arguments, access=access, directory=mirror.directory)
            listing = parse_listing(text.decode("utf-8", "surrogateescape"))
            self._listings[name, access.who, scope] = (started, listing)
            return listing

        return await self._polls.share((name, access.who, scope), poll)

    async def _share_fetch(self, mirror: Mirror, access: Access, target: Target) -> str:
        """Brings a target that these credentials may read, or whose reading is what proves that they may."""

        async def fetch() -> str:
            async with mirror.fetching:
                await mirror.prepare()
                if target.ref and target.commit and await self._has(mirror, target.commit):
                    return target.commit  # listed, and somebody else's fetch brought it while we waited for our turn
                if not target.ref and await self._has(mirror, target.commit):
                    await self._prove(access, target.commit)
                    return target.commit
                depth = None if not mirror.is_empty and not mirror.is_shallow else 1
                return await mirror.fetch(access, target.ref or target.commit, depth=depth)

        return await self._fetches.share((mirror.directory.name, access.who, target.ref, target.commit), fetch)

    async def _pinned(self, mirror: Mirror, access: Access, commit: str) -> str:
        """A commit by its hash: it never changes, so a right once proven needs no network again."""
        if mirror.granted(commit, access.who) and await self._has(mirror, commit):
            return commit
        try:
            return await self._share_fetch(mirror, access, Target(name="", commit=commit))
        except (CommitNotServed, RemoteRefMissing):
            listing = await self._list(mirror, access, Scope.HEADS_AND_TAGS, timedelta(0))
            return await self._from_history(mirror, access, listing, commit)

    async def _prove(self, access: Access, commit: str) -> None:
        """Has the remote serve a commit that the mirror holds already, into an empty place that is thrown away.

        A fetch into the mirror would prove nothing: git asks no server for what it has.
        """

        with tempfile.TemporaryDirectory(prefix="proof-", dir=self._root) as place:
            trial = Mirror(self.git, Path(place) / "mirror", access.url)
            async with trial.fetching:
                await trial.prepare()
                await trial.fetch(access, commit, depth=1)

    async def _from_history(self, mirror: Mirror, access: Access, listing: Listing, prefix: str) -> str:
        """The one commit that starts with `prefix` among all that the listed branches and tags lead to."""
        key = (mirror.directory.name, access.who, prefix)
        if (known := self._abbreviated.get(key)) is not None and await self._has(mirror, known):
            return known
        tips = {commit for commit in listing.refs.values() if commit.startswith(prefix)}
        if len(tips) == 1 and await self._has(mirror, next(iter(tips))):
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


def _now() -> float:
    return asyncio.get_running_loop().time()


def _load_key(root: Path) -> bytes:
    """The key under which credentials are fingerprinted; made at first use, readable by us alone."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = root / "fingerprint.key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()


pygit2.settings.owner_validation = False  # a volume's files may belong to another user; we open only our own folders
