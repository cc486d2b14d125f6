"""Which fields and annotations of an Application have a meaning that is not built yet. Said, never skipped."""

from __future__ import annotations

from trueup.dialects.argocd.application_resource import ApplicationSpec
from trueup.dialects.argocd.charts import unbuilt_of
from trueup.dialects.argocd.environment import name_revision
from trueup.dialects.argocd.options import SyncOptions, normalised
from trueup.dialects.argocd.shared import (
    COMPARE_OPTIONS,
    DEFAULT_PROJECT,
    IN_CLUSTER_NAME,
    IN_CLUSTER_SERVER,
    PREFIX,
)
from trueup.dialects.argocd.source_resource import DirectoryOptions, HelmOptions, KustomizeOptions, Source
from trueup.model.manifest import Manifest, annotations_of


def unbuilt_fields(spec: ApplicationSpec, options: SyncOptions, obj: Manifest) -> list[str]:
    """Their names as a user would look for them; empty: all is built."""
    destination = spec.destination
    fields = {
        f"spec.project={spec.project}": spec.project not in ("", DEFAULT_PROJECT),
        f"spec.destination.server={destination.server}": destination.server.rstrip("/") not in ("", IN_CLUSTER_SERVER),
        f"spec.destination.name={destination.name}": destination.name not in ("", IN_CLUSTER_NAME),
        "spec.sources": bool(spec.sources),
        "spec.sourceHydrator": spec.source_hydrator is not None,
        "spec.ignoreDifferences": bool(spec.ignore_differences),
    }
    found = [name for name, is_set in fields.items() if is_set]
    found.extend(f"spec.syncPolicy.syncOptions={option}" for option in options.unbuilt)
    if spec.source is not None:
        found.extend(_of_source(spec.source))
    found.extend(_of_metadata(obj))
    return found


def _of_source(source: Source) -> list[str]:
    fields = {
        "spec.source.chart": bool(source.chart),
        "spec.source.plugin": source.plugin is not None,
        "spec.source.ref": bool(source.ref),
        "spec.source.tagPrefix": bool(source.tag_prefix),
        "spec.source.repoURL=oci://": source.repo_url.startswith("oci://"),
    }
    kustomize, helm = source.kustomize or KustomizeOptions(), source.helm or HelmOptions()
    fields |= unbuilt_of(helm)
    directory = source.directory or DirectoryOptions()
    fields |= {
        "spec.source.kustomize.version": bool(kustomize.version),
        "spec.source.kustomize.kubeVersion": bool(kustomize.kube_version),
        "spec.source.kustomize.apiVersions": bool(kustomize.api_versions),
        "spec.source.kustomize.commonAnnotationsEnvsubst": kustomize.common_annotations_envsubst,
        "spec.source.directory.jsonnet with $ARGOCD_APP_REVISION": name_revision(
            each.value for each in (*directory.jsonnet.ext_vars, *directory.jsonnet.tlas)
        ),
        "spec.source.helm with $ARGOCD_APP_REVISION": name_revision(_texts(helm)),
        "spec.source.directory.disableExtensionFilter": directory.disable_extension_filter,
    }
    return [name for name, is_set in fields.items() if is_set]


def _texts(helm: HelmOptions) -> list[str]:
    """Where variables of the build environment are put in."""
    return [
        *(each.value for each in helm.parameters),
        *(each.path for each in helm.file_parameters),
        *helm.value_files,
    ]


def _of_metadata(obj: Manifest) -> list[str]:
    annotations = annotations_of(obj)
    found = [f"metadata.annotations[{PREFIX}hydrate]"] if PREFIX + "hydrate" in annotations else []
    for option in str(annotations.get(COMPARE_OPTIONS) or "").split(","):
        if normalised(option) == "includemutationwebhook=true":
            found.append(f"metadata.annotations[{COMPARE_OPTIONS}]={option.strip()}")
    return found
