"""What came from elsewhere than Git, kept as trees of one bare repository of ours.

So it is content-addressed, shared, compared by subtree and collected like Git's own. What a tree was made of, and who may
see it, is remembered as a *grant*: (who, revision) -> tree. A collection drops the trees that no snapshot holds, with their grants.

Nothing here touches a network. Which paths may be is decided here, whoever hands the files over.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pygit2
import structlog
from pygit2.enums import FileMode

from trueup.model.errors import InvalidInput
from trueup.model.revision import Revision
from trueup.model.snapshot import Details
from trueup.sources.diskuse import DiskBudget, full
from trueup.sources.gitcommand import Git
from trueup.sources.giterrors import DiskFull
from trueup.sources.gitobjects import ObjectReader
from trueup.sources.mirrorcheck import mirror_damage, remove_leftovers
from trueup.sources.storedfile import StoredFile
from trueup.sources.treesnapshot import Hold, Mount, TreeSnapshot

log = structlog.get_logger(__name__)

_TREES = "refs/trueup/trees"
_GRANTS = "trueup/grants"
"""Below the repository's folder. Not refs: a grant holds more than an id."""
_DEADLINE = timedelta(minutes=10)
_LABEL = "the store of fetched content"
_DEEPEST = 64
_LONGEST = 255
"""Bytes of one name, as most file systems have it."""


class ContentStore:
    """All content of one process that is not Git's. `root` is a folder of its own; one process at a time may use it."""

    def __init__(self, root: Path, git: Git, budget: DiskBudget | None = None) -> None:
        self._root = root
        self._git = git
        self._budget = budget
        self._turn = asyncio.Lock()
        """Held by whoever writes or collects, so that nothing is collected between its writing and its being held."""
        self._held: Counter[str] = Counter()
        self._held_lock = threading.Lock()
        self._open: _Repository | None = None
        self._corrupt = False

    async def put(
        self,
        files: Iterable[StoredFile],
        revision: Revision,
        *,
        grant: str,
        mounts: Mapping[str, Mount] | None = None,
        details: Details | None = None,
    ) -> TreeSnapshot:
        """Stores the files (consumed in a thread; they may unpack as they go) and gives their snapshot, held.

        `grant` names who may have it again by `reopen` (`sources.secrets.Granted`). Whatever reading the files raises is
        raised; then nothing is granted. Raises InvalidInput for a path that may not be, DiskFull, MirrorCorrupt.
        """
        details = details or Details()
        files = _within(self._budget, files) if self._budget is not None else files
        async with self._turn:
            repository = await asyncio.to_thread(self._repository)
            tree = await asyncio.to_thread(repository.write, files)
            await asyncio.to_thread(repository.grant, grant, revision, tree, details)
            self._hold(tree)
        return self._snapshot(repository, tree, revision, mounts, details)

    async def reopen(
        self, grant: str, revision: Revision, *, mounts: Mapping[str, Mount] | None = None
    ) -> TreeSnapshot | None:
        """What was put under this grant and revision before, also by an earlier process; None: it is not here (any more)."""
        async with self._turn:
            repository = await asyncio.to_thread(self._repository)
            found = await asyncio.to_thread(repository.granted, grant, revision)
            if found is None or not await asyncio.to_thread(repository.reader.has, found[0]):
                return None
            self._hold(found[0])
        return self._snapshot(repository, found[0], revision, mounts, found[1])

    async def is_granted(self, grant: str, snapshot: TreeSnapshot) -> bool:
        """Whether the snapshot is what was put under this grant, and not what another source (or another spec) was given."""
        if not self.holds(snapshot):
            return False
        async with self._turn:
            repository = await asyncio.to_thread(self._repository)
            found = await asyncio.to_thread(repository.granted, grant, snapshot.revision)
        return found is not None and found[0] == snapshot.tree_id

    async def collect(self) -> bool:
        """Drops what no snapshot holds. True when anything was dropped. Call it only once all sources were opened again."""
        async with self._turn:
            if self._open is None or self._corrupt:
                return False
            repository = self._open
            with self._held_lock:
                held = frozenset(self._held)
            dropped = await asyncio.to_thread(repository.drop_others, held)
            if dropped or await asyncio.to_thread(repository.is_scattered):
                for arguments in (["repack", "-a", "-d", "-q"], ["prune", "--expire=now"]):
                    await self._git.run(arguments, deadline=_DEADLINE, directory=repository.directory)
            return dropped > 0

    def holds(self, snapshot: TreeSnapshot) -> bool:
        """Whether that snapshot reads from this store as it is now: one made before it was rebuilt does not."""
        return self._open is not None and not self._corrupt and snapshot.reader is self._open.reader

    def _snapshot(
        self,
        repository: _Repository,
        tree: str,
        revision: Revision,
        mounts: Mapping[str, Mount] | None,
        details: Details,
    ) -> TreeSnapshot:
        return TreeSnapshot(
            repository.reader,
            tree,
            revision,
            mounts=mounts,
            hold=Hold(lambda: self._release(tree), lambda: self._hold(tree)),
            details=details,
        )

    def _hold(self, tree: str) -> Callable[[], None]:
        with self._held_lock:
            self._held[tree] += 1
        return lambda: self._release(tree)

    def _release(self, tree: str) -> None:
        with self._held_lock:
            self._held[tree] -= 1
            if self._held[tree] <= 0:
                del self._held[tree]

    def _repository(self) -> _Repository:
        """The repository; one that is damaged is made anew, and its content fetched again by whoever needs it."""
        if self._open is None or self._corrupt:
            self._open = _Repository(self._root, self._mark, rebuild=self._corrupt)
            self._corrupt = False
        return self._open

    def _mark(self) -> None:
        self._corrupt = True


