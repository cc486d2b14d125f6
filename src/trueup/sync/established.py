"""Waiting for a CRD by asking, for callers without a live view (the CLI, tests). Controllers hear it from their watch."""

from __future__ import annotations

import asyncio
from typing import Any

from trueup.model.apierror import KindNotServed
from trueup.model.manifest import Manifest, ref_of, spec_of
from trueup.sync.applier import Applier
from trueup.sync.health.fields import condition_is


def served_version(crd: Manifest) -> tuple[str, str, str] | None:
    """Group, version and kind to look for in discovery; None when no version is served."""
    spec = spec_of(crd)
    versions: list[Any] = spec.get("versions") or []
    served = next((row["name"] for row in versions if isinstance(row, dict) and row.get("served")), None)
    return (str(spec.get("group")), str(served), str(spec.get("names", {}).get("kind"))) if served else None


def is_established(crd: Manifest) -> bool:
    return condition_is(crd, "Established", "True")


class PollEstablished:
    """`Established` for `execute`, asking ever more seldom (from 0.05 to 1 second)."""

    def __init__(self, applier: Applier) -> None:
        self.applier = applier

    async def __call__(self, crd: Manifest) -> None:
        ref, pause = ref_of(crd), 0.05
        wanted = served_version(crd)
        while True:
            if not is_established(crd):
                crd = await self.applier.get(ref, "v1") or crd
            if is_established(crd) and (wanted is None or await self._is_served(*wanted)):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _is_served(self, group: str, version: str, kind: str) -> bool:
        try:
            await self.applier.scope(group, version, kind)
        except KindNotServed:
            return False
        return True


__all__ = ["PollEstablished", "is_established", "served_version"]
