"""Flux's marks on managed objects: whose they are, and by which annotation or label one leaves a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.dialects.flux.shared import KUSTOMIZATION
from trueup.model.app import OptOut, Owner

GROUP = KUSTOMIZATION.group
FIELD_MANAGER = "kustomize-controller"
TAKEOVER_MANAGERS = ("kubectl*", "before-first-apply")

_PRUNE = (f"{GROUP}/prune", "disabled")
_RECONCILE = (f"{GROUP}/reconcile", "disabled")
_SSA = f"{GROUP}/ssa"

OPT_OUT = OptOut(
    never_prune=(_PRUNE, _RECONCILE, (_SSA, "ignore")),
    never_delete=(_PRUNE, _RECONCILE, (_SSA, "ignore")),
    never_apply=(_RECONCILE, (_SSA, "ignore")),
    only_create=((_SSA, "ifnotpresent"),),
    merge=((_SSA, "merge"),),
    force=((f"{GROUP}/force", "enabled"),),
)


def owner(namespace: str, name: str) -> Owner:
    """The two labels on every object that a Kustomization applies."""
    return Owner(labels={f"{GROUP}/name": name, f"{GROUP}/namespace": namespace})


def unsupported_mark(obj: Mapping[str, Any]) -> str | None:
    """What a rendered object asks for that is not built yet."""
    sops = obj.get("sops")
    if isinstance(sops, dict) and "mac" in sops:
        return "it is encrypted with SOPS, and decryption is not built yet"
    return None
