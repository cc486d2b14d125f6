"""Tables: what `kubectl get` shows. Columns come from the real server's own tables, cells from a function per kind.

A custom resource's columns and cells come from its `additionalPrinterColumns`. Kinds without a function show name and age.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from trueup.embedded.api.kinds import Kind, read_data
from trueup.embedded.api.tables import cells, cluster, custom, scales
from trueup.model.manifest import Manifest, metadata_of


def table_of(
    kind: Kind,
    manifests: Sequence[Manifest],
    version: str,
    include: str,
    meta: Manifest,
    *,
    columns: bool = True,
    now: datetime | None = None,
) -> Manifest:
    """A `meta.k8s.io` Table of objects in the kind's version. `include`: what each row carries (None, Metadata, Object)."""
    now = now or datetime.now(UTC)
    if order := cluster.ORDERS.get(f"{kind.api_version}/{kind.plural}"):
        manifests = sorted(manifests, key=order)
    definitions = custom.columns_of(kind) if kind.is_custom else _builtin_columns(kind.api_version, kind.plural)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": meta,
        "columnDefinitions": definitions if columns else None,
        "rows": [_row(kind, manifest, len(definitions), version, include, now) for manifest in manifests],
    }


def _row(kind: Kind, manifest: Manifest, width: int, version: str, include: str, now: datetime) -> dict[str, Any]:
    values = custom.cells_of(kind, manifest, now) if kind.is_custom else cells.cells_of(kind, manifest, now)
    row: dict[str, Any] = {"cells": (values + ["<unknown>"] * width)[:width]}
    if include == "None":
        row["object"] = None
    elif include == "Object":
        row["object"] = manifest
    else:
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": metadata_of(manifest),
        }
    return row


@cache
def _builtin_columns(api_version: str, plural: str) -> list[dict[str, Any]]:
    name = f"{api_version}/{plural}"
    if name == scales.NAME:
        return scales.COLUMNS
    known: list[dict[str, Any]] | None = _all_columns().get(name)
    return known or custom.DEFAULT_COLUMNS


@cache
def _all_columns() -> dict[str, Any]:
    data: dict[str, Any] = read_data("tables.json.gz")
    return data
