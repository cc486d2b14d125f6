"""Which dialects this program speaks."""

from __future__ import annotations

from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.dialect import FluxDialect


def all_dialects(control_namespace: str = "argocd") -> tuple[Dialect, ...]:
    return (FluxDialect(), ArgoCdDialect(control_namespace))
