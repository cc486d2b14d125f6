"""An artifact that somebody else's controller made (Flux's ExternalArtifact): fetched when its digest is a new one.

Nothing is unpacked before the digest of what came is the one that was promised.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import timedelta

from trueup.model.errors import InvalidInput, SourceError
from trueup.model.revision import Revision, parse_revision
from trueup.model.snapshot import Details
from trueup.model.source import ExternalSource
from trueup.sources.archive import ArchiveLimits, Links, unpack_tar
from trueup.sources.contentstore import ContentStore
from trueup.sources.helm.pulling import DigestMismatch
from trueup.sources.http import MEBIBYTE, HttpFetcher, HttpLimits, Request, shown
from trueup.sources.secrets import Granted, SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot

_ALGORITHMS = ("sha256", "sha384", "sha512")
_BARE = re.compile("[0-9a-f]{64}")
_LARGEST = 100 * MEBIBYTE


class ExternalFetcher:
    """`sources.fetching.Fetcher` for ExternalSource."""

    def __init__(
        self,
        store: ContentStore,
        http: HttpFetcher,
        granted: Granted,
        *,
        largest: int = _LARGEST,
        unpacked: ArchiveLimits | None = None,
    ) -> None:
        self._store = store
        self._http = http
        self._granted = granted
        self._largest = largest
        self._unpacked = unpacked or ArchiveLimits()

    async def fetch(
        self,
        source: ExternalSource,
        secrets: SourceSecrets,
        parents: Sequence[object] = (),  # noqa: ARG002
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),  # noqa: ARG002
    ) -> TreeSnapshot:
        """Raises SourceError and its kinds, InvalidInput for a digest that cannot be checked."""
        if not source.url or not source.revision:
            raise SourceError("there is no artifact yet: status.artifact is empty", reason="SourceNotReady")
        algorithm, wanted = _digest(source.digest)
        revision = revision_of(source.revision)
        if known is not None and self._is_same(known, revision, source):
            return known
        grant = self._granted.to(source, secrets)
        if (kept := await self._store.reopen(grant, revision)) is not None:
            return kept
        size = min(source.size, self._largest) if source.size else self._largest
        answer = await self._http.fetch(Request(url=source.url, limits=HttpLimits(total=source.timeout, size=size)))
        if answer.status != 200:
            raise SourceError(
                f"{shown(source.url)} answers {answer.status}", hint="is the controller that serves it well?"
            )
        found = await asyncio.to_thread(_hash, algorithm, answer.body)
        if not hmac.compare_digest(found.encode(), wanted.encode()):
            raise DigestMismatch(f"{shown(source.url)} has another digest than status.artifact says")
        files = unpack_tar(answer.body, limits=self._unpacked, links=Links.KEEP, what="the artifact")
        details = Details(digest=source.digest, size=len(answer.body))
        return await self._store.put(files, revision, grant=grant, details=details)

    async def reopen(self, source: ExternalSource, secrets: SourceSecrets, revision: Revision) -> TreeSnapshot | None:
        return await self._store.reopen(self._granted.to(source, secrets), revision)

    def _is_same(self, known: TreeSnapshot, revision: Revision, source: ExternalSource) -> bool:
        return self._store.holds(known) and known.revision == revision and known.details.digest == source.digest


def revision_of(text: str) -> Revision:
    """Whatever the other controller calls it; one of an unknown form is kept as it is."""
    return parse_revision(text) or Revision(text, "", "")


def _digest(text: str) -> tuple[str, str]:
    """`sha256:<hex>`; a bare checksum of Flux's old statuses is SHA-256. Raises InvalidInput."""
    algorithm, _, digest = text.strip().lower().rpartition(":")
    algorithm = algorithm or ("sha256" if _BARE.fullmatch(digest) else "")
    if algorithm not in _ALGORITHMS or not digest:
        raise InvalidInput(
            f"the digest {text[:100]!r} cannot be checked",
            field="status.artifact.digest",
            hint=f"whoever makes the artifact should write one of {', '.join(_ALGORITHMS)}",
        )
    return algorithm, digest


def _hash(algorithm: str, data: bytes) -> str:
    return hashlib.new(algorithm, data).hexdigest()
