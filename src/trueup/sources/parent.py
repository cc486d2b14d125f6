"""A source that another one is made of, as it is handed to the fetcher of that other one."""

from __future__ import annotations

from dataclasses import dataclass

from trueup.model.errors import SourceError
from trueup.model.refs import ObjectRef
from trueup.model.source import Source, SourceKey, address_of
from trueup.sources.secrets import SourceSecrets
from trueup.sources.treesnapshot import TreeSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A source that another one is made of, as it stands. No snapshot: it has none, or none yet."""

    key: SourceKey
    source: Source
    secrets: SourceSecrets
    snapshot: TreeSnapshot | None

    @property
    def ready_snapshot(self) -> TreeSnapshot:
        """Raises SourceError when there is none yet."""
        if self.snapshot is None:
            name = self.key if isinstance(self.key, ObjectRef) else address_of(self.key)
            raise SourceError(f"{name} has not been fetched yet", reason="SourceNotReady")
        return self.snapshot
