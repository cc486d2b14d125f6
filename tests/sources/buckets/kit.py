"""The fetcher of buckets, put together as the product does, over a client that notes what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from trueup.sources.buckets.fetcher import BucketFetcher
from trueup.sources.buckets.objects import DEFAULT_LIMITS, BucketClient, BucketLimits, BucketObject
from trueup.sources.buckets.providers import open_client
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitcommand import Git
from trueup.sources.secrets import Granted


class Watched:
    """A client that notes what it is asked for."""

    def __init__(self, inner: BucketClient, asked: list[str]) -> None:
        self._inner, self._asked = inner, asked

    def list(self, prefix: str) -> Iterator[BucketObject]:
        self._asked.append(f"list {prefix}")
        return self._inner.list(prefix)

    def get(self, key: str, target: IO[bytes], limit: int) -> str:
        self._asked.append(key)
        return self._inner.get(key, target, limit)

    def close(self) -> None:
        self._inner.close()


class Fetching:
    def __init__(self, root: Path, limits: BucketLimits = DEFAULT_LIMITS) -> None:
        self.asked: list[str] = []
        self.store = ContentStore(root / "content", Git(allow_local=False))
        self.fetcher = BucketFetcher(
            self.store,
            Granted(b"k"),
            root / "spool",
            open_client=lambda source, secrets, given: Watched(open_client(source, secrets, given), self.asked),
            limits=limits,
        )
        self.spool = root / "spool"
