"""What to change of an App before it is deleted, so that its objects stay. Pure.

Each kind has its own word for it: a Kustomization a deletion policy, a HelmRelease only that it is suspended, an Application that nothing
waits for its end. A field that a kind does not have would be dropped by the API server in silence, and the objects would go.
"""

from __future__ import annotations

from typing import Any

from trueup.apps.asks import ARGOCD
from trueup.dialects.dialect import Dialect
from trueup.dialects.flux.shared import HELM_RELEASE, KUSTOMIZATION
from trueup.model.app import DeletionPolicy
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, ref_of


def leaving_patch(obj: Manifest, dialect: Dialect) -> dict[str, Any] | None:
    """A JSON merge patch; None: they stay as it is. Raises InvalidInput for a kind of which nobody knows how."""
    ref = ref_of(obj)
    if dialect.name == ARGOCD:
        patch = dialect.finalizer_patch(obj, present=False)
        return patch.body if patch is not None else None
    if ref.group_kind == KUSTOMIZATION.group_kind:
        return {"spec": {"deletionPolicy": str(DeletionPolicy.ORPHAN)}}
    if ref.group_kind == HELM_RELEASE.group_kind:
        return {"spec": {"suspend": True}}
    raise InvalidInput(f"nobody knows how the objects of a {ref.kind} are kept", ref=ref, hint="delete it with them")
