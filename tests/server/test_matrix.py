"""Who may call what: every operation that there is, with every role, on what is their own and what is not.

The table of operations is the server's own; a path that is added without a sample here, or without an answer to who may call it,
fails. The handlers are replaced: whether a call comes as far as its handler is the question.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from tests.server.api.support import serving
from tests.server.identity.kit import Clock, a_store
from tests.server.identity.served import MemoryProjects
from trueup.dialects.registry import all_dialects
from trueup.model.manifest import Manifest, ref_of
from trueup.server.about import About
from trueup.server.access.policy import policy_of
from trueup.server.api.call import Call
from trueup.server.api.operation import Answer, Listed, Needs, Operation, Public, SignedIn, Surface
from trueup.server.assembly import Parts, table
from trueup.server.identity.whole import IdentityService, Surroundings
from trueup.server.keeping.audit import Audit
from trueup.server.keeping.auditreading import AuditReading
from trueup.server.world.trees import Trees
from trueup.server.world.world import World

POLICY = """
p, role:team-a, applications, *, ns:team-a/*, allow
p, role:team-a, sources, *, ns:team-a/*, allow
p, role:team-a, logs, get, ns:team-a/*, allow
p, role:team-a, applications, *, team-a/*, allow
p, role:team-a, logs, get, team-a/*, allow
p, role:team-a, projects, get, shop, allow
p, role:team-a, accounts, get, nobody-else, allow
g, ann, role:team-a
g, reader, role:readonly
g, boss, role:admin
"""
OWN, FOREIGN = "team-a", "team-b"
DECIDED_INSIDE = {
    # Their handlers ask for rights by what the body or a part of the path names; tests of their own try each.
    "session.get", "session.end", "accounts.list", "accounts.get", "accounts.password", "accounts.create-token",
    "accounts.delete-token", "accounts.end-sessions", "accounts.forget", "projects.create-token", "projects.delete-token",
    "argo.accounts-list", "argo.can-i", "argo.accounts-get", "argo.password", "argo.account-token-create",
    "argo.account-token-delete", "argo.project-token-create", "argo.project-token-delete",
    "about.standing", "session.may", "about.local",
}  # fmt: skip
QUERIES = {
    "objects": {"kind": "Deployment", "group": "apps", "name": "web", "namespace": "x"},
}
BODIES: dict[str, Any] = {
    "objects.act": {"action": "restart"},
    "apps.pin": {"revision": "main@sha1:" + "a" * 40},
    "settings.update": {"data": {}},
    "argo.app-patch": {"patch": "[]"},
    "argo.project-update": {"project": {}},
    "argo.project-create": {"project": {}},
    "argo.resource-patch": "{}",
    "argo.resource-act": "restart",
    "argo.resource-act-v2": {"kind": "Deployment", "group": "apps", "resourceName": "web", "action": "restart"},
}


def kustomization(namespace: str) -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "web", "namespace": namespace, "uid": namespace, "resourceVersion": "1"},
        "spec": {"interval": "1m", "path": "./", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "repo"}},
    }


def application(namespace: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": namespace, "uid": "a" + namespace, "resourceVersion": "1"},
        "spec": {
            "project": namespace,
            "source": {"repoURL": "https://example.com/repo", "path": "."},
            "destination": {"namespace": namespace},
        },
    }


def repository(namespace: str) -> Manifest:
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "repo", "namespace": namespace, "uid": "r" + namespace, "resourceVersion": "1"},
        "spec": {"interval": "1m", "url": "https://example.com/repo"},
    }


def a_world() -> World:
    world = World(all_dialects(), lambda: datetime(2026, 3, 1, tzinfo=UTC))
    world.projects["shop"] = {"metadata": {"name": "shop", "resourceVersion": "1"}, "spec": {}}
    for namespace in (OWN, FOREIGN):
        for obj in (kustomization(namespace), application(namespace), repository(namespace)):
            world.seen(ref_of(obj), obj)
    return world


class NoCluster:
    def of(self, caller: object) -> Any:
        raise AssertionError(f"{caller} was let through to a cluster")


class NoController:
    async def compare(self, wish: object) -> Any:
        raise AssertionError(f"{wish} was let through to a controller")

    async def impact(self, wish: object) -> Any:
        raise AssertionError(f"{wish} was let through to a controller")

    async def commits(self, wish: object) -> Any:
        raise AssertionError(f"{wish} was let through to a controller")

    async def probe(self, wish: object) -> Any:
        raise AssertionError(f"{wish} was let through to a controller")


async def the_table() -> AsyncIterator[list[Operation]]:
    clock = Clock()
    around = Surroundings(
        store=a_store(), projects=MemoryProjects(), scopes=lambda: ("groups",), clock=clock, forward=clock.forward
    )
    async with IdentityService(around) as identity:
        about = About(list, lambda: (0, 0, 0))
        parts = Parts(
            world=a_world(),
            identity=identity,
            about=about,
            clients=NoCluster(),
            trees=Trees(),
            audit=Audit(AuditReading("")),
            controllers=NoController(),
        )
        yield table(parts)


async def reached(_: Call) -> Answer:
    return Answer(body={"reached": True})


def path_of(operation: Operation, namespace: str) -> str:
    known = {
        "appKind": "Kustomization", "appNamespace": namespace, "appName": "web",
        "kind": "GitRepository", "namespace": namespace, "name": "repo",
        "project": "shop", "role": "ci", "id": "1", "iat": "1", "resource": "applications", "action": "get",
        "subresource": "x", "secret": "repo-1", "repo": "https%3A%2F%2Fexample.com%2Fr",
        "cluster": "https%3A%2F%2F10.0.0.1", "revision": "a" * 40,
         "settings": "argocd-cm", "application": "web", "pod": "web-1",
    }  # fmt: skip

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        assert name in known, f"{operation.id}: say here what {{{name}}} of its path may be"
        return known[name]

    return re.sub(r"\{(\w+)(?::[^}]*)?\}", value, operation.path)


def wanted(operation: Operation, who: str, namespace: str) -> set[int]:
    """The statuses that are right."""
    good = {operation.status, 200}
    access = operation.access
    if isinstance(access, Public):
        return good
    if not who:
        return {401}
    if isinstance(access, Listed | SignedIn):
        return good
    reads = access.action == "get" and access.exact is None
    match who:
        case "boss":
            return good
        case "reader":
            if access.resource in ("exec", "audit"):
                return {404}
            # What they may see and not change is forbidden, not hidden.
            return good if reads else {403}
        case "ann":
            if access.resource == "projects":  # one that she may see, wherever she is
                return good if access.action == "get" else {403}
            return good if namespace == OWN and access.resource not in ("audit", "settings", "certificates") else {404}
    return {404}


@pytest.mark.parametrize("who", ["", "boss", "reader", "ann", "stranger"])
@pytest.mark.parametrize("namespace", [OWN, FOREIGN])
async def test_each_operation_is_reached_by_whom_it_is_for(who: str, namespace: str) -> None:
    async for operations in the_table():
        stubs = [structs.replace(one, handler=reached, seconds=30.0) for one in operations]
        async with serving(stubs) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            wrong = []
            for operation in stubs:
                headers = {"X-User": who} if who else {}
                query = QUERIES.get(operation.part, {}) if operation.query is not None else {}
                if operation.part == "argo":
                    query = {"appNamespace": namespace, "kind": "Deployment", "group": "apps", "resourceName": "web"}
                body = BODIES.get(operation.id, {}) if operation.body is not None else None
                if operation.id == "objects.events":
                    query = {}
                async with served.client.request(
                    operation.method,
                    path_of(operation, namespace),
                    headers=headers,
                    params=query,
                    json=body,
                    allow_redirects=False,
                ) as answer:
                    right = wanted(operation, who, namespace)
                    if operation.surface is Surface.ARGOCD and 404 in right:
                        right = {403}  # as Argo CD hides what one may not see
                    # A body that says nothing may be too little: then the caller came past the question of rights.
                    let_in = isinstance(operation.access, Public | SignedIn | Listed)
                    if (
                        answer.status not in right
                        and not (let_in and who and answer.status in (400, 415))
                        and not (isinstance(operation.access, Public) and answer.status in (400, 415))
                    ):
                        wrong.append((operation.id, answer.status, sorted(right)))
            assert len(stubs) > 40
            assert not wrong


async def test_whatever_only_asks_who_one_is_says_so_here() -> None:
    """SIGNED_IN alone is no answer to who may change something: its handler has to ask, and a test of its own to try it."""
    async for operations in the_table():
        found = {one.id for one in operations if isinstance(one.access, SignedIn)}
        assert found <= DECIDED_INSIDE, found - DECIDED_INSIDE


async def test_every_changing_operation_is_audited_or_says_why_not() -> None:
    async for operations in the_table():
        unaudited = {one.id for one in operations if one.method != "GET" and not one.audited}
        # Of what changes nothing; the controller tells of a webhook, who knows whether it was proved.
        tests = {"repositories.test", "clusters.test", "argo.repository-validate", "apps.check"}
    assert unaudited == tests | {"argo.webhook"}


async def test_rights_are_ones_that_a_policy_can_give() -> None:
    from trueup.server.access.builtin import ACTIONS

    async for operations in the_table():
        for one in operations:
            if isinstance(one.access, Needs | Listed):
                assert one.access.action in ACTIONS[one.access.resource], one.id
