"""A repository's index as a Snapshot: one file per chart, so that news of one chart are no news for another.

`repository.json` keeps what the next conditional request needs; `charts/<name>.json` the rows of one chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import msgspec
from msgspec import Struct

from trueup.model.snapshot import Snapshot
from trueup.sources.helm.reading import IndexRead, IndexRow
from trueup.sources.storedfile import StoredFile

_REPOSITORY = "repository.json"
_LONGEST_NAME = 200
_A_SECOND = timedelta(seconds=1)


class Remembered(Struct, frozen=True):
    """The validators of the answer that an index came with."""

    etag: str = ""
    modified: str = ""

    @property
    def headers(self) -> dict[str, str]:
        conditions = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in conditions.items() if value}


def remember(headers: Mapping[str, str]) -> Remembered:
    """A time of change says nothing while more may change within its second (RFC 9110, 8.8.2.2)."""
    modified = headers.get("Last-Modified", "")
    try:
        settled = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(modified) > _A_SECOND
    except (TypeError, ValueError):
        settled = False
    return Remembered(headers.get("ETag", ""), modified if settled else "")


_rows = msgspec.json.Decoder(tuple[IndexRow, ...])
_remembered = msgspec.json.Decoder(Remembered)


def index_files(read: IndexRead, remembered: Remembered) -> Iterator[StoredFile]:
    yield StoredFile(_REPOSITORY, msgspec.json.encode(remembered))
    for name, rows in read.charts.items():
        if (path := _path(name)) is not None:
            yield StoredFile(path, bytes(rows))


def rows_of(snapshot: Snapshot, chart: str) -> tuple[IndexRow, ...] | None:
    """The versions of a chart, in the order of the index; None: there is no such chart. Blocks."""
    path = _path(chart)
    if path is None or snapshot.entry(path) is None:
        return None
    return _rows.decode(snapshot.read(path))


def charts_of(snapshot: Snapshot) -> tuple[str, ...]:
    """The file names of the charts there are. Blocks."""
    if snapshot.entry("charts") is None:
        return ()
    return tuple(entry.name.removesuffix(".json") for entry in snapshot.listing("charts"))


def remembered_of(snapshot: Snapshot) -> Remembered:
    """Blocks."""
    try:
        return _remembered.decode(snapshot.read(_REPOSITORY))
    except (FileNotFoundError, msgspec.DecodeError):
        return Remembered()


def _path(chart: str) -> str | None:
    """None: a name that no chart can have."""
    name = quote(chart, safe="")
    return f"charts/{name}.json" if 0 < len(name) <= _LONGEST_NAME and name not in (".", "..") else None
