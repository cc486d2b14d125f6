"""Names that Argo CD's kinds share."""

from __future__ import annotations

from trueup.dialects.dialect import ServedKind
from trueup.model.hook import Phase
from trueup.model.revision import Revision

GROUP = "argoproj.io"
APPLICATION = ServedKind(group=GROUP, versions=("v1alpha1",), kind="Application", plural="applications")
APP_PROJECT = ServedKind(group=GROUP, versions=("v1alpha1",), kind="AppProject", plural="appprojects")

CONTROL_NAMESPACE = "argocd"
DEFAULT_PROJECT = "default"
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
IN_CLUSTER_NAME = "in-cluster"

PREFIX = "argocd.argoproj.io/"
REFRESH = PREFIX + "refresh"
REFRESH_TIMESTAMP = PREFIX + "refresh-timestamp"
DELETION_APPROVED = PREFIX + "deletion-approved"
SKIP_RECONCILE = PREFIX + "skip-reconcile"
SYNC_OPTIONS = PREFIX + "sync-options"
COMPARE_OPTIONS = PREFIX + "compare-options"
TRACKING_ID = PREFIX + "tracking-id"

FINALIZER = "resources-finalizer.argocd.argoproj.io"
FINALIZER_FOREGROUND = FINALIZER + "/foreground"
FINALIZER_BACKGROUND = FINALIZER + "/background"
FINALIZERS = (FINALIZER, FINALIZER_FOREGROUND, FINALIZER_BACKGROUND)
HOOK_FINALIZERS = {
    Phase.PRE_DELETE: ("pre-delete-finalizer.argocd.argoproj.io",),
    Phase.POST_DELETE: (
        "post-delete-finalizer.argocd.argoproj.io",
        "post-delete-finalizer.argocd.argoproj.io/cleanup",
    ),
}
"""What keeps an Application until its hooks of a deletion have run."""


def instance_name(namespace: str, name: str, control_namespace: str) -> str:
    """How an Application is named in tracking ids: `<app>`, or `<ns>_<app>` outside the control namespace."""
    return name if namespace == control_namespace else f"{namespace}_{name}"


def revision_text(revision: Revision | None) -> str:
    """Argo CD writes the bare commit, without the name that led there; of an OCI artifact its digest, of a chart its version."""
    if revision is None:
        return ""
    if revision.algorithm == "sha256" and not revision.name:
        return str(revision)
    return revision.digest or revision.name
