"""What the chart sources ask of whoever reads Helm's formats: YAML and indexes are read by Helm's own library, outside.

Only the questions are here; `render.chartreading` answers them with the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Raw, Struct

from trueup.model.errors import SourceError


class ChartInvalid(SourceError):
    """What should be a chart or an index is none. Tried again, because somebody may publish it anew at the same place."""

    reason = "ChartInvalid"


class IndexRow(Struct, frozen=True):
    """One version of a chart in an index. `created` is in nanoseconds since 1970; 0: the index does not say."""

    version: str
    urls: tuple[str, ...] = ()
    digest: str = ""
    created: int = 0


class IndexRead(Struct, frozen=True, rename="camel"):
    """A whole index; `charts` holds each chart's rows (`IndexRow`) as JSON, in the order of the file."""

    charts: dict[str, Raw]
    dropped: tuple[str, ...] = ()
    """What was wrong with the first entries that were left out."""
    dropped_count: int = 0


class ChartReader(Protocol):
    async def index(self, data: bytes) -> IndexRead:
        """Raises ChartInvalid for what is no index, EngineFailed where reading costs too much."""
        ...

    async def yaml(self, files: Mapping[str, bytes]) -> Mapping[str, Any]:
        """Each file's content as JSON-like data; an empty one is None. Raises ChartInvalid naming file and line."""
        ...
