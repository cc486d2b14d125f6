"""The one unpacker of tar archives from outside: a layer, a chart, an artifact becomes StoredFiles, within limits.

Nothing is written to a disk here, so no name can reach one. Whatever is not a plain file, a directory or a link that stays
inside ends the unpacking, and so does more than the limits allow, before it is held in memory. Links are looked at as text;
who follows them must stay inside on their own. Blocks: run it in a thread. Digests of the archive are the caller's to check.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import IO, NoReturn, cast

from msgspec import Struct

from trueup.model.errors import SourceError
from trueup.sources.storedfile import StoredFile, is_git_directory, path_fault

MEBIBYTE = 1024 * 1024
_GZIP, _ZSTD, _ZIP, _XZ, _BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\xfd7zXZ\x00", b"BZh"
_FOREIGN = {_ZSTD: "zstd", _ZIP: "zip", _XZ: "xz", _BZIP2: "bzip2"}
_LARGEST_HEADER = 64 * 1024
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_KINDS = {
    tarfile.LNKTYPE: "a hard link", tarfile.CHRTYPE: "a character device", tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe", tarfile.GNUTYPE_SPARSE: "a sparse file",
}  # fmt: skip


class ArchiveRefused(SourceError):
    """The archive holds something that must not be unpacked, or more than the limits allow."""

    reason = "ArchiveRefused"


class ArchiveDamaged(SourceError):
    """The bytes are no archive, or stop in the middle of one."""

    reason = "ArchiveDamaged"


class Links(StrEnum):
    """What becomes of symbolic links: Flux leaves them out of OCI artifacts, Argo CD keeps those that stay inside."""

    SKIP = "skip"
    KEEP = "keep"
    REFUSE = "refuse"


class ArchiveLimits(Struct, frozen=True, kw_only=True):
    """Bytes after decompression; `ratio` is unpacked to packed, looked at once more than `ratio_from` came out."""

    entries: int = 20_000
    total: int = 256 * MEBIBYTE
    single: int = 64 * MEBIBYTE
    ratio: int = 200
    ratio_from: int = 16 * MEBIBYTE


DEFAULT_LIMITS = ArchiveLimits()


def unpack_tar(
    packed: IO[bytes] | bytes,
    *,
    limits: ArchiveLimits = DEFAULT_LIMITS,
    links: Links = Links.SKIP,
    what: str = "the archive",
) -> Iterator[StoredFile]:
    """The files of a .tar or .tar.gz, in its order. A path that comes twice means: the later one replaces the earlier.

    `.git` directories are left out. Raises ArchiveRefused, ArchiveDamaged; what came before it must not be used then.
    """
    source = _Counted(io.BytesIO(packed) if isinstance(packed, bytes) else packed)
    stream = _Limited(_decompressed(source, what), source, limits, what)
    seen: dict[str, bool] = {}  # path -> whether it is a directory
    try:
        # Streaming ("r|") reads strictly forward, and holds no more of the archive than the file at hand.
        with tarfile.open(
            fileobj=cast("IO[bytes]", stream), mode="r|", tarinfo=_Header, encoding="utf-8", errors="surrogateescape"
        ) as tar:
            for count, member in enumerate(tar, start=1):
                if max(count, len(seen)) > limits.entries:  # directories that are only implied count too
                    raise ArchiveRefused(f"{what} has more than {limits.entries} entries", hint=_SMALLER)
                file = _read_member(tar, member, limits, links, what, seen)
                if file is not None:
                    yield file
    except _UnusableHeader as error:
        raise ArchiveRefused(f"{what}: {error}") from None
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, IndexError) as error:
        raise ArchiveDamaged(f"{what} cannot be unpacked: {error or 'it ends too early'}", hint=_AGAIN) from error
    except RecursionError as error:
        raise ArchiveRefused(f"{what} has headers about headers without an end") from error


_SMALLER = "put less into it (of OCI artifacts, --artifact-size is the limit)"
_AGAIN = "push it again; the archive is a .tar or .tar.gz"


def _read_member(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    limits: ArchiveLimits,
    links: Links,
    what: str,
    seen: dict[str, bool],
) -> StoredFile | None:
    path = _clean(member.name, what)
    if path == "" and member.isdir():
        return None
    if any(is_git_directory(name) for name in path.split("/")):
        return None
    if fault := path_fault(path):
        raise ArchiveRefused(f"{what}: the path {member.name[:200]!r} {fault}")
    if member.isdir():
        _claim(path, seen, what, directory=True)
        return None
    if member.issym():
        return _link(path, member.linkname, links, what, seen)
    if not member.isreg():
        kind = _KINDS.get(member.type, f"an entry of the kind {member.type!r}")
        raise ArchiveRefused(f"{what}: {path} is {kind}; only files and directories are taken")
    if member.size > limits.single:
        raise ArchiveRefused(f"{what}: {path} is larger than {_shown(limits.single)} (limit)", hint=_SMALLER)
    _claim(path, seen, what, directory=False)
    content = tar.extractfile(member)
    data = content.read() if content is not None else b""
    if len(data) != member.size:
        raise ArchiveDamaged(f"{what} ends in the middle of {path}", hint=_AGAIN)
    return StoredFile(path, data, executable=bool(member.mode & 0o111))


def _clean(name: str, what: str) -> str:
    """`./a//b/` -> `a/b`; what leads outside is refused before anything could tidy it away."""
    if name.startswith("/"):
        raise ArchiveRefused(f"{what}: the path {name[:200]!r} is absolute")
    if ".." in name.split("/"):
        raise ArchiveRefused(f"{what}: the path {name[:200]!r} leads out of its tree with '..'")
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _claim(path: str, seen: dict[str, bool], what: str, *, directory: bool) -> None:
    """A path is a file or a directory, and stays it: nothing can be put below a file or behind a link."""
    parent = path.rpartition("/")[0]
    while parent and parent not in seen:
        seen[parent] = True
        parent = parent.rpartition("/")[0]
    if parent and not seen[parent]:
        raise ArchiveRefused(f"{what}: {path} is below {parent}, which is not a directory")
    if seen.setdefault(path, directory) is not directory:
        raise ArchiveRefused(f"{what}: {path} is there as a file and as a directory")


def _link(path: str, target: str, links: Links, what: str, seen: dict[str, bool]) -> StoredFile | None:
    match links:
        case Links.SKIP:
            return None
        case Links.REFUSE:
            raise ArchiveRefused(f"{what}: {path} is a symbolic link; only files and directories are taken")
        case Links.KEEP:
            reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            outside = target.startswith("/") or reached == ".." or reached.startswith("../")
            if outside or not target or "\0" in target or len(target) > _LARGEST_HEADER // 16:
                raise ArchiveRefused(f"{what}: the link {path} leads out of its tree, to {target[:200]!r}")
            _claim(path, seen, what, directory=False)
            return StoredFile(path, link=target)


class _UnusableHeader(Exception):
    pass


class _Header(tarfile.TarInfo):
    """A header that cannot ask for much memory, nor describe a sparse file (whose size is not the archive's)."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _HEADERS and header.size > _LARGEST_HEADER:
            raise _UnusableHeader(f"a header is larger than {_LARGEST_HEADER // 1024} KiB")
        if header.type == tarfile.GNUTYPE_SPARSE:
            cls._refuse_sparse()
        if header.size < 0:
            raise _UnusableHeader("an entry has a negative size")
        return header

    @staticmethod
    def _refuse_sparse(*_: object) -> NoReturn:
        raise _UnusableHeader("it holds a sparse file; only plain files are taken")

    # tarfile's readers of the three PAX forms of sparse files trust the numbers that they find.
    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


class _Counted(io.RawIOBase):
    """Counts the packed bytes that were read. `first` looks at the beginning without taking it."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._ahead = b""
        self.count = 0

    def readable(self) -> bool:
        return True

    def first(self, size: int) -> bytes:
        while len(self._ahead) < size and (more := self._file.read(size - len(self._ahead))):
            self._ahead += more
        return self._ahead

    def read(self, size: int = -1) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead, b""
        else:
            data = self._file.read(size if size > 0 else 64 * 1024)
        self.count += len(data)
        return data

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._ahead:
            data, self._ahead = self._ahead[: len(view)], self._ahead[len(view) :]
        else:
            data = self._file.read(len(view))
        view[: len(data)] = data
        self.count += len(data)
        return len(data)


def _decompressed(source: _Counted, what: str) -> IO[bytes]:
    first = source.first(6)
    for magic, name in _FOREIGN.items():
        if first.startswith(magic):
            raise ArchiveRefused(f"{what} is compressed with {name}; only gzip is taken", hint="push a .tar.gz")
    buffered = io.BufferedReader(source)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=buffered, mode="rb")) if first.startswith(_GZIP) else buffered


class _Limited:
    """What comes out of the decompression, for as long as the limits allow."""

    def __init__(self, stream: IO[bytes], source: _Counted, limits: ArchiveLimits, what: str) -> None:
        self._stream = stream
        self._source = source
        self._limits = limits
        self._what = what
        self._total = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._total += len(data)
        if self._total > self._limits.total:
            raise ArchiveRefused(
                f"{self._what} unpacks to more than {_shown(self._limits.total)} (limit)", hint=_SMALLER
            )
        if self._total > self._limits.ratio_from and self._total > self._source.count * self._limits.ratio:
            raise ArchiveRefused(
                f"{self._what} unpacks to more than {self._limits.ratio} times its size: a decompression bomb",
                hint="push an archive of ordinary files",
            )
        return data


def _shown(size: int) -> str:
    return f"{size // MEBIBYTE} MiB" if size >= MEBIBYTE else f"{size} bytes"
