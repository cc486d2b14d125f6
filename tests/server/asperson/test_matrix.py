"""Who may call what where Kubernetes decides: every operation that there is, with people whose rights are roles of a real RBAC.

The same table and the same samples as where policies decide; the API server is asked as the person, and nothing is played.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from msgspec import structs
from typer.testing import CliRunner

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import Diary
from tests.server.test_matrix import BODIES, FOREIGN, OWN, QUERIES, a_world, path_of, reached, the_table
from trueup.cli.main import app
from trueup.cluster.client import KubeClient
from trueup.cluster.config import ClusterConfig, load_config
from trueup.cluster.credentials import Credential, StaticCredentials
from trueup.cluster.retry import RetryPolicy
from trueup.model.apierror import ClusterUnreachable
from trueup.model.refs import ObjectRef
from trueup.server.access.deciding import Person
from trueup.server.api.caller import Caller, KubernetesIdentity, Via
from trueup.server.api.dispatch import Api, problems_for_unknown_paths
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.operation import Listed, Needs, Operation, Public, SignedIn, Surface, Target
from trueup.server.api.refusals import Unauthenticated
from trueup.server.asperson import authority as deciding
from trueup.server.asperson.authority import KubernetesAuthority
from trueup.server.asperson.reviews import KEPT
from trueup.server.rights import kinds_of, namespaces_of

__all__ = ["embedded_cluster"]

BACKENDS = ["embedded_cluster", pytest.param("control_plane", marks=pytest.mark.real)]
RBAC = "rbac.authorization.k8s.io"
OWN_GROUPS = ["kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "source.toolkit.fluxcd.io", "argoproj.io"]
IDENTITIES = {
    "boss": KubernetesIdentity(user="oidc:boss", groups=("oidc:matrix-bosses",)),
    "reader": KubernetesIdentity(user="oidc:reader"),
    "ann": KubernetesIdentity(user="oidc:ann", groups=("oidc:matrix-team-a",)),
    "named": KubernetesIdentity(user="oidc:named"),
    "stranger": KubernetesIdentity(user="oidc:stranger"),
    "nobody": None,
}


class Identified:
    """Whoever `X-User` names, as Kubernetes knows them; a test's authenticator."""

    async def authenticate(self, request: web.Request) -> Caller:
        if (name := request.headers.get("X-User", "")) not in IDENTITIES:
            raise Unauthenticated("nobody is signed in")
        return caller(name)

    def still_valid(self, _: Caller) -> bool:
        return True


def caller(name: str) -> Caller:
    return Caller(person=Person(name=name), via=Via.TOKEN, kubernetes=IDENTITIES[name])


def role(kind: str, name: str, namespace: str, *rules: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)}


def binding(name: str, namespace: str, to: tuple[str, str], who: tuple[str, str]) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": to[0], "name": to[1]},
        "subjects": [{"apiGroup": RBAC, "kind": who[0], "name": who[1]}],
    }


def the_roles() -> list[dict[str, Any]]:
    everything = {"apiGroups": OWN_GROUPS, "resources": ["*"], "verbs": ["*"]}
    reading = {"apiGroups": OWN_GROUPS, "resources": ["*"], "verbs": ["get", "list", "watch"]}
    one = {
        "apiGroups": ["kustomize.toolkit.fluxcd.io"], "resources": ["kustomizations"], "resourceNames": ["web"],
        "verbs": ["get"],
    }  # fmt: skip
    return [
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (OWN, FOREIGN)),
        binding("matrix-bosses", "", ("ClusterRole", "cluster-admin"), ("Group", "oidc:matrix-bosses")),
        role("ClusterRole", "matrix-reader", "", reading),
        binding("matrix-reader", "", ("ClusterRole", "matrix-reader"), ("User", "oidc:reader")),
        role("Role", "matrix-team", OWN, everything),
        binding("matrix-team", OWN, ("Role", "matrix-team"), ("Group", "oidc:matrix-team-a")),
        role("Role", "matrix-named", OWN, one),
        binding("matrix-named", OWN, ("Role", "matrix-named"), ("User", "oidc:named")),
    ]


@pytest.fixture(params=BACKENDS)
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param).kubeconfig)


@pytest.fixture
async def client(kubeconfig: Path) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_config(kubeconfig)) as made:
        for manifest in the_roles():
            await made.apply(manifest, manager="test")
        await until_decided(made)
        yield made


