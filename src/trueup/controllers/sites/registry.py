"""The clusters that Secrets of Argo CD's namespace register, as its watch holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trueup.controllers.sites.ways import ClusterUnknown
from trueup.dialects.argocd.clusters import find_cluster
from trueup.model.manifest import Manifest
from trueup.model.target import ClusterAccess, Destination


class Registry:
    def __init__(self, secrets: Callable[[], Iterable[Manifest]]) -> None:
        self._secrets = secrets

    def find(self, destination: Destination) -> ClusterAccess:
        """Raises ClusterUnknown where none is registered so, InvalidInput for one that cannot be used."""
        found, named = find_cluster(destination, self._secrets())
        if found is None:
            raise ClusterUnknown(
                f"{destination} is not registered for the project {destination.project!r}",
                hint=f"add its Secret (label argocd.argoproj.io/secret-type: cluster); there are: {', '.join(named) or 'none'}",
            )
        return found
