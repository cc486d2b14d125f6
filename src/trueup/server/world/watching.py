"""The server's own watches of what is declared: so that it answers while a controller is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import structlog

from trueup.cluster.client import KubeClient
from trueup.cluster.liveview import Informer
from trueup.cluster.resource import Resource
from trueup.dialects.argocd.appproject_resource import AppProjectSpec
from trueup.dialects.argocd.shared import APP_PROJECT
from trueup.dialects.dialect import ServedKind
from trueup.dialects.reading import read_struct
from trueup.model.apierror import ApiError, KindNotServed
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, name_of, ref_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.server.access.policy import Policy, policy_of
from trueup.server.access.projects import Project, ProjectRole
from trueup.server.world.world import World

log = structlog.get_logger(__name__)

BLIND_SECONDS = 3.0
"""A watch that was cut is open again sooner where the cluster is well."""

RBAC = "argocd-rbac-cm"
_RBAC_SELECTOR = "app.kubernetes.io/part-of=argocd"
OnPolicy = Callable[[Policy, Mapping[str, Project]], None]


class Watching:
    """Keeps a World current, and tells of policies. `start`, then the watches go on until `stack` is closed."""

    def __init__(self, client: KubeClient, world: World, on_policy: OnPolicy) -> None:
        self._client = client
        self._world = world
        self._on_policy = on_policy
        self._policy: dict[str, str] = {}
        self._informer: Informer | None = None
        self._settings: Informer | None = None
        self._ready = False
        self._kinds: list[ServedKind] = [
            *(one.app_kind for one in world.dialects),
            *(kind for one in world.dialects for kind in one.source_kinds),
        ]

    async def start(self, stack: AsyncExitStack) -> None:
        """Returns when everything has been seen once. A kind that is not served yet comes when it is."""
        self._informer = await stack.enter_async_context(Informer(self._client))
        self._informer.subscribe(self._seen, self._gone)
        self._settings = await stack.enter_async_context(Informer(self._client))
        self._settings.subscribe(self._setting_seen)
        await asyncio.gather(*(self._follow(kind) for kind in self._kinds), self._follow_settings())
        self._ready = True
        self._tell_policy()

    @property
    def settings(self) -> Informer:
        """AppProjects, and the ConfigMap of policies, whole."""
        assert self._settings is not None
        return self._settings

    def problems(self) -> list[str]:
        if not self._ready or self._informer is None:
            return ["the cluster has not been looked at yet"]
        informer = self._informer
        lost = [resource.name for resource in informer.tracked() if not informer.synced(resource)]
        said = [f"not current: {', '.join(sorted(lost))}"] if lost else []
        blind = max((informer.blind_seconds(each) for each in informer.tracked() if informer.synced(each)), default=0.0)
        if blind > BLIND_SECONDS:
            said.append(f"the cluster has not been heard of for {blind:.0f} s: what is shown may be old")
        return said

    async def _follow(self, kind: ServedKind) -> None:
        assert self._informer is not None
        try:
            await self._informer.track(resource_of(kind))
        except KindNotServed:
            log.info("not served by this cluster", kind=kind.kind, group=kind.group)
        except ApiError as error:
            log.warning("not watched", kind=kind.kind, error=error.message)

    async def _follow_settings(self) -> None:
        """The policies and the AppProjects, whose roles are policies too."""
        assert self._settings is not None
        namespace = self._world.control_namespace
        config_map = await self._client.discovery.resource("", "v1", "ConfigMap")
        await self._settings.track(config_map, {namespace}, _RBAC_SELECTOR)
        try:
            await self._settings.track(resource_of(APP_PROJECT), {namespace})
        except KindNotServed:
            log.info("not served by this cluster", kind=APP_PROJECT.kind)

    def _seen(self, ref: ObjectRef, _before: Manifest | None, after: Manifest | None, _raw: Manifest | None) -> None:
        self._world.seen(ref, after)

    def _gone(self, resource: Resource, refs: frozenset[ObjectRef]) -> None:
        del resource
        for ref in refs:
            self._world.seen(ref, None)

    def _setting_seen(
        self, ref: ObjectRef, _before: Manifest | None, after: Manifest | None, _raw: Manifest | None
    ) -> None:
        if ref.kind == APP_PROJECT.kind:
            if after is None:
                self._world.projects.pop(ref.name, None)
            else:
                self._world.projects[ref.name] = after
        elif ref.name == RBAC:
            data = (after or {}).get("data")
            self._policy = {str(key): str(value) for key, value in data.items()} if isinstance(data, dict) else {}
        else:
            return
        if self._ready:
            self._tell_policy()

    def _tell_policy(self) -> None:
        """A policy that cannot be read is as good as none beside the built-in one: it is said, and nobody gets in by it."""
        try:
            policy = policy_of(self._policy)
        except InvalidInput as error:
            log.error("the policy cannot be read", error=error.message, field=error.field)
            policy = policy_of({})
        for problem in policy.rules.problems:
            log.error("a line of the policy cannot be read", place=str(problem.place), problem=problem.message)
        projects = {name: read_project(obj) for name, obj in self._world.projects.items()}
        self._on_policy(policy, projects)


def resource_of(kind: ServedKind) -> Resource:
    """As our CRDs have it, whether it is served yet or not: a watch of it waits until it is."""
    return Resource(
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        kind=kind.kind,
        namespaced=True,
        verbs=("get", "list", "watch", "create", "update", "patch", "delete"),
    )


def read_project(obj: Manifest) -> Project:
    """Its roles, as far as they can be read."""
    try:
        spec = read_struct(AppProjectSpec, spec_of(obj), ref=ref_of(obj), root="spec")
    except InvalidInput as error:
        log.error("the roles of a project cannot be read", project=name_of(obj), error=error.message)
        return Project(name=name_of(obj))
    roles = tuple(ProjectRole(name=role.name, policies=role.policies, groups=role.groups) for role in spec.roles)
    return Project(name=name_of(obj), roles=roles)
