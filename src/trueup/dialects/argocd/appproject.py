"""AppProject: for now only `default`, which allows everything. Limits of other projects are a later issue's."""

from __future__ import annotations

from trueup.dialects.argocd.shared import APP_PROJECT, CONTROL_NAMESPACE, DEFAULT_PROJECT
from trueup.model.manifest import Manifest


def default_project(namespace: str = CONTROL_NAMESPACE) -> Manifest:
    """The project that `install` and `up` create, as Argo CD itself does when it first starts."""
    return {
        "apiVersion": APP_PROJECT.api_version,
        "kind": APP_PROJECT.kind,
        "metadata": {"name": DEFAULT_PROJECT, "namespace": namespace},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }
