"""Packed charts: a .tgz as the chart's files, without the folder that they are packed in.

By Helm's rules: everything is inside a folder (whose name does not matter), and Chart.yaml stands at its top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from trueup.sources.archive import Links, unpack_tar
from trueup.sources.helm.limits import DEFAULT_LIMITS, HelmLimits
from trueup.sources.helm.reading import ChartInvalid
from trueup.sources.storedfile import StoredFile

CHART_FILE = "Chart.yaml"


def unpack_chart(packed: bytes, *, what: str, limits: HelmLimits = DEFAULT_LIMITS) -> dict[str, StoredFile]:
    """Path -> file. Blocks. Raises ArchiveRefused, ArchiveDamaged, ChartInvalid."""
    files = {
        file.path: file
        for file in _inside(unpack_tar(packed, limits=limits.unpacked, links=Links.SKIP, what=what), what)
    }
    if CHART_FILE not in files:
        raise ChartInvalid(
            f"{what} is no chart: there is no {CHART_FILE} in its folder", hint="make it with: helm package"
        )
    return files


def _inside(files: Iterable[StoredFile], what: str) -> Iterator[StoredFile]:
    for file in files:
        _, slash, path = file.path.partition("/")
        if not slash:
            raise ChartInvalid(
                f"{what} holds {file.path} outside of the chart's folder", hint="make it with: helm package"
            )
        yield structs.replace(file, path=path)
