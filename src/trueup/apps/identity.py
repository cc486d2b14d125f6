"""Of what project an App or a source is, and what policies call it. Pure.

Argo CD's Applications say their project. What has none belongs to its namespace: `ns:NAMESPACE`. A colon is in no name of
Kubernetes', so no AppProject can be mistaken for a namespace, nor the other way round.
"""

from __future__ import annotations

from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.model.manifest import Manifest, kind_of, name_of, namespace_of, spec_of

APPLICATION = "Application"
DEFAULT_PROJECT = "default"


def project_of(obj: Manifest) -> str:
    if kind_of(obj) == APPLICATION:
        return str(spec_of(obj).get("project") or DEFAULT_PROJECT)
    return f"ns:{namespace_of(obj)}"


def policy_object(obj: Manifest, control_namespace: str = CONTROL_NAMESPACE) -> str:
    """`shop/web`, `shop/team-a/web` outside of the control namespace, `ns:team-a/Kustomization/web`."""
    project, namespace, name = project_of(obj), namespace_of(obj), name_of(obj)
    if kind_of(obj) == APPLICATION:
        return f"{project}/{name}" if namespace == control_namespace else f"{project}/{namespace}/{name}"
    return f"{project}/{kind_of(obj)}/{name}"
