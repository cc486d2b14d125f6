"""The dialects there are. Adding one is adding it here."""

from __future__ import annotations

from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.flux.helmdialect import FluxHelmDialect
from trueup.model.manifest import Manifest
from trueup.model.refs import GroupKind


def all_dialects(control_namespace: str = CONTROL_NAMESPACE) -> tuple[Dialect, ...]:
    """`control_namespace` is Argo CD's: there an Application's name alone names the App in tracking ids."""
    return (FluxDialect(), FluxHelmDialect(), ArgoCdDialect(control_namespace))


def dialect_for(kind: GroupKind, dialects: tuple[Dialect, ...]) -> Dialect | None:
    """The dialect whose Apps or sources are of this kind."""
    for dialect in dialects:
        if any(kind == served.group_kind for served in (dialect.app_kind, *dialect.source_kinds)):
            return dialect
    return None


def is_source(dialect: Dialect, kind: GroupKind) -> bool:
    """Whether the kind is one of the dialect's sources (and not its App)."""
    return any(kind == served.group_kind for served in dialect.source_kinds)


def crds() -> list[Manifest]:
    """Every CRD of every dialect, to install."""
    return [crd for dialect in all_dialects() for crd in dialect.crds()]