async def until_decided(client: KubeClient) -> None:
    """The authorizer of a real server sees a role a moment after it was written."""
    last = Target("", ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", OWN, "web"))
    async with asyncio.timeout(20):
        while not await authority_of(client).may(caller("named"), "applications", "get", last):  # noqa: ASYNC110 no news
            await asyncio.sleep(0.05)


def authority_of(client: KubeClient, clock: Any = None) -> KubernetesAuthority:
    world = a_world()
    given = {"clock": clock} if clock is not None else {}
    return KubernetesAuthority(client, kinds_of(world), lambda: namespaces_of(world), **given)


def wanted(operation: Operation, who: str, namespace: str) -> set[int]:
    good, access = {operation.status, 200}, operation.access
    if isinstance(access, Public):
        return good
    if not who:
        return {401}
    if isinstance(access, Listed | SignedIn):
        return good
    assert isinstance(access, Needs)
    of_apps = access.resource in ("applications", "sources", "logs", "exec")
    # Of an App's objects the API server judges each; to come as far as it, the right to see the App is enough.
    reads = access.action == "get" and access.exact is None
    inside = access.resource in ("logs", "exec") or "/" in access.action
    kind_of_app = "GitRepository" if operation.part == "sources" else "Kustomization"
    match who:
        case "boss":
            return good
        case "reader":
            if not (of_apps or access.resource == "projects"):
                return {404}
            return good if reads or inside else {403}
        case "ann":
            return good if of_apps and namespace == OWN else {404}
        case "named":
            if not of_apps or namespace != OWN or operation.part == "argo" or kind_of_app != "Kustomization":
                return {404}
            return good if reads or inside else {403}
    return {404}


async def test_each_operation_is_reached_by_whom_kubernetes_lets(client: KubeClient) -> None:
    async for operations in the_table():
        stubs = [structs.replace(one, handler=reached, seconds=60.0) for one in operations]
        api = Api(stubs, Identified(), authority_of(client), auditor=Diary())
        served = web.Application(middlewares=[problems_for_unknown_paths])
        api.add_to(served)
        listener = Listener(served, Bounds())
        port = await listener.start("127.0.0.1", 0)
        wrong: list[tuple[object, ...]] = []
        try:
            async with ClientSession(f"http://127.0.0.1:{port}") as http:
                for namespace in (OWN, FOREIGN):
                    for who in ("", *IDENTITIES):
                        wrong += [found async for found in tried(http, stubs, who, namespace)]
        finally:
            await listener.stop()
        assert len(stubs) > 40
        assert not wrong


async def tried(
    http: ClientSession, operations: list[Operation], who: str, namespace: str
) -> AsyncIterator[tuple[object, ...]]:
    """Those that answer what they should not."""
    for operation in operations:
        query = (
            QUERIES.get(operation.part, {}) if operation.query is not None and operation.id != "objects.events" else {}
        )
        if operation.part == "argo":
            query = {"appNamespace": namespace, "kind": "Deployment", "group": "apps", "resourceName": "web"}
        async with http.request(
            operation.method,
            path_of(operation, namespace),
            headers={"X-User": who} if who else {},
            params=query,
            json=BODIES.get(operation.id, {}) if operation.body is not None else None,
            allow_redirects=False,
        ) as answer:
            right = wanted(operation, who, namespace)
            if operation.surface is Surface.ARGOCD and 404 in right:
                right = {403}  # as Argo CD hides what one may not see
            # A body that says nothing may be too little: then the caller came past the question of rights.
            let_in = isinstance(operation.access, Public | SignedIn | Listed)
            if answer.status not in right and not (let_in and answer.status in (400, 415)):
                yield who, namespace, operation.id, answer.status, sorted(right)


APP_TARGETS = [
    Target("", ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, "web"))
    for namespace in (OWN, FOREIGN)
]


@pytest.mark.parametrize(
    ("who", "seen"),
    [("boss", 2), ("reader", 2), ("ann", 1), ("named", 1), ("stranger", 0), ("nobody", 0)],
)
async def test_lists_say_what_single_questions_say(client: KubeClient, who: str, seen: int) -> None:
    authority, asker = authority_of(client), caller(who)
    shows = authority.predicate(asker, "applications", "get")
    assert not any(map(shows, APP_TARGETS))  # nothing was asked yet
    await authority.prepare(asker)
    shows = authority.predicate(asker, "applications", "get")
    assert [shows(target) for target in APP_TARGETS] == [
        await authority.may(asker, "applications", "get", target) for target in APP_TARGETS
    ]
    assert sum(map(shows, APP_TARGETS)) == seen


