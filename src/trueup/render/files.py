"""The engine's window on a Snapshot: answers its looks, sends along what it will want next, records what counted."""

from __future__ import annotations

from trueup.model.errors import BuildFailed
from trueup.model.snapshot import Entry, EntryType
from trueup.render.engine.frames import File, Name
from trueup.render.inputs import At, Recorder, join, too_large
from trueup.render.limits import RenderLimits

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_AHEAD_TOTAL = 1 << 20
_GUESSED_FILE = 128 << 10
_GUESSED_TOTAL = 4 << 20
_AHEAD_COUNT = 64
_TREE_COUNT = 256


class SnapshotFiles:
    """An engine's `FileServer` over a Recorder."""

    def __init__(self, recorder: Recorder, limits: RenderLimits) -> None:
        self._recorder = recorder
        self._limits = limits
        self._sent: set[str] = set()
        self._bytes = 0
        self._guessed_bytes = 0

    def found(self, path: str, listed: bool) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        files: list[File] = []
        blobs: list[bytes] = []
        self._add(path, listed, files, blobs)
        if files[0].is_ == "directory":
            self._add_ahead(path, files, blobs)
        return tuple(files), tuple(blobs)

    def ahead(self, paths: tuple[str, ...]) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        """Files that a request will surely ask for, to send with it."""
        files: list[File] = []
        blobs: list[bytes] = []
        sent = 0
        for path in paths:
            if sent > _AHEAD_TOTAL:
                break
            self._add(path, False, files, blobs)
            sent += files[-1].size
        return tuple(files), tuple(blobs)

    def tree(self, path: str, also: tuple[str, ...]) -> tuple[tuple[File, ...], tuple[bytes, ...]]:
        """A directory with all that lies below it, for an engine that reads all of it, and files that it will ask for."""
        files: list[File] = []
        blobs: list[bytes] = []
        self._add(path, True, files, blobs)
        pending = [path] if files[0].is_ == "directory" else []
        while pending and len(files) < _TREE_COUNT:
            pending += self._add_below(pending.pop(0), files, blobs)
        for each in also:
            if each not in self._sent:
                self._add(each, False, files, blobs)
        return tuple(files), tuple(blobs)

    def _add_below(self, directory: str, files: list[File], blobs: list[bytes]) -> list[str]:
        """The entries of a directory on a guess; gives the directories among them."""
        deeper: list[str] = []
        for name in files[-1].names if files[-1].path == directory else self._names(directory):
            here = join(directory, name.name)
            at = self._recorder.peek(here)
            if name.is_ == "directory":
                self._add(here, True, files, blobs, guessed=True)
                if files[-1].is_ == "directory":
                    deeper.append(here)
            elif at.entry is not None and len(files) < _TREE_COUNT and self._may_guess(at.entry):
                self._add(here, False, files, blobs, guessed=True)
        return deeper

    def looked(self, path: str, listed: bool) -> None:
        try:
            self._recorder.look(path)
            if listed:
                self._recorder.listing(path)
        except BuildFailed:
            return  # the engine was told why and has said so

    def _add(self, path: str, listed: bool, files: list[File], blobs: list[bytes], *, guessed: bool = False) -> None:
        self._sent.add(path)
        try:
            at = self._recorder.peek(path)
            if at.entry is None:
                files.append(File(path=path, is_="absent", at=at.path))
            elif at.is_directory:
                names = self._names(path) if listed else ()
                files.append(File(path=path, is_="directory", at=at.path, names=names, listed=listed))
            else:
                data = self._read(at, guessed=guessed)
                files.append(File(path=path, is_="file", at=at.path, size=len(data)))
                blobs.append(data)
        except BuildFailed as error:
            files.append(File(path=path, is_="refused", why=error.message))

    def _read(self, at: At, *, guessed: bool) -> bytes:
        """Files sent on a guess have a bound of their own, so that nobody is refused for what nothing asked for."""
        assert at.entry is not None
        if at.entry.size > self._limits.file_bytes:
            raise too_large(at, self._limits.file_bytes)
        self._bytes += 0 if guessed else at.entry.size
        if self._bytes > self._limits.total_bytes:
            raise BuildFailed(f"the files have more than {self._limits.total_bytes} bytes together")
        return self._recorder.snapshot.read(at.path)

    def _names(self, path: str) -> tuple[Name, ...]:
        rows: list[Name] = []
        for entry in self._recorder.peek_listing(path):
            at = self._recorder.peek(join(path, entry.name))
            if at.entry is not None:
                rows.append(Name(entry.name, "directory" if at.is_directory else "file"))
        return tuple(rows)

    def _may_guess(self, entry: Entry) -> bool:
        if entry.size > _GUESSED_FILE or self._guessed_bytes + entry.size > _GUESSED_TOTAL:
            return False
        self._guessed_bytes += entry.size
        return True

    def _add_ahead(self, directory: str, files: list[File], blobs: list[bytes]) -> None:
        """The kustomization files of a directory and the small manifests beside them: one answer in place of many."""
        paths = [join(directory, name) for name in KUSTOMIZATION_FILES]
        at = self._recorder.peek(directory)
        for entry in self._recorder.snapshot.listing(at.path)[:_AHEAD_COUNT]:
            guess = entry.type is EntryType.FILE and entry.name.endswith((".yaml", ".yml"))
            if guess and self._may_guess(entry):
                paths.append(join(directory, entry.name))
        for path in paths:
            if path not in self._sent:
                self._add(path, False, files, blobs, guessed=True)
