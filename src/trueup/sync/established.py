"""Waiting for a CRD by asking, for callers without a live view (the CLI, tests). Controllers hear it from their watch."""

from __future__ import annotations

import asyncio
from typing import Any

from trueup.model.apierror import KindNotServed
from trueup.model.manifest import Manifest, ref_of, spec_of
from trueup.sync.applier import Applier
from trueup.sync.health.fields import condition_is


def served_kinds(crd: Manifest) -> list[tuple[str, str, str]]:
    """Group, version and kind of every version that is to be served."""
    spec = spec_of(crd)
    versions: list[Any] = spec.get("versions") or []
    group, kind = str(spec.get("group")), str(spec.get("names", {}).get("kind"))
    return [(group, str(row.get("name")), kind) for row in versions if isinstance(row, dict) and row.get("served")]


def is_established(crd: Manifest) -> bool:
    return condition_is(crd, "Established", "True")


class PollEstablished:
    """`Established` for `execute`, asking ever more seldom (from 0.05 to 1 second)."""

    def __init__(self, applier: Applier) -> None:
        self.applier = applier

    async def __call__(self, crd: Manifest) -> None:
        ref, pause = ref_of(crd), 0.05
        wanted = served_kinds(crd)
        while True:
            if not is_established(crd):
                crd = await self.applier.get(ref, "v1") or crd
            if is_established(crd) and all([await self._is_served(*kind) for kind in wanted]):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _is_served(self, group: str, version: str, kind: str) -> bool:
        try:
            await self.applier.scope(group, version, kind)
        except KindNotServed:
            return False
        return True


__all__ = ["PollEstablished", "is_established", "served_kinds"]
