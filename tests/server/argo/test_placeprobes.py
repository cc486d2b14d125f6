"""Testing what is registered, at our own paths and at Argo CD's: the controller is asked by the name of the Secret alone."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import Served, serving
from tests.server.argo.kit import NoController, world_of
from tests.server.keeping.test_placekeeping import OneClient
from trueup.apps.probe import Probe, ProbeWish
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.server.access.policy import policy_of
from trueup.server.argo.whole import operations
from trueup.server.keeping import placekeeping, placeprobes
from trueup.server.world.trees import Trees

__all__ = ["embedded_cluster"]

POLICY = """
p, role:shop, repositories, get, shop/*, allow
g, ann, role:shop
g, boss, role:admin
"""
GIT = "https://git.example.com/shop/apps.git"
CHARTS = "https://charts.example.com"


class Controller(NoController):
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.says = Probe(reachable=True)

    async def probe(self, wish: Any) -> Probe:
        assert isinstance(wish, ProbeWish)
        self.asked.append(wish.secret)
        return self.says


class Probed:
    def __init__(self, served: Served, controller: Controller) -> None:
        self.served = served
        self.controller = controller

    async def ask(self, method: str, path: str, body: Any = None, who: str = "boss") -> tuple[int, Any]:
        url = URL(f"{self.served.url}/api/{path}", encoded=True)
        async with self.served.client.request(method, url, json=body, headers={"X-User": who}) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def probed(embedded_cluster: Any) -> AsyncIterator[Probed]:
    namespace, controller = f"probes-{uuid.uuid4().hex[:8]}", Controller()
    async with KubeClient(load_config(embedded_cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        world, clients = world_of(), OneClient(client)
        world.control_namespace = namespace
        keepings = [placekeeping.Keeping(placekeeping.REPOSITORIES, world, clients)]
        clusters = placekeeping.Keeping(placekeeping.CLUSTERS, world, clients)
        table = [
            *operations(world, clients, Trees(), controller),
            *placekeeping.operations(keepings[0], clusters),
            *placeprobes.operations(
                placeprobes.PlaceProbes(keepings[0], controller), placeprobes.PlaceProbes(clusters, controller)
            ),
        ]
        async with serving(table) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            yield Probed(served, controller)


async def test_whoever_sees_a_place_tests_it_and_for_others_it_is_not_there(probed: Probed) -> None:
    _, made = await probed.ask("POST", "trueup/v1/repositories", {"url": GIT, "project": "shop"})
    secret = made["row"]["secret"]
    probed.controller.says = Probe(reachable=False, reason="AuthenticationFailed", message="no", hint="check it")
    status, said = await probed.ask("POST", f"trueup/v1/repositories/{secret}/test", who="ann")
    assert (status, said["reachable"], said["reason"], said["hint"]) == (200, False, "AuthenticationFailed", "check it")
    assert (await probed.ask("POST", f"trueup/v1/repositories/{secret}/test", who="eve"))[0] in (403, 404)
    assert (await probed.ask("POST", f"trueup/v1/clusters/{secret}/test"))[0] == 404
    assert probed.controller.asked == [secret]
    form = {"server": "https://10.1.2.3:6443", "name": "staging", "bearerToken": "canary"}
    _, made = await probed.ask("POST", "trueup/v1/clusters", form)
    probed.controller.says = Probe(reachable=True, version="v1.34.1")
    status, said = await probed.ask("POST", f"trueup/v1/clusters/{made['row']['secret']}/test")
    assert (status, said["version"]) == (200, "v1.34.1")
    assert [entry.action for entry in probed.served.diary.entries] == ["repositories.create", "clusters.create"]


async def test_argo_cds_clients_get_refs_charts_and_a_validation_of_what_is_registered(probed: Probed) -> None:
    await probed.ask("POST", "v1/repositories", {"repo": GIT, "project": "shop"})
    at = f"v1/repositories/{quote(GIT, safe='')}"
    probed.controller.says = Probe(reachable=True, branches=("main",), tags=("v1",), charts={"app": ("2.0.0", "1.0.0")})
    assert await probed.ask("GET", at + "/refs", who="ann") == (200, {"branches": ["main"], "tags": ["v1"]})
    assert await probed.ask("GET", at + "/oci-tags") == (200, {"branches": ["main"], "tags": ["v1"]})
    charts = {"items": [{"name": "app", "versions": ["2.0.0", "1.0.0"]}]}
    assert await probed.ask("GET", at + "/helmcharts") == (200, charts)
    assert await probed.ask("POST", at + "/validate", GIT) == (200, {})
    status, said = await probed.ask("POST", at + "/validate?password=canary", GIT)
    assert (status, "canary" in str(said)) == (422, False)
    probed.controller.says = Probe(reachable=False, reason="Unreachable", message="nobody answers")
    status, said = await probed.ask("POST", at + "/validate", GIT)
    assert (status, "nobody answers" in said["message"]) == (400, True)
    assert (await probed.ask("GET", at + "/refs", who="eve"))[0] == 403
    assert (await probed.ask("GET", f"v1/repositories/{quote('https://other.example.com', safe='')}/refs"))[0] == 403
    assert len(probed.controller.asked) == 5


async def test_argo_cds_clients_are_told_whether_places_answer(probed: Probed) -> None:
    await probed.ask("POST", "v1/repositories", {"repo": GIT, "project": "shop"})
    await probed.ask("POST", "v1/repositories", {"repo": CHARTS, "type": "helm"})
    _, said = await probed.ask("GET", "v1/repositories", who="ann")
    ((repo, state),) = [(one["repo"], one["connectionState"]) for one in said["items"]]
    assert (repo, state["status"], state["message"]) == (GIT, "Successful", "")
    assert state["attemptedAt"].endswith("Z")
    assert len(probed.controller.asked) == 1, "what one may not see is not tried for them"
    probed.controller.says = Probe(reachable=False, reason="AuthenticationFailed", message="credentials were refused")
    at = f"v1/repositories/{quote(GIT, safe='')}"
    assert (await probed.ask("GET", at))[1]["connectionState"]["status"] == "Successful"
    _, said = await probed.ask("GET", at + "?forceRefresh=true")
    assert (said["connectionState"]["status"], said["connectionState"]["message"]) == (
        "Failed",
        "credentials were refused",
    )
    status, said = await probed.ask("GET", "v1/projects/shop/detailed")
    assert (status, [one["repo"] for one in said["repositories"]], "clusters" in said) == (200, [GIT], False)
    assert said["project"] == (await probed.ask("GET", "v1/projects/shop"))[1]


async def test_the_cluster_that_we_are_in_needs_no_secret(probed: Probed) -> None:
    for path in ("in-cluster?id.type=name", quote("https://kubernetes.default.svc", safe="")):
        status, said = await probed.ask("GET", "v1/clusters/" + path)
        assert (status, said["name"], said["connectionState"]["status"]) == (200, "in-cluster", "Successful")
        assert said["info"]["serverVersion"] == said["serverVersion"]
        assert said["serverVersion"].startswith("1.")
    assert (await probed.ask("GET", "v1/clusters/in-cluster?id.type=name", who="ann"))[0] == 403
    form = {"server": "https://10.1.2.3:6443", "name": "far", "config": {"bearerToken": "canary"}}
    assert (await probed.ask("POST", "v1/clusters", form))[0] == 200
    probed.controller.says = Probe(reachable=True, version="v1.33.2")
    _, said = await probed.ask("GET", "v1/clusters")
    assert [(one["name"], one["serverVersion"][:2]) for one in said["items"]] == [("in-cluster", "1."), ("far", "1.")]
    assert [one["serverVersion"] for one in said["items"]][1] == "1.33"
    escaped = quote(quote("https://10.1.2.3:6443", safe=""), safe="")
    assert (await probed.ask("GET", f"v1/clusters/{escaped}?id.type=url_escaped"))[1]["name"] == "far"
    for question in (
        "name=far",
        "server=https://10.1.2.3:6443",
        "id.type=name&id.value=far",
        f"id.type=url_escaped&id.value={escaped}",
    ):
        _, said = await probed.ask("GET", "v1/clusters?" + question)
        assert [one["name"] for one in said["items"]] == ["far"]
