"""One bare mirror: the repository of one URL on our disk, its refs of ours, its garbage, its repair.

Refs: `refs/trueup/snapshots/<commit>` holds a commit that somebody uses; `refs/trueup/grants/<who>/<commit>` records
that these credentials were shown it; `refs/trueup/tags/<commit>` keeps a tag object that names it. Who may see what is
`mirrors`' to ask; this module only keeps.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pygit2
import structlog

from trueup.sources.gitcommand import Access, Git
from trueup.sources.giterrors import DiskFull, MirrorCorrupt
from trueup.sources.gitobjects import ObjectReader
from trueup.sources.giturl import GitUrl
from trueup.sources.mirrorcheck import mirror_damage, remove_leftovers

log = structlog.get_logger(__name__)

SNAPSHOTS, GRANTS, INCOMING = "refs/trueup/snapshots/", "refs/trueup/grants/", "refs/trueup/incoming/"
TAG_OBJECTS = "refs/trueup/tags/"
_MANY_PACKS = 20
_COLLECT_DEADLINE = timedelta(minutes=10)
WHOLE_HISTORY = 2**31 - 1  # git's own number for "infinite depth"


class Mirror:
    """`fetching` serialises what writes; `keeping` is held for moments by readers, and by a collection throughout."""

    def __init__(self, git: Git, home: Path, url: GitUrl) -> None:
        self.name = home.name
        self.url = url
        self.directory = home / "1.git"
        """The repository itself. One made anew has another name: libgit2 keeps what it opened by path, damage included."""
        self.fetching = asyncio.Lock()
        self.keeping = asyncio.Lock()
        self._home = home
        self._git = git
        self._reader: ObjectReader | None = None
        self._generation = 0
        self._corrupt = False
        self._held: Counter[str] = Counter()
        self._held_lock = threading.Lock()
        self._numbers = itertools.count()

    async def prepare(self) -> ObjectReader:
        """The reader of a mirror that is there and looks sound; one that is not is made anew. Needs `fetching`."""
        if self._reader is None or self._corrupt:
            async with self.keeping:
                self._reader = await asyncio.to_thread(self._open)
                self._corrupt = False
        return self._reader

    @property
    def reader(self) -> ObjectReader | None:
        """None before the first `prepare`, and while the mirror waits to be made anew."""
        return None if self._corrupt else self._reader

    async def has(self, commit: str) -> bool:
        reader = self.reader
        return reader is not None and await asyncio.to_thread(reader.has, commit)

    def mark_corrupt(self) -> None:
        self._corrupt = True

    async def depth_for_more(self) -> int | None:
        """How deep to fetch a new commit: 1, but a mirror whose whole history somebody asked for is kept whole."""
        shallow, empty = await asyncio.to_thread(lambda: (self._is_shallow(), self._is_empty()))
        return 1 if shallow or empty else None

    async def is_shallow(self) -> bool:
        return await asyncio.to_thread(self._is_shallow)

    def _is_shallow(self) -> bool:
        return (self.directory / "shallow").exists()

    def _is_empty(self) -> bool:
        """No pack has ever arrived."""
        return next((self.directory / "objects" / "pack").glob("*.pack"), None) is None

    async def fetch(self, access: Access, wanted: str, *, depth: int | None) -> str:
        """Fetches one ref or commit and answers the commit that arrived, held until `keep` or the next collection.

        Needs `fetching`. `depth` None continues the history that is there.
        """
        place = f"{INCOMING}{next(self._numbers)}"
        await self._fetch(access, [f"+{wanted}:{place}"], depth)
        return await asyncio.to_thread(self._take, place)

    async def fetch_tag(self, access: Access, ref: str) -> str:
        """Fetches a tag as it stands now; answers the object that it names: a tag object, or a lightweight tag's commit.

        Needs `fetching`. The object stays until `keep_tag` or the next collection.
        """
        place = f"{INCOMING}{next(self._numbers)}"
        await self._fetch(access, [f"+{ref}:{place}"], 1 if await asyncio.to_thread(self._is_shallow) else None)
        return await asyncio.to_thread(self._read_ref, place)

    async def keep_tag(self, commit: str, tag: str) -> None:
        """Keeps a tag object for as long as the commit is held."""
        async with self.keeping:
            await asyncio.to_thread(self._write_ref, f"{TAG_OBJECTS}{commit}", tag)

    async def kept_tag(self, commit: str) -> str | None:
        try:
            return await asyncio.to_thread(self._read_ref, f"{TAG_OBJECTS}{commit}")
        except MirrorCorrupt:
            return None

    async def fetch_history(self, access: Access, refs: Sequence[str]) -> list[str]:
        """Fetches refs with all of their history; answers every commit that they lead to, newest first. Needs `fetching`."""
        place = f"{INCOMING}{next(self._numbers)}"
        specs = [f"+{ref}:{place}/{index}" for index, ref in enumerate(refs)]
        for chunk in _chunks(specs, 500):
            await self._fetch(access, chunk, WHOLE_HISTORY)
        listed = await self._git.run(
            ["rev-list", f"--glob={place}"], deadline=access.deadline, directory=self.directory
        )
        return listed.decode().split()

    async def deepen(self, access: Access, wanted: str, by: int) -> None:
        """Fetches `by` more commits of history behind what is there. Needs `fetching`."""
        place = f"{INCOMING}{next(self._numbers)}"
        await self._fetch(access, [f"+{wanted}:{place}"], None, deepen=by)

    async def _fetch(
        self, access: Access, specs: Sequence[str], depth: int | None, *, deepen: int | None = None
    ) -> None:
        arguments = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
        ]
        arguments += ["--update-shallow", "--force"]
        arguments += [f"--depth={depth}"] if depth is not None else []
        arguments += [f"--deepen={deepen}"] if deepen is not None else []
        try:
            await self._git.run(
                [*arguments, "--", access.url.text, *specs],
                access=access,
                directory=self.directory,
                grows=self.directory,
            )
        except BaseException as error:
            if isinstance(error, MirrorCorrupt):
                self.mark_corrupt()
            await asyncio.shield(asyncio.to_thread(remove_leftovers, self.directory))
            raise

    async def keep(self, commit: str, who: str) -> bool:
        """Holds a commit for a snapshot and records the grant; False when the mirror does not have it (any more)."""
        async with self.keeping:
            reader = self.reader
            if reader is None or not await asyncio.to_thread(reader.has, commit):
                return False
            await asyncio.to_thread(self._write_refs, commit, who)
            with self._held_lock:
                self._held[commit] += 1
            return True

    def hold(self, commit: str) -> Callable[[], None]:
        """One more snapshot uses a commit that is held already; answers how it gives it up."""
        with self._held_lock:
            self._held[commit] += 1
        return lambda: self.release(commit)

    def release(self, commit: str) -> None:
        """One snapshot less uses the commit. From any thread; the ref goes at the next collection."""
        with self._held_lock:
            self._held[commit] -= 1
            if self._held[commit] <= 0:
                del self._held[commit]

    def held(self) -> frozenset[str]:
        with self._held_lock:
            return frozenset(self._held)

    async def granted(self, prefix: str, who: str) -> str | None:
        """The one commit with this hash, or beginning of one, that these credentials were shown before.

        A grant lives as long as the ref that holds the commit.
        """
        found = await asyncio.to_thread(
            lambda: [path.name for path in (self.directory / GRANTS / who).glob(f"{prefix}*")]
        )
        commits = [name for name in found if not name.endswith(".lock")]
        return commits[0] if len(commits) == 1 else None

    async def collect(self) -> bool:
        """Drops the refs of commits that nobody holds, and what only they led to. True when anything was dropped."""
        async with self.fetching, self.keeping:
            if self._reader is None or self._corrupt:
                return False
            dropped, packs = await asyncio.to_thread(self._drop_refs)
            if dropped or packs > _MANY_PACKS:
                log.info("collecting garbage", url=str(self.url), dropped=dropped, packs=packs)
                await self._git.run(["repack", "-a", "-d", "-q"], deadline=_COLLECT_DEADLINE, directory=self.directory)
                await self._git.run(["prune", "--expire=now"], deadline=_COLLECT_DEADLINE, directory=self.directory)
            return dropped > 0

    def _open(self) -> ObjectReader:
        """Opens the mirror, or makes an empty one where there is none or a damaged one."""
        numbers = sorted(int(path.stem) for path in self._home.glob("*.git") if path.stem.isdigit())
        number = numbers[-1] if numbers else 0
        damage = mirror_damage(self._home / f"{number}.git") if numbers else None
        if self._corrupt and damage is None:
            damage = "an object could not be read"
        if damage is not None:
            log.warning("rebuilding a damaged mirror", url=str(self.url), damage=damage)
        if damage is not None or not numbers:
            number = max(number, self._generation) + 1
            self._create(self._home / f"{number}.git")
        self.directory = self._home / f"{number}.git"
        self._generation = number
        for other in self._home.iterdir():
            if other != self.directory:
                shutil.rmtree(other, ignore_errors=True)
        remove_leftovers(self.directory)
        return ObjectReader(self.directory, str(self.url), self._marker(number))

    def _marker(self, generation: int) -> Callable[[], None]:
        def mark() -> None:  # a reader of an earlier mirror says nothing about this one
            if generation == self._generation:
                self.mark_corrupt()

        return mark

    def _create(self, place: Path) -> None:
        partial = place.with_name(f"{place.name}.new")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            repository = pygit2.init_repository(str(partial), bare=True, initial_head="main")
            repository.config["gc.auto"] = 0
            repository.free()
            (partial / "description").write_text(f"Trueup's mirror of {self.url}\n", encoding="utf-8")
            partial.rename(place)  # there only once it is whole
        except (OSError, pygit2.GitError) as error:
            raise DiskFull(
                f"cannot create a mirror of {self.url}: {error}", hint="check the state folder's space and rights"
            ) from error

    def _take(self, place: str) -> str:
        """The commit that an incoming ref leads to."""
        assert self._reader is not None
        return self._reader.commit_of(self._read_ref(place))

    def _read_ref(self, place: str) -> str:
        try:
            return (self.directory / place).read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise MirrorCorrupt(
                f"{self.url}: git fetched nothing", hint="nothing: the next try follows by itself"
            ) from error

    def _write_refs(self, commit: str, who: str) -> None:
        for name in (f"{SNAPSHOTS}{commit}", f"{GRANTS}{who}/{commit}"):
            if not (self.directory / name).exists():
                self._write_ref(name, commit)

    def _write_ref(self, name: str, object_id: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.lock")  # git's own way: write beside, then rename
        partial.write_text(f"{object_id}\n", encoding="ascii")
        partial.replace(path)

    def _drop_refs(self) -> tuple[int, int]:
        """How many commits were let go, and how many packs there are."""
        held = self.held()
        dropped = 0
        for folder in (SNAPSHOTS, GRANTS, TAG_OBJECTS):
            for path in (self.directory / folder).rglob("*"):
                if path.is_file() and path.name not in held:
                    path.unlink(missing_ok=True)
                    dropped += folder == SNAPSHOTS
        for path in (self.directory / INCOMING).rglob("*"):
            # What came and was never held: a fetch that failed at its end, or was overtaken.
            dropped += path.is_file() and path.read_text(encoding="ascii").strip() not in held
        shutil.rmtree(self.directory / INCOMING, ignore_errors=True)
        return dropped, len(list((self.directory / "objects" / "pack").glob("*.pack")))


def _chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
