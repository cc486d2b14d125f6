"""Who decides who may do what: policies in Argo CD's words, or Kubernetes' RBAC with each call made as the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from trueup.cluster.client import KubeClient
from trueup.model.rights import Rights
from trueup.server.access.authority import PolicyAuthority
from trueup.server.access.policy import Policy, policy_of
from trueup.server.access.projects import Project
from trueup.server.api.authority import Authority
from trueup.server.api.caller import Caller
from trueup.server.asperson.authority import KubernetesAuthority
from trueup.server.asperson.persons import AsPerson
from trueup.server.asperson.rights import Kinds
from trueup.server.live.place import Clients
from trueup.server.world.world import World


class Deciding(Struct, frozen=True, kw_only=True):
    """`on_policy` is told of the policy and the projects in force; `scopes` are the claims in which it looks for groups."""

    authority: Authority
    clients: Clients
    on_policy: Callable[[Policy, Mapping[str, Project]], None]
    scopes: Callable[[], tuple[str, ...]]


class OurClient:
    """Everybody's wishes are carried out with the server's own rights, after the policies were asked."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def of(self, caller: Caller) -> KubeClient:
        del caller
        return self._client


class _Policies:
    """The policy in force, whoever goes by it."""

    def __init__(self) -> None:
        empty = policy_of({})
        self.authority = PolicyAuthority(empty)
        self.scopes: tuple[str, ...] = empty.scopes

    def update(self, policy: Policy, projects: Mapping[str, Project]) -> None:
        self.scopes = policy.scopes
        self.authority.update(policy, projects)


def deciding(rights: Rights, client: KubeClient, world: World) -> Deciding:
    """In either case the claims that hold groups are those of `argocd-rbac-cm`."""
    policies = _Policies()
    authority: Authority = policies.authority
    clients: Clients = OurClient(client)
    if rights is Rights.KUBERNETES:
        authority = KubernetesAuthority(client, kinds_of(world), lambda: namespaces_of(world))
        clients = AsPerson(client)
    return Deciding(authority=authority, clients=clients, on_policy=policies.update, scopes=lambda: policies.scopes)


def kinds_of(world: World) -> Kinds:
    served = [
        *(one.app_kind for one in world.dialects),
        *(kind for one in world.dialects for kind in one.source_kinds),
    ]
    return Kinds({kind.group_kind: kind.plural for kind in served}, world.control_namespace)


def namespaces_of(world: World) -> set[str]:
    """In which there is something to show."""
    return {known.ref.namespace for table in (world.apps, world.sources) for known in table}
