"""Whether a sync goes elsewhere than an Application's own spec says. Pure.

Argo CD's `application.sync.requireOverridePrivilegeForRevisionSync`: who may sync what Git declares may not for that alone say which
commit of Git it is; that needs the right `override`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trueup.dialects.reading import rows_of
from trueup.model.manifest import Manifest, spec_of

SETTING = "application.sync.requireOverridePrivilegeForRevisionSync"
HEAD = "HEAD"

Guarded = Callable[[], bool]
"""Whether the settings ask for it now."""


def unguarded() -> bool:
    return False


def is_guarded(data: Mapping[str, str]) -> bool:
    """By the data of `argocd-cm`."""
    return data.get(SETTING, "").strip().lower() == "true"


def goes_elsewhere(obj: Manifest, revisions: Sequence[str]) -> bool:
    """`revisions`: one, or one per source; empty ones are as the spec says."""
    spec = spec_of(obj)
    sources = rows_of(spec.get("sources")) or [spec.get("source") or {}]
    targets = [str(source.get("targetRevision") or HEAD) for source in sources]
    if len(revisions) > len(targets):
        return True
    return any(given and given != target for given, target in zip(revisions, targets, strict=False))
