"""The CRDs of Argo CD's kinds, with the labels, columns and names by which its own clients know them."""

from __future__ import annotations

from trueup.dialects.argocd.application_resource import ApplicationSpec, ApplicationStatus, Operation
from trueup.dialects.argocd.appproject_resource import AppProjectSpec, AppProjectStatus
from trueup.dialects.argocd.shared import APP_PROJECT, APPLICATION
from trueup.dialects.crd import Column, Definition, build_crd
from trueup.dialects.dialect import ServedKind
from trueup.dialects.schema import schema_of
from trueup.model.manifest import Manifest


def _labels(kind: ServedKind) -> dict[str, str]:
    return {"app.kubernetes.io/name": kind.crd_name, "app.kubernetes.io/part-of": "argocd"}


def application_crd() -> Manifest:
    """Without a status subresource: `argocd --core` writes status to the main object."""
    return build_crd(
        Definition(
            kind=APPLICATION,
            description="A path of a repository that is rendered and kept true in the cluster.",
            columns=(
                Column("Sync Status", ".status.sync.status"),
                Column("Health Status", ".status.health.status"),
                Column("Revision", ".status.sync.revision", priority=10),
                Column("Project", ".spec.project", priority=10),
            ),
            short_names=("app", "apps"),
            labels=_labels(APPLICATION),
            status_subresource=False,
        ),
        spec=ApplicationSpec,
        status=ApplicationStatus,
        more={"operation": {"description": "A sync that a client asks for.", **schema_of(Operation)}},
        required=("metadata", "spec"),
    )


def app_project_crd() -> Manifest:
    return build_crd(
        Definition(
            kind=APP_PROJECT,
            description="What a group of Applications may use and touch.",
            columns=(),
            short_names=("appproj", "appprojs"),
            labels=_labels(APP_PROJECT),
            status_subresource=False,
        ),
        spec=AppProjectSpec,
        status=AppProjectStatus,
        required=("metadata", "spec"),
    )
