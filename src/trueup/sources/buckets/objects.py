"""What a bucket holds, what of it belongs to a source, and the revision that this makes. Pure.

As in Flux: the digest is over `<name> <etag>` lines sorted by name, of the objects that are not left out. Unlike the ignore
rules of repositories there are no exclusions by default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Protocol

from msgspec import Struct

from trueup.model.errors import SourceError
from trueup.model.revision import Revision
from trueup.sources.ignore import IGNORE_FILE, is_ignored, parse_patterns
from trueup.sources.storedfile import path_fault

MEBIBYTE = 1024 * 1024


class BucketRefused(SourceError):
    """The bucket holds more than is taken, or a name that no file can have."""

    reason = "BucketRefused"


class BucketNotFound(SourceError):
    """There is no such bucket, or the credentials may not know of it."""

    reason = "BucketNotFound"


class ObjectGone(Exception):
    """An object that was listed is not there any more, or is another one by now."""


class BucketObject(Struct, frozen=True, gc=False):
    """`etag` as the store writes it, without quotes."""

    key: str
    etag: str
    size: int = 0


class BucketLimits(Struct, frozen=True, kw_only=True):
    objects: int = 10_000
    single: int = 32 * MEBIBYTE
    total: int = 256 * MEBIBYTE


DEFAULT_LIMITS = BucketLimits()


class BucketClient(Protocol):
    """One bucket of one provider, with its credentials. Blocks; used by several threads at once."""

    def list(self, prefix: str) -> Iterator[BucketObject]:
        """Raises SourceError and its kinds."""
        ...

    def get(self, key: str, target: IO[bytes], limit: int) -> str:
        """Writes at most `limit` bytes and answers the ETag. Raises ObjectGone, SourceError and its kinds."""
        ...

    def close(self) -> None: ...


def selected(
    objects: Iterable[BucketObject], ignore_file: str, ignore: str | None, limits: BucketLimits = DEFAULT_LIMITS
) -> dict[str, BucketObject]:
    """Name -> object, without folders' markers and what is left out. Raises BucketRefused."""
    patterns = parse_patterns(ignore_file) + parse_patterns(ignore or "")
    found: dict[str, BucketObject] = {}
    total = 0
    for seen, one in enumerate(objects, start=1):
        if seen > limits.objects * 10:
            raise BucketRefused(f"the bucket has more than {limits.objects * 10} objects", hint=_NARROWER)
        if one.key.endswith("/") or one.key == IGNORE_FILE or is_ignored(patterns, one.key.split("/"), directory=False):
            continue
        if fault := path_fault(one.key):
            raise BucketRefused(
                f"the object {one.key[:200]!r} cannot be a file: its name {fault}", hint="leave it out with spec.ignore"
            )
        total += one.size
        if one.size > limits.single:
            raise BucketRefused(
                f"the object {one.key} is larger than {limits.single // MEBIBYTE} MiB (limit)", hint=_NARROWER
            )
        found[one.key] = one
        if len(found) > limits.objects or total > limits.total:
            raise BucketRefused(
                f"the bucket has more than {limits.objects} objects or {limits.total // MEBIBYTE} MiB (limits)",
                hint=_NARROWER,
            )
    _check_folders(found)
    return found


_NARROWER = "set spec.prefix, or leave objects out with spec.ignore"


def revision_of(etags: Mapping[str, str]) -> Revision:
    digest = hashlib.sha256()
    for key in sorted(etags, key=lambda name: name.encode()):
        digest.update(f"{key} {etags[key]}\n".encode())
    return Revision("", "sha256", digest.hexdigest())


def _check_folders(found: Mapping[str, BucketObject]) -> None:
    """An object store has no folders, so a name may be both an object and the beginning of others."""
    for key in found:
        parent = key.rpartition("/")[0]
        while parent:
            if parent in found:
                raise BucketRefused(
                    f"{parent} is an object and also the folder of {key}", hint="leave one of them out with spec.ignore"
                )
            parent = parent.rpartition("/")[0]