async def test_a_right_that_is_taken_away_is_gone_with_the_answer_that_told_of_it(client: KubeClient) -> None:
    now = 0.0
    authority, asker = authority_of(client, lambda: now), caller("ann")
    await authority.prepare(asker)
    assert authority.predicate(asker, "applications", "get")(APP_TARGETS[0])
    version = authority.version_of(asker)
    bindings = await client.discovery.resolve("rolebindings")
    await client.delete(bindings, "matrix-team", OWN)

    async def is_gone() -> bool:
        nonlocal now
        now += KEPT
        await authority.prepare(asker)
        return not authority.predicate(asker, "applications", "get")(APP_TARGETS[0])

    async with asyncio.timeout(20):
        while not await is_gone():  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.05)
    assert authority.version_of(asker) > version  # whoever follows is told to read the list anew
    assert not await authority.may(asker, "applications", "get", APP_TARGETS[0])


async def test_what_was_not_asked_again_is_not_believed_for_ever(client: KubeClient) -> None:
    now = 0.0
    authority, asker = authority_of(client, lambda: now), caller("ann")
    await authority.prepare(asker)
    now += 2 * KEPT
    person = authority._person(asker)
    assert person is not None
    rights = deciding.rights_of("applications", "get", APP_TARGETS[0], authority._kinds)
    assert rights is not None
    assert not any(map(person.reviews.knows, rights))


async def test_objects_are_seen_by_whoever_may_get_them(client: KubeClient) -> None:
    service, node = ObjectRef("", "Service", OWN, "web"), ObjectRef("", "Node", "", "one")
    kustomization = APP_TARGETS[0].ref
    assert kustomization is not None
    unserved = ObjectRef("example.com", "Thing", OWN, "x")
    authority = authority_of(client)
    sees = await authority.sight(caller("boss"), (service, node, unserved))
    assert all(map(sees, (service, node, unserved)))
    sees = await authority.sight(caller("ann"), (service, node, unserved))
    assert not any(map(sees, (service, node, unserved)))


async def test_an_unreachable_cluster_lets_nobody_in() -> None:
    config = ClusterConfig(server="http://127.0.0.1:9", credentials=StaticCredentials(Credential()))
    async with KubeClient(config, retry=RetryPolicy(attempts=1)) as away:
        with pytest.raises(ClusterUnreachable):
            await authority_of(away).may(caller("boss"), "applications", "get", APP_TARGETS[0])
        with pytest.raises(ClusterUnreachable):
            await authority_of(away).prepare(caller("boss"))


@pytest.mark.parametrize(
    ("who", "group", "action", "target", "allowed"),
    [
        ("oidc:ann", "oidc:matrix-team-a", "sync", f"Kustomization/{OWN}/web", True),
        ("oidc:ann", "oidc:matrix-team-a", "sync", f"Kustomization/{FOREIGN}/web", False),
        ("oidc:ann", "", "sync", f"Kustomization/{OWN}/web", False),
        ("oidc:reader", "", "get", f"shop/{OWN}/web", True),
        ("oidc:reader", "", "delete", "*", False),
    ],
)
async def test_the_command_says_what_the_server_would(
    client: KubeClient, kubeconfig: Path, who: str, group: str, action: str, target: str, allowed: bool
) -> None:
    del client  # has made the roles
    options = ["--rights", "kubernetes", "--kubeconfig", str(kubeconfig), *(["-g", group] if group else [])]
    asked = [who, action, "apps", target, *options]
    ran = await asyncio.to_thread(CliRunner().invoke, app, ["rbac", "can", *asked])
    assert (ran.exit_code, ran.output) == ((0, "Yes\n") if allowed else (1, "No\n"))
    ran = await asyncio.to_thread(CliRunner().invoke, app, ["rbac", "explain", *asked, "-o", "json"])
    said = json.loads(ran.output)
    assert said["allowed"] is allowed
    if allowed:
        assert all("RBAC: allowed by" in rule for rule in said["rules"])
