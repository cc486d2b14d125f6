"""Git sources as Snapshots: one shared mirror per URL, submodules and sparse views put together, garbage collected.

How a reference becomes a commit is `resolver`'s. When to poll is the controllers' to say.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pygit2.enums import ObjectType

from trueup.model.errors import InvalidInput
from trueup.model.revision import Revision
from trueup.model.snapshot import EntryType
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials
from trueup.sources.diskuse import DiskBudget
from trueup.sources.gitcommand import Access, Git
from trueup.sources.giterrors import MirrorCorrupt
from trueup.sources.gitobjects import SUBMODULE_ID_PREFIX, CommitFacts
from trueup.sources.gitsnapshot import GitSnapshot
from trueup.sources.giturl import GitUrl, parse_git_url
from trueup.sources.gitverify import SignedTag
from trueup.sources.history import commits_between, describe
from trueup.sources.insteadof import Rewrites, parse_rewrites
from trueup.sources.listing import TAGS, Listing, check_reference
from trueup.sources.mirror import Mirror
from trueup.sources.resolver import PROOF_PREFIX, Resolved, Resolver
from trueup.sources.secrets import load_key
from trueup.sources.submodules import DEEPEST, Submodule, may_share_credentials, parse_gitmodules, submodule_url
from trueup.sources.treesnapshot import Hold, Mount, View

_ANONYMOUS = "anonymous"
_ATTEMPTS = 3  # a mirror may turn out damaged, or lose a commit to a collection, between two steps
_REMEMBERED = timedelta(hours=1)


class GitMirrors:
    """All Git sources of one process. `root` is the folder of the mirrors; one process at a time may use it."""

    def __init__(
        self,
        root: Path,
        *,
        allow_local: bool,
        program: str = "git",
        environment: Mapping[str, str] | None = None,
        parallel: int = 64,
        max_bytes: int = 2 * 1024**3,
        budget: DiskBudget | None = None,
    ) -> None:
        self._root = root
        self._allow_local = allow_local
        self.git = Git(
            allow_local=allow_local,
            program=program,
            environment=environment,
            parallel=parallel,
            max_bytes=max_bytes,
            budget=budget,
        )
        self._mirrors: dict[str, Mirror] = {}
        self._key: bytes | None = None
        self._contacted: dict[str, GitUrl] = {}
        self._resolver = Resolver(self.git, root)

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
        view = view_of(source)
        access = await self._access(source, credentials)
        mirror = self._mirror(access.url)
        ours = known.commit if known is not None and known.url == access.url.text else ""
        for attempt in range(_ATTEMPTS):
            try:
                found = await self._resolver.resolve(mirror, access, source.reference, known=ours, max_age=max_age)
                same_place = known is not None and ours and known.view == view and known.reader is mirror.reader
                if known is not None and same_place and known.revision == found.revision:
                    return known
                if await mirror.keep(found.revision.digest, access.who):
                    return await self._snapshot(mirror, access, found, view)
            except MirrorCorrupt:
                mirror.mark_corrupt()
                if attempt == _ATTEMPTS - 1:
                    raise
            max_age = timedelta(0)
        raise MirrorCorrupt(
            f"our mirror of {access.url} loses commits while it is used", hint="check the state folder's disk"
        )

    async def listing(self, source: GitSource, credentials: GitCredentials | None = None) -> Listing:
        """All refs that the remote shows to these credentials now. Raises as `fetch`."""
        access = await self._access(source, credentials)
        return await self._resolver.listing(self._mirror(access.url), access)

    async def reopen(
        self, source: GitSource, credentials: GitCredentials | None, revision: Revision
    ) -> GitSnapshot | None:
        """A revision that these credentials were given before, without any network for its own repository.

        None when it is not here (any more). After a restart this is what the first `fetch` needs as `known`.
        """
        access = await self._access(source, credentials)
        mirror = self._mirror(access.url)
        if mirror.reader is None:
            async with mirror.fetching:
                await mirror.prepare()
        if await mirror.granted(revision.digest, access.who) is None:
            return None
        if not await mirror.keep(revision.digest, access.who):
            return None
        return await self._snapshot(mirror, access, Resolved(revision, revision.digest), view_of(source))

    async def signed_objects(
        self, source: GitSource, credentials: GitCredentials | None, snapshot: GitSnapshot, *, tag: bool
    ) -> tuple[bytes, SignedTag | None]:
        """The snapshot's commit, byte for byte, and with `tag` the tag object that its reference names, if it names one.

        A tag is asked for as it stands now; that of a snapshot which was reached by its commit is the one kept of before.
        """
        commit = snapshot.commit
        _, raw = await asyncio.to_thread(snapshot.reader.raw, commit)
        return raw, await self._tag_object(source, credentials, snapshot) if tag else None

    async def _tag_object(
        self, source: GitSource, credentials: GitCredentials | None, snapshot: GitSnapshot
    ) -> SignedTag | None:
        access = await self._access(source, credentials)
        mirror = self._mirror(access.url)
        if snapshot.ref.startswith(TAGS):
            async with mirror.fetching:
                await mirror.prepare()
                object_id = await mirror.fetch_tag(access, snapshot.ref)
            name = snapshot.ref.removeprefix(TAGS)
        else:
            kept = await mirror.kept_tag(snapshot.commit) if snapshot.ref == snapshot.commit else None
            if kept is None:
                return None
            object_id, name = kept, snapshot.revision.name
        kind, raw = await asyncio.to_thread(snapshot.reader.raw, object_id)
        if kind is not ObjectType.TAG:
            return None
        await mirror.keep_tag(snapshot.commit, object_id)
        return SignedTag(name, object_id, raw)

    async def describe(self, snapshot: GitSnapshot) -> CommitFacts:
        """Author, date, message and whether there is a signature; no network."""
        return await describe(snapshot)

    async def commits_between(
        self,
        source: GitSource,
        credentials: GitCredentials | None,
        before: str,
        after: GitSnapshot,
        *,
        limit: int = 100,
    ) -> tuple[CommitFacts, ...]:
        """The commits that `after` has and the commit `before` has not, newest first; fetches history as far as needed."""
        access = await self._access(source, credentials)
        return await commits_between(self.git, self._mirror(access.url), access, before, after, limit=limit)

    async def deepen(
        self, source: GitSource, credentials: GitCredentials | None, snapshot: GitSnapshot, commits: int
    ) -> None:
        """Fetches that many more commits of history behind what the mirror has."""
        access = await self._access(source, credentials)
        mirror = self._mirror(access.url)
        async with mirror.fetching:
            await mirror.prepare()
            if await mirror.is_shallow():
                await mirror.deepen(access, snapshot.ref, commits)

    async def collect(self) -> None:
        """Removes what no snapshot in use needs, and mirrors of URLs that nobody named since the start.

        After a start, call it only once all sources were opened again.
        """
        self._resolver.forget(older_than=_REMEMBERED)
        for mirror in list(self._mirrors.values()):
            await mirror.collect()
        await asyncio.to_thread(_remove_strangers, self._root, frozenset(self._mirrors))

    async def rewrites(self) -> Rewrites:
        """The operator's insteadOf rules, as git reads them. Raises SourceError."""
        return parse_rewrites(await self.git.run(["config", "--null", "--list"]))

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
            self._key = await asyncio.to_thread(load_key, self._root)
        return await self._access_as(url, credentials, source.timeout)

    async def _access_as(self, url: GitUrl, credentials: GitCredentials | None, deadline: timedelta) -> Access:
        credentials = credentials if credentials is not None and credentials.parts else None
        assert self._key is not None
        who = credentials.fingerprint(self._key) if credentials is not None else _ANONYMOUS
        contacted = url if credentials is None else await self._contacted_by(url)
        return Access(url=url, contacted=contacted, credentials=credentials, who=who, deadline=deadline)

    async def _contacted_by(self, url: GitUrl) -> GitUrl:
        """Where git will really go: a credential must be bound to that host, and to no other."""
        if url.text not in self._contacted:
            mirror = self._mirror(url)
            async with mirror.fetching:
                await mirror.prepare()
            found = await self.git.run(["ls-remote", "--get-url", url.text], directory=mirror.directory)
            try:
                self._contacted[url.text] = parse_git_url(found.decode().strip(), allow_local=True)
            except InvalidInput:
                self._contacted[url.text] = url  # the operator's rule leads to a plain path: no host to bind to
        return self._contacted[url.text]

    async def _snapshot(
        self, mirror: Mirror, access: Access, found: Resolved, view: View, depth: int = 0
    ) -> GitSnapshot:
        """The snapshot of a commit that is kept already; gives it up when that fails."""
        commit = found.revision.digest
        mounts: dict[str, Mount] = {}
        try:
            reader = mirror.reader
            if reader is None:
                raise MirrorCorrupt(
                    f"our mirror of {mirror.url} is damaged", hint="nothing: it is rebuilt at the next fetch"
                )

            def build() -> GitSnapshot:
                return GitSnapshot(
                    reader,
                    found.revision,
                    url=access.url.text,
                    ref=found.ref,
                    view=view,
                    mounts=mounts,
                    hold=Hold(lambda: mirror.release(commit), lambda: mirror.hold(commit)),
                )

            plain = await asyncio.to_thread(build)
            await asyncio.to_thread(_check_sparse, plain)
            if not view.submodules:
                return plain
            await self._mount(mirror, access, plain, mounts, depth)
            return await asyncio.to_thread(build) if mounts else plain
        except BaseException:
            mirror.release(commit)
            for mounted in mounts.values():
                mounted.snapshot.release()
            raise

    async def _mount(
        self, mirror: Mirror, access: Access, plain: GitSnapshot, mounts: dict[str, Mount], depth: int
    ) -> None:
        """Fetches each submodule that the view shows, from its own mirror, at the commit that the tree names."""
        top = await asyncio.to_thread(plain.reader.tree, plain.tree_id)
        modules = next((entry for entry in top if entry.name == ".gitmodules"), None)
        if modules is None or modules.type is not EntryType.FILE:
            return
        listed = await self.git.run(["config", f"--blob={modules.id}", "-z", "--list"], directory=mirror.directory)
        for submodule in parse_gitmodules(listed):
            place = await asyncio.to_thread(plain.entry, submodule.path)
            if place is None or not place.id.startswith(SUBMODULE_ID_PREFIX):
                continue
            if depth >= DEEPEST:
                raise InvalidInput(f"{access.url}: submodules are nested deeper than {DEEPEST}")
            commit = place.id.removeprefix(SUBMODULE_ID_PREFIX)
            mounts[submodule.path] = Mount(await self._submodule(access, submodule, commit, depth))

    async def _submodule(self, access: Access, submodule: Submodule, commit: str, depth: int) -> GitSnapshot:
        url = submodule_url(access.url, submodule, allow_local=self._allow_local)
        credentials = access.credentials
        if credentials is not None and not may_share_credentials(access.url, url):
            credentials = credentials.for_strangers
        child = await self._access_as(url, credentials, access.deadline)
        mirror = self._mirror(url)
        found = await self._resolver.resolve(mirror, child, GitReference(commit=commit))
        if not await mirror.keep(commit, child.who):
            raise MirrorCorrupt(
                f"our mirror of {url} lost a commit while it was used", hint="nothing: the next try follows by itself"
            )
        return await self._snapshot(mirror, child, found, View(submodules=True), depth + 1)


