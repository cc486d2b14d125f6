"""Argo CD's hook annotations, and Helm's as Argo CD understands them, of one rendered object.

https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/ and https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#helm-hooks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.dialects.argocd.shared import PREFIX
from trueup.model.hook import DeletePolicy, Hook, Phase
from trueup.model.manifest import annotations_of

HOOK = PREFIX + "hook"
HOOK_DELETE_POLICY = PREFIX + "hook-delete-policy"
SYNC_WAVE = PREFIX + "sync-wave"
HELM_HOOK = "helm.sh/hook"
HELM_DELETE_POLICY = "helm.sh/hook-delete-policy"
HELM_WEIGHT = "helm.sh/hook-weight"
WAVE_ANNOTATIONS = (SYNC_WAVE, HELM_WEIGHT)

SKIP = "Skip"
_PHASES = {str(phase): phase for phase in Phase}
_HELM_PHASES = {
    "pre-install": Phase.PRE_SYNC,
    "pre-upgrade": Phase.PRE_SYNC,
    "post-install": Phase.POST_SYNC,
    "post-upgrade": Phase.POST_SYNC,
    "pre-delete": Phase.PRE_DELETE,
    "post-delete": Phase.POST_DELETE,
}
_HELM_OTHERS = frozenset({"test", "test-success", "test-failure", "pre-rollback", "post-rollback", "crd-install"})
_POLICIES = {str(policy): policy for policy in DeletePolicy}
_HELM_POLICIES = {
    "before-hook-creation": DeletePolicy.BEFORE_CREATION,
    "hook-succeeded": DeletePolicy.SUCCEEDED,
    "hook-failed": DeletePolicy.FAILED,
}


def read_hook(obj: Mapping[str, Any]) -> Hook | None:
    """None: an object to be kept. An Argo CD hook on an object hides its Helm hooks; what Argo CD does not run has no phases."""
    annotations = annotations_of(obj)
    own, helm = _words(annotations, HOOK), _words(annotations, HELM_HOOK)
    known = [word for word in own if word in _PHASES or word == SKIP]
    if HOOK in annotations and known == [SKIP]:
        return None
    # Outside Helm, `crd-install` means a plain object.
    if HOOK not in annotations and annotations.get(HELM_HOOK) in (None, "crd-install"):
        return None
    phases = {_PHASES[word] for word in known if word != SKIP}
    unknown = [word for word in own if word not in known]
    if not known:
        phases = {_HELM_PHASES[word] for word in helm if word in _HELM_PHASES}
        unknown += [word for word in helm if word not in _HELM_PHASES and word not in _HELM_OTHERS]
    return Hook(frozenset(phases), _policies(annotations), tuple(unknown))


def _policies(annotations: Mapping[str, Any]) -> frozenset[DeletePolicy]:
    found = {_POLICIES[word] for word in _words(annotations, HOOK_DELETE_POLICY) if word in _POLICIES}
    found |= {_HELM_POLICIES[word] for word in _words(annotations, HELM_DELETE_POLICY) if word in _HELM_POLICIES}
    return frozenset(found or {DeletePolicy.BEFORE_CREATION})


def _words(annotations: Mapping[str, Any], key: str) -> list[str]:
    text = annotations.get(key)
    return [word for part in text.split(",") if (word := part.strip())] if isinstance(text, str) else []
