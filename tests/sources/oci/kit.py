"""What tests of OCI sources do: fetch, and look at what came."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from trueup.model.source import OciReference, OciSource
from trueup.sources.contentstore import ContentStore
from trueup.sources.gitcommand import Git
from trueup.sources.http import HttpFetcher
from trueup.sources.oci.client import RegistryClient
from trueup.sources.oci.fetcher import OciFetcher
from trueup.sources.secrets import NO_SECRETS, Granted, SecretData, SourceSecrets
from trueup.sources.treediff import leaves
from trueup.sources.treesnapshot import TreeSnapshot


class Kit:
    def __init__(self, root: Path, http: HttpFetcher) -> None:
        self.root = root
        self.http = http
        self.clock = 1000.0
        self.store = ContentStore(root / "content", Git(allow_local=True))
        self.client = RegistryClient(http, now=lambda: self.clock)
        self.fetcher = OciFetcher(self.client, self.store, Granted(b"key"), root / "spool", now=lambda: self.clock)

    async def fetch(
        self,
        source: OciSource,
        secrets: SourceSecrets = NO_SECRETS,
        *,
        known: TreeSnapshot | None = None,
        max_age: timedelta = timedelta(0),
    ) -> TreeSnapshot:
        return await self.fetcher.fetch(source, secrets, known=known, max_age=max_age)


_REFERENCE = frozenset(OciReference.__struct_fields__)


def oci(url: str, **said: Any) -> OciSource:
    """Fields of the reference and of the source, side by side."""
    reference = {name: value for name, value in said.items() if name in _REFERENCE}
    rest = {name: value for name, value in said.items() if name not in _REFERENCE}
    return OciSource(url=url, reference=OciReference(**reference), **rest)


def contents(snapshot: TreeSnapshot) -> dict[str, str]:
    return {path: snapshot.read(path).decode() for path, _ in leaves(snapshot)}


def secret(**data: str | bytes) -> SecretData:
    """`_` in a key stands for `.`."""
    return SecretData(
        "Opaque",
        {key.replace("_", "."): value.encode() if isinstance(value, str) else value for key, value in data.items()},
    )
