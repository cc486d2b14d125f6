"""What a chart or an index may cost. The sizes are those of Flux and Helm."""

from __future__ import annotations

from msgspec import Struct

from trueup.sources.archive import MEBIBYTE, ArchiveLimits


class HelmLimits(Struct, frozen=True, kw_only=True):
    index: int = 50 * MEBIBYTE
    """Bytes of an index.yaml."""
    chart: int = 10 * MEBIBYTE
    """Bytes of a packed chart."""
    unpacked: ArchiveLimits = ArchiveLimits(entries=10_000, total=100 * MEBIBYTE, single=5 * MEBIBYTE)
    dependencies: int = 100
    """Charts that one chart in Git may ask for."""


DEFAULT_LIMITS = HelmLimits()
