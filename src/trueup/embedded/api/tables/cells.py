"""The cells of built-in kinds. A function per kind gives the cells between the name and the end, in the columns' order.

Follows pkg/printers/internalversion/printers.go of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.tables import access, cluster, config, events, network, scales, storage, workloads
from trueup.embedded.api.tables.text import age
from trueup.model.manifest import Manifest, metadata_of, name_of

Cells: TypeAlias = Callable[[Manifest, datetime], list[Any]]

_CELLS: Mapping[str, Cells] = {
    **access.CELLS,
    **cluster.CELLS,
    **config.CELLS,
    **events.CELLS,
    **network.CELLS,
    **scales.CELLS,
    **storage.CELLS,
    **workloads.CELLS,
}


def cells_of(kind: Kind, manifest: Manifest, now: datetime) -> list[Any]:
    """A row: of a kind without a function, name and age."""
    made = _CELLS.get(f"{kind.api_version}/{kind.plural}")
    if made is None:
        return [name_of(manifest), age(metadata_of(manifest).get("creationTimestamp"), now)]
    return made(manifest, now)
