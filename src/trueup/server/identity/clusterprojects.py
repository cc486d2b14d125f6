"""The AppProjects of the control namespace, watched; a change of their roles' tokens goes to the API server."""

from __future__ import annotations

from collections.abc import Callable

from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import LiveView
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, resource_version_of
from trueup.model.refs import ObjectRef
from trueup.server.api.refusals import Conflict, NotFound
from trueup.server.identity.clusterstore import MANAGER, TRIES, is_older, patiently
from trueup.server.identity.projecttokens import Patch

APP_PROJECTS = Resource(
    group="argoproj.io",
    version="v1alpha1",
    plural="appprojects",
    kind="AppProject",
    namespaced=True,
    verbs=("get", "list", "watch", "patch"),
)


class ClusterProjects:
    """`view` keeps AppProjects whole, and is tracked by whoever opened it: others look at them too."""

    def __init__(self, client: KubeClient, view: LiveView[Manifest], namespace: str) -> None:
        self._client = client
        self._view = view
        self._namespace = namespace
        self._ahead: dict[str, Manifest] = {}

    def read(self, name: str) -> Manifest | None:
        seen = self._view.get(ObjectRef(APP_PROJECTS.group, APP_PROJECTS.kind, self._namespace, name))
        ahead = self._ahead.get(name)
        if ahead is None:
            return seen
        if seen is None or not is_older(resource_version_of(seen), resource_version_of(ahead)):
            del self._ahead[name]
            return seen
        return ahead

    async def change(self, name: str, patch: Callable[[Manifest], Patch]) -> None:
        for failures in range(TRIES):
            if failures:
                await patiently(failures)
            live = await self._client.get(APP_PROJECTS, name, self._namespace)
            if live is None:
                raise NotFound(f"there is no project {name[:60]!r}")
            said = {**patch(live), "metadata": {"resourceVersion": resource_version_of(live)}}
            try:
                answer = await self._client.merge_patch(APP_PROJECTS, name, self._namespace, said, manager=MANAGER)
            except ApiError as error:
                if error.is_conflict:
                    continue
                raise
            if self.read(name) is not None:
                self._ahead[name] = answer
            return
        raise Conflict(f"AppProject/{self._namespace}/{name} is being changed by others all the time", hint="try again")