def _within(budget: DiskBudget, files: Iterable[StoredFile]) -> Iterator[StoredFile]:
    """The files as long as there is room for them, counted as they are, not as they are stored. Runs in a thread."""
    room, taken = budget.room(), 0
    try:
        for file in files:
            taken += len(file.data)
            if taken > room:
                raise full(budget.measure())
            yield file
    finally:
        budget.grew(content=taken)


class _Repository:
    """The bare repository as files and objects; blocks. One made anew has another name: libgit2 keeps what it opened by path."""

    def __init__(self, root: Path, on_corrupt: Callable[[], None], *, rebuild: bool) -> None:
        numbers = sorted(int(path.stem) for path in root.glob("*.git") if path.stem.isdigit()) if root.exists() else []
        number = numbers[-1] if numbers else 0
        damage = "an object could not be read" if rebuild else None
        damage = damage or (mirror_damage(root / f"{number}.git") if numbers else None)
        if damage is not None:
            log.warning("rebuilding the damaged store of fetched content", damage=damage)
        if damage is not None or not numbers:
            number += 1
            _create(root, root / f"{number}.git")
        self.directory = root / f"{number}.git"
        for other in root.iterdir():
            if other != self.directory and other.suffix in (".git", ".new"):
                shutil.rmtree(other, ignore_errors=True)
        remove_leftovers(self.directory)
        self.reader = ObjectReader(self.directory, _LABEL, on_corrupt)
        self._writer = pygit2.Repository(str(self.directory))

    def write(self, files: Iterable[StoredFile]) -> str:
        """The id of the tree that the files make. Of two files of one path the last one counts, as when unpacking."""
        try:
            top = _Folder()
            for file in files:
                content = file.link.encode() if file.link is not None else file.data
                top.place(_checked(file.path), self._writer.create_blob(content), _mode(file))
            return str(self._write_folder(top))
        except (pygit2.GitError, OSError) as error:
            raise DiskFull(
                f"fetched content cannot be stored: {error}", hint="check the state folder's space and rights"
            ) from error

    def _write_folder(self, folder: _Folder) -> pygit2.Oid:
        builder = self._writer.TreeBuilder()
        for name, (blob, mode) in folder.files.items():
            builder.insert(name, blob, mode)
        for name, below in folder.folders.items():
            builder.insert(name, self._write_folder(below), FileMode.TREE)
        return builder.write()

    def grant(self, who: str, revision: Revision, tree: str, details: Details) -> None:
        """Written beside, then renamed: it is there whole or not at all. The ref keeps git's own tools from pruning the tree."""
        try:
            for path, text in (
                (self.directory / _TREES / tree, f"{tree}\n".encode()),
                (self._grant_file(who, revision), tree.encode() + b"\n" + msgspec.json.encode(details)),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(f"{path.name}.lock")
                partial.write_bytes(text)
                partial.replace(path)
        except OSError as error:
            raise DiskFull(
                f"fetched content cannot be stored: {error}", hint="check the state folder's space and rights"
            ) from error

    def granted(self, who: str, revision: Revision) -> tuple[str, Details] | None:
        try:
            tree, _, details = self._grant_file(who, revision).read_bytes().partition(b"\n")
            return tree.decode("ascii"), msgspec.json.decode(details, type=Details)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            log.warning("a grant cannot be read; its content is fetched again", error=str(error))
            return None

    def drop_others(self, held: frozenset[str]) -> int:
        """How many trees were let go."""
        dropped = 0
        for path in (self.directory / _TREES).glob("*"):
            if path.name not in held:
                path.unlink(missing_ok=True)
                dropped += 1
        for path in (self.directory / _GRANTS).glob("*/*"):
            with contextlib.suppress(OSError):
                if path.read_bytes().partition(b"\n")[0].decode("ascii", "replace") not in held:
                    path.unlink(missing_ok=True)
        return dropped

    def is_scattered(self) -> bool:
        """Many loose objects or packs, which cost space and time."""
        loose = sum(1 for _ in _some((self.directory / "objects").glob("[0-9a-f][0-9a-f]/*"), 5000))
        return loose >= 5000 or len(list((self.directory / "objects" / "pack").glob("*.pack"))) > 20

    def _grant_file(self, who: str, revision: Revision) -> Path:
        return self.directory / _GRANTS / who / hashlib.sha256(str(revision).encode()).hexdigest()


class _Folder:
    """A directory that grows while files arrive."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[pygit2.Oid, FileMode]] = {}
        self.folders: dict[str, _Folder] = {}

    def place(self, parts: list[str], blob: pygit2.Oid, mode: FileMode) -> None:
        folder = self
        for name in parts[:-1]:
            folder.files.pop(name, None)
            folder = folder.folders.setdefault(name, _Folder())
        folder.folders.pop(parts[-1], None)
        folder.files[parts[-1]] = (blob, mode)


def _mode(file: StoredFile) -> FileMode:
    if file.link is not None:
        return FileMode.LINK
    return FileMode.BLOB_EXECUTABLE if file.executable else FileMode.BLOB


def _checked(path: str) -> list[str]:
    """The names of a path that may be. Raises InvalidInput."""
    parts = path.split("/")
    for name in parts:
        if name in ("", ".", "..") or name.lower() == ".git" or "\0" in name or len(name.encode()) > _LONGEST:
            raise InvalidInput(
                f"the fetched content holds the path {path[:200]!r}, which no directory may have",
                hint="make the archive anew, with plain relative paths",
            )
    if len(parts) > _DEEPEST:
        raise InvalidInput(f"the fetched content is nested deeper than {_DEEPEST}: {path[:200]!r}")
    return parts


def _create(root: Path, place: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = place.with_name(f"{place.name}.new")
        shutil.rmtree(partial, ignore_errors=True)
        repository = pygit2.init_repository(str(partial), bare=True, initial_head="main")
        repository.config["gc.auto"] = 0
        repository.free()
        partial.rename(place)  # there only once it is whole
    except (OSError, pygit2.GitError) as error:
        raise DiskFull(
            f"cannot create the store of fetched content: {error}", hint="check the state folder's space and rights"
        ) from error


def _some(items: Iterable[Path], at_most: int) -> Iterator[Path]:
    for number, item in enumerate(items):
        if number >= at_most:
            return
        yield item
