"""Argo CD's marks on managed objects: whose they are, and by which annotation one leaves a rule or asks for what is not built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.dialects.argocd.hooks import HOOK, SKIP
from trueup.dialects.argocd.options import ALWAYS_SO, normalised
from trueup.dialects.argocd.shared import COMPARE_OPTIONS, PREFIX, SYNC_OPTIONS, instance_name
from trueup.model.app import OptOut, Owner
from trueup.model.manifest import annotations_of

FIELD_MANAGER = "argocd-controller"
TAKEOVER_MANAGERS = ("kubectl-client-side-apply",)

IGNORE_HEALTH = PREFIX + "ignore-healthcheck"

OPT_OUT = OptOut(
    never_prune=((SYNC_OPTIONS, "prune=false"),),
    never_delete=((SYNC_OPTIONS, "delete=false"), ("helm.sh/resource-policy", "keep")),
    never_apply=((HOOK, SKIP.lower()),),
    force=((SYNC_OPTIONS, "force=true"),),
    replace=((SYNC_OPTIONS, "replace=true"),),
    prune_last=((SYNC_OPTIONS, "prunelast=true"),),
    confirm_prune=((SYNC_OPTIONS, "prune=confirm"),),
    confirm_delete=((SYNC_OPTIONS, "delete=confirm"),),
    ignore_health=((IGNORE_HEALTH, "true"),),
    ignore_extraneous=((COMPARE_OPTIONS, "ignoreextraneous"),),
    options_annotation=SYNC_OPTIONS,
)
_PAIRS = (
    *OPT_OUT.confirm_delete,
    *OPT_OUT.never_prune,
    *OPT_OUT.never_delete,
    *OPT_OUT.force,
    *OPT_OUT.replace,
    *OPT_OUT.prune_last,
    *OPT_OUT.confirm_prune,
)
_BUILT = {value for key, value in _PAIRS if key == SYNC_OPTIONS}
_COMPARE_ALWAYS_SO = frozenset(
    {"", "ignoreextraneous", "serversidediff=true", "serversidediff=false", "includemutationwebhook=false"}
)
_OPTION_ALWAYS_SO = ALWAYS_SO | {"validate=false"}
"""The server refuses what it cannot read and only warns of the rest, with a schema check by the client or without."""


def owner(namespace: str, name: str, control_namespace: str) -> Owner:
    """The tracking annotation's value begins with this and goes on with the very object that carries it."""
    return Owner(tracking_id_prefix=f"{instance_name(namespace, name, control_namespace)}:")


def unsupported_mark(obj: Mapping[str, Any]) -> str | None:
    """What a rendered object asks for that is not built yet; None: nothing."""
    annotations = annotations_of(obj)
    for option in str(annotations.get(SYNC_OPTIONS) or "").split(","):
        if (text := normalised(option)) and text not in _BUILT and text not in _OPTION_ALWAYS_SO:
            return _not_built(SYNC_OPTIONS, option.strip(), "this option is")
    for option in str(annotations.get(COMPARE_OPTIONS) or "").split(","):
        if normalised(option) not in _COMPARE_ALWAYS_SO:
            return _not_built(COMPARE_OPTIONS, option.strip(), "this option is")
    if str(annotations.get(PREFIX + "ignore-restart-policy") or "").lower() == "true":
        return _not_built(PREFIX + "ignore-restart-policy", "true", "it is")
    return None


def _not_built(key: str, value: str, what: str) -> str:
    return f"annotation {key}: {value} has a meaning, and {what} not built yet"
