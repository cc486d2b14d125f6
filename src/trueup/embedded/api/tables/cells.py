"""The cells of built-in kinds, by stored resource."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.tables.text import age
from trueup.model.manifest import Manifest, metadata_of, name_of


def cells_of(kind: Kind, manifest: Manifest, now: datetime) -> list[Any]:
    return [name_of(manifest), age(metadata_of(manifest).get("creationTimestamp"), now)]
