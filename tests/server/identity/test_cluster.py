"""Identity on an API server: what it keeps there, what it sees there, and whose a ServiceAccount's token is."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.cluster.scripted import until
from tests.embedded.fixtures import embedded_cluster
from tests.server.identity.kit import Clock, forged
from tests.server.identity.served import serving
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.cluster.liveview import LiveView
from trueup.model.apierror import ClusterUnreachable
from trueup.model.manifest import Manifest, labels_of
from trueup.server.api.refusals import NotFound, TooMany, Unauthenticated, Unavailable
from trueup.server.identity.beginning import begin
from trueup.server.identity.clusterprojects import APP_PROJECTS, ClusterProjects
from trueup.server.identity.clusterstore import PART_OF, RESOURCES, ClusterStore, kept_of
from trueup.server.identity.passwords import Passwords
from trueup.server.identity.projecttokens import ProjectTokenKeeping
from trueup.server.identity.revocation import Revocations
from trueup.server.identity.serviceaccounts import ServiceAccounts
from trueup.server.identity.settings import Live
from trueup.server.identity.store import INITIAL, SECRETS, SETTINGS, Form, MemoryStore

__all__ = ["embedded_cluster"]


def claiming(name: str, audience: object = "trueup") -> str:
    """A token that says it is for us, signed by nobody."""
    return forged({"alg": "RS256"}, {"sub": name, "aud": audience}, b"x")


CLAIMING = claiming("a")
BACKENDS = ["embedded_cluster", pytest.param("control_plane", marks=pytest.mark.real)]
CRD = Path(__file__).parents[3] / "deploy" / "crds" / "appprojects.argoproj.io.yaml"


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def client(backend: Any) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_config(Path(backend.kubeconfig))) as made:
        yield made


@pytest.fixture
async def namespace(client: KubeClient) -> AsyncIterator[str]:
    name = f"identity-{uuid.uuid4().hex[:10]}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await client.delete(await client.discovery.resolve("ns"), name)


async def test_two_replicas_begin_at_once_and_see_each_others_changes(client: KubeClient, namespace: str) -> None:
    async with LiveView(client, kept_of) as one_view, LiveView(client, kept_of) as other_view:
        one, other = ClusterStore(client, one_view, namespace), ClusterStore(client, other_view, namespace)
        await one.start()
        await other.start()
        first, second = await asyncio.gather(begin(one, Passwords(), Clock()), begin(other, Passwords(), Clock()))
        written = one.read(Form.SECRET, INITIAL[0])["password"].decode()
        assert {first.reveal(), second.reveal()} <= {written, ""}
        await until(lambda: "admin.password" in other.read(Form.SECRET, SECRETS))
        await until(lambda: one.read(Form.SECRET, SECRETS) == other.read(Form.SECRET, SECRETS))
        live = await client.get(RESOURCES[Form.SECRET], SECRETS, namespace)
        assert live is not None
        assert labels_of(live)[PART_OF] == "argocd"
        revocations, seen = Revocations(one), Revocations(other)
        await revocations.revoke("t1", "alice:login", 2_000_000_000, Clock().now, 86400)
        assert revocations().covers("t1", "", 0)  # at once where it was done
        await until(lambda: seen().covers("t1", "", 0))


async def test_writers_at_once_lose_nothing_of_each_other(client: KubeClient, namespace: str) -> None:
    async with LiveView(client, kept_of) as view:
        store = ClusterStore(client, view, namespace)
        await store.start()

        async def add(number: int) -> None:
            await store.write(Form.SECRET, "counted", lambda data: {**data, f"k{number}": b"x"})

        await asyncio.gather(*(add(number) for number in range(6)))
        live = await client.get(RESOURCES[Form.SECRET], "counted", namespace)
        assert live is not None
        assert len(live["data"]) == 6
        await until(lambda: len(store.read(Form.SECRET, "counted")) == 6)


async def test_a_secret_that_is_not_labelled_is_never_seen(client: KubeClient, namespace: str) -> None:
    hidden: Manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other", "namespace": namespace}}
    await client.create({**hidden, "stringData": {"key": "hidden"}})
    async with LiveView(client, kept_of) as view:
        store = ClusterStore(client, view, namespace)
        await store.start()
        assert store.read(Form.SECRET, "other") == {}
        assert Live(store).resolve("$other:key") == "$other:key"


async def test_what_others_write_after_us_is_seen(client: KubeClient, namespace: str) -> None:
    async with LiveView(client, kept_of) as view:
        store = ClusterStore(client, view, namespace)
        await store.start()
        await store.write(Form.CONFIG_MAP, SETTINGS, lambda _: {"accounts.alice": b"login"})
        settings = Live(store)
        assert set(settings().accounts) == {"admin", "alice"}
        patch = {"data": {"accounts.bob": "login"}}
        await client.merge_patch(RESOURCES[Form.CONFIG_MAP], SETTINGS, namespace, patch)
        await until(lambda: "bob" in settings().accounts)


async def test_a_projects_tokens_are_kept_in_both_places_of_the_resource(client: KubeClient, namespace: str) -> None:
    await client.apply(yaml.safe_load(CRD.read_text()), manager="test")
    spec = {"roles": [{"name": "ci", "policies": ["p, proj:shop:ci, applications, get, shop/*, allow"]}]}
    project = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "shop"}, "spec": spec}
    project["metadata"] = {"name": "shop", "namespace": namespace}
    for _ in range(100):
        try:
            await client.create(project)
            break
        except Exception:  # the CRD is not served yet
            await asyncio.sleep(0.05)
            await client.discovery.refresh()
    memory = MemoryStore()
    memory.set(Form.SECRET, SECRETS, {"server.secretkey": "a-key-of-enough-length-0123456789"})
    async with LiveView(client, lambda manifest: manifest) as view:
        await view.track(APP_PROJECTS, {namespace})
        keeping = ProjectTokenKeeping(ClusterProjects(client, view, namespace), Live(memory), Clock())
        made = await keeping.create("shop", "ci", "one", 3600)
        issued = made.row.issued
        roles = keeping.roles("shop", "ci")
        assert roles is not None
        assert ("one", issued) in roles.tokens
        live = await client.get(APP_PROJECTS, "shop", namespace)
        assert live is not None
        row = {"id": "one", "iat": issued, "exp": issued + 3600}
        assert live["spec"]["roles"][0]["jwtTokens"] == [row]
        assert live["spec"]["roles"][0]["policies"] == spec["roles"][0]["policies"]
        assert live["status"]["jwtTokensByRole"]["ci"]["items"] == [row]
        # Git puts the spec back as it was: the token holds still, for the status has it.
        await client.merge_patch(APP_PROJECTS, "shop", namespace, {"spec": spec})
        found = keeping.roles("shop", "ci")
        assert found is not None
        assert ("one", issued) in found.tokens
        await keeping.delete("shop", "ci", token_id="one", issued=0)
        await until(lambda: not keeping.roles("shop", "ci").tokens)  # type: ignore[union-attr]
        with pytest.raises(NotFound):
            await keeping.create("none", "ci", "", 0)


async def issued(client: KubeClient, namespace: str, audience: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/robot/token"
    body = msgspec.json.encode({"spec": {"audiences": [audience], "expirationSeconds": 3600}})
    answer = await client.raw("POST", path, body=body)
    return str(answer.manifest["status"]["token"])


async def test_a_service_account_calls_with_a_token_that_was_made_for_us(client: KubeClient, namespace: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": namespace}}
    await client.create(account)
    ours, theirs = await issued(client, namespace, "trueup"), await issued(client, namespace, "vault")
    accounts = ServiceAccounts(client.create, time.monotonic)
    async with serving(service_accounts=accounts) as served:
        for _ in range(5):
            status, body, _ = await served.ask("GET", "/api/trueup/v1/session", token=ours)
            assert (status, body["name"], body["via"]) == (
                200,
                f"system:serviceaccount:{namespace}:robot",
                "service-account",
            )
        assert f"system:serviceaccounts:{namespace}" in body["groups"]
        assert accounts.asked == 1
        for bad in (theirs, ours[:-4] + "AAAA"):
            status, body, _ = await served.ask("GET", "/api/trueup/v1/session", token=bad)
            assert (status, body["reason"]) == (401, "Unauthenticated")
            assert bad not in json.dumps(body)


async def test_an_api_server_that_is_away_is_said_so_and_not_taken_for_a_no() -> None:
    async def away(_: Manifest) -> Manifest:
        raise ClusterUnreachable("no route")

    with pytest.raises(Unavailable):
        await ServiceAccounts(away, time.monotonic).whose(CLAIMING)


async def test_a_person_whom_the_cluster_knows_otherwise_is_no_service_account() -> None:
    async def knows(_: Manifest) -> Manifest:
        return {"status": {"authenticated": True, "audiences": ["trueup"], "user": {"username": "admin"}}}

    async def ignores(_: Manifest) -> Manifest:  # a server that knows no audiences says none
        return {"status": {"authenticated": True, "user": {"username": "system:serviceaccount:a:b"}}}

    for review in (knows, ignores):
        with pytest.raises(Unauthenticated):
            await ServiceAccounts(review, time.monotonic).whose(CLAIMING)


async def test_what_is_remembered_of_tokens_is_bounded_and_short() -> None:
    async def no(_: Manifest) -> Manifest:
        return {"status": {"authenticated": False}}

    clock = Clock()
    accounts = ServiceAccounts(no, clock.forward)
    for number in range(2_500):
        with pytest.raises(Unauthenticated):
            await accounts.whose(claiming(str(number)))
    assert len(accounts._known) == 2_000
    asked = accounts.asked
    clock.pass_(seconds=61)
    with pytest.raises(Unauthenticated):
        await accounts.whose(claiming("2499"))
    assert accounts.asked == asked + 1


async def test_what_does_not_even_claim_to_be_for_us_is_not_asked_about_and_floods_wait_in_bounds() -> None:
    go = asyncio.Event()

    async def slow(_: Manifest) -> Manifest:
        await go.wait()
        return {"status": {"authenticated": False}}

    accounts = ServiceAccounts(slow, time.monotonic)
    for junk in ("junk", "a.b.c", claiming("a", "vault"), claiming("a", None), claiming("a", ["x"])):
        with pytest.raises(Unauthenticated):
            await accounts.whose(junk)
    assert accounts.asked == 0
    tasks = [asyncio.create_task(accounts.whose(claiming(str(number), ["x", "trueup"]))) for number in range(200)]
    await asyncio.sleep(0)
    go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(one, TooMany) for one in found) == 200 - 64
    assert accounts.asked == 64
