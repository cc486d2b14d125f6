"""Which fields and annotations of an Application have a meaning that is not built yet. Said, never skipped."""

from __future__ import annotations

from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.options import SyncOptions, normalised
from trueup.dialects.argocd.shared import (
    COMPARE_OPTIONS,
    DEFAULT_PROJECT,
    PREFIX,
)
from trueup.model.manifest import Manifest, annotations_of


def unbuilt_fields(spec: ApplicationSpec, options: SyncOptions, obj: Manifest) -> list[str]:
    """Their names as a user would look for them; empty: all is built."""
    fields = {
        f"spec.project={spec.project}": spec.project not in ("", DEFAULT_PROJECT),
        "spec.sourceHydrator": spec.source_hydrator is not None,
    }
    found = [name for name, is_set in fields.items() if is_set]
    found.extend(f"spec.syncPolicy.syncOptions={option}" for option in options.unbuilt)
    found.extend(_of_metadata(obj))
    return found


def _of_metadata(obj: Manifest) -> list[str]:
    annotations = annotations_of(obj)
    found = [f"metadata.annotations[{PREFIX}hydrate]"] if PREFIX + "hydrate" in annotations else []
    for option in str(annotations.get(COMPARE_OPTIONS) or "").split(","):
        if normalised(option) == "includemutationwebhook=true":
            found.append(f"metadata.annotations[{COMPARE_OPTIONS}]={option.strip()}")
    return found
