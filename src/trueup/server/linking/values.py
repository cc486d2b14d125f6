"""What templates of deep links are filled in with: Argo CD's names for an App, an object, a cluster and a project. Pure.

Nothing secret is in it: objects are as the API shows them, a project is without its tokens, a cluster without its credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.model.manifest import Manifest, annotations_of
from trueup.server.keeping.projects import without_tokens
from trueup.server.keeping.secretrows import SECRET_TYPE, ClusterRow
from trueup.server.linking.declared import leads_out
from trueup.server.live.masking import shown

MANAGED_BY = "argocd.argoproj.io/managed-by-url"
_OWN = frozenset({SECRET_TYPE, "kubectl.kubernetes.io/last-applied-configuration"})


def values_of(
    *,
    app: Manifest | None = None,
    resource: Manifest | None = None,
    cluster: Mapping[str, Any] | None = None,
    project: Manifest | None = None,
    server_url: str = "",
) -> dict[str, Any]:
    """What is not there has no name. `server_url`: of this server, in place of what the App itself says of who manages it."""
    found: dict[str, Any] = {}
    if resource is not None:
        found["resource"] = shown(resource)
    if app is not None:
        found["app"] = found["application"] = shown(app)
        said = annotations_of(app).get(MANAGED_BY, "")
        if url := said if leads_out(said) else server_url:
            found["managedByURL"] = url
    if cluster is not None:
        found["cluster"] = dict(cluster)
    if project is not None:
        found["project"] = without_tokens(shown(project))
    return found


def cluster_values(row: ClusterRow, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Argo CD's words for a cluster, its empty ones left out. `annotations`: of its Secret."""
    said: dict[str, Any] = {
        "namespaces": list(row.namespaces),
        "project": row.project,
        "labels": row.labels,
        "annotations": {key: value for key, value in annotations.items() if key not in _OWN},
    }
    return {"server": row.server, "name": row.name} | {key: value for key, value in said.items() if value}