def view_of(source: GitSource) -> View:
    """What of the tree the source shows. Raises InvalidInput for a path that leads outside."""
    paths = set()
    for text in source.sparse_checkout:
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise InvalidInput(f"{text!r} leads outside of the repository", field="sparseCheckout")
        if not parts:
            return View(submodules=source.recurse_submodules)
        paths.add("/".join(parts))
    return View(tuple(sorted(paths)), source.recurse_submodules)


def _check_sparse(snapshot: GitSnapshot) -> None:
    for path in snapshot.view.sparse:
        entry = snapshot.entry(path)
        if entry is None or entry.type is not EntryType.DIRECTORY:
            top = snapshot.reader.tree(snapshot.tree_id)
            names = ", ".join(entry.name for entry in top[:20] if entry.type is EntryType.DIRECTORY)
            raise InvalidInput(
                f"{snapshot.url}: there is no directory {path!r} at {snapshot.revision.short}",
                hint=f"directories at the top: {names}" if names else "",
                field="sparseCheckout",
            )


def _remove_strangers(root: Path, used: frozenset[str]) -> None:
    for place in root.iterdir() if root.exists() else ():
        if place.is_dir() and place.name not in used and not place.name.startswith(PROOF_PREFIX):
            shutil.rmtree(place, ignore_errors=True)
