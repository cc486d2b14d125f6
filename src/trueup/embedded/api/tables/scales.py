"""The table of a Scale, which is no resource of its own: `kubectl get deployment web --subresource=scale`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.embedded.api.tables import custom
from trueup.embedded.api.tables.text import created, number
from trueup.model.manifest import Manifest, name_of

NAME = "autoscaling/v1/scales"


def _count(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "type": "integer", "format": "", "description": description, "priority": 0}


COLUMNS = [
    custom.DEFAULT_COLUMNS[0],
    _count("Desired", "How many instances are wanted."),
    _count("Available", "How many instances are there."),
    custom.DEFAULT_COLUMNS[-1],
]


def _scale(manifest: Manifest, now: datetime) -> list[Any]:
    counts = (number(manifest, part, "replicas") for part in ("spec", "status"))
    return [name_of(manifest), *counts, created(manifest, now)]


CELLS = {NAME: _scale}
