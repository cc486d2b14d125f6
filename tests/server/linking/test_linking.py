"""What is gathered for templates, and for whom: clusters, projects, addresses of objects."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from tests.server.api.support import serving
from tests.server.argo.kit import application, world_of
from trueup.apps.livetree import Hello, LiveNode, Ready, Tree
from trueup.apps.objects.asks import Seen
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef
from trueup.model.sight import Sight
from trueup.server.access.policy import policy_of
from trueup.server.api.call import Call
from trueup.server.keeping.projects import Projects
from trueup.server.linking.declared import Of
from trueup.server.linking.filling import Links
from trueup.server.linking.linking import DeepLinks
from trueup.server.linking.operations import LinkOperations, operations
from trueup.server.world.operations import Apps
from trueup.server.world.treereading import TreeReader
from trueup.server.world.trees import Trees

POLICY = """
p, role:shop, applications, get, shop/*, allow
p, role:full, applications, get, shop/*, allow
p, role:full, projects, get, shop, allow
g, ann, role:shop
g, full, role:full
"""
APP = ObjectRef("argoproj.io", "Application", "argocd", "web")
WEB = "/api/trueup/v1/apps/Application/argocd/web"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVERYTHING = "https://x/?{{ .cluster.name }}+{{ .cluster.labels }}+{{ .project.metadata.name }}"


def cluster(name: str, server: str, project: str = "") -> Manifest:
    data = {"name": name, "server": server, "project": project, "config": '{"bearerToken": "canary"}'}
    return {
        "metadata": {"name": f"cluster-{name}", "labels": {"argocd.argoproj.io/secret-type": "cluster", "env": "prod"}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


class Client:
    """Of a cluster that has these Secrets; counts how often it is asked for them."""

    def __init__(self) -> None:
        self.impersonates = False
        self.secrets: list[Manifest] = []
        self.asked = 0
        self.discovery = self

    def of(self, caller: object) -> Any:
        del caller
        return self

    async def resource(self, *names: str) -> str:
        return names[-1]

    async def list_all(self, resource: str, namespace: str, *, label_selector: str) -> list[Manifest]:
        assert (resource, namespace, label_selector) == ("Secret", "argocd", "argocd.argoproj.io/secret-type=cluster")
        self.asked += 1
        return self.secrets


class Live:
    """One object, whatever is asked for."""

    def __init__(self) -> None:
        self.obj: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}

    async def seen(self, call: Call, ref: ObjectRef) -> Seen:
        del call
        return Seen(ref=ref, manifest=self.obj)


async def no_token() -> str:
    return ""


class Around:
    def __init__(self) -> None:
        self.client, self.live, self.trees = Client(), Live(), Trees()
        self.world = world_of(application("web"))
        self.config: dict[str, str] = {}
        self.served: Any = None

    def declare(self, of: Of, **link: Any) -> None:
        self.config = {of.value: yaml.safe_dump([{"title": "t"} | link])}

    async def urls(self, path: str = "/links", who: str = "ann") -> list[str]:
        async with self.served.client.get(WEB + path, headers={"X-User": who}) as answer:
            assert answer.status == 200, await answer.text()
            return [one["url"] for one in (await answer.json())["items"]]


@pytest.fixture
async def around() -> AsyncIterator[Around]:
    held = Around()
    world, client = held.world, held.client
    async with Links(lambda: held.config) as links:
        apps, projects = Apps(world), Projects(world, client)
        deep = DeepLinks(world, client, held.live, links, lambda: (), held.trees)  # type: ignore[arg-type]
        async with serving(operations(LinkOperations(world, apps, deep), apps, projects)) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            held.served = served
            yield held


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ([], "in-cluster+<no value>"),
        ([cluster("far", "https://far")], "in-cluster+<no value>"),
        ([cluster("home", "https://kubernetes.default.svc")], "home+map[env:prod]"),
        ([cluster("ours", "https://kubernetes.default.svc", "shop")], "ours+map[env:prod]"),
        ([cluster("theirs", "https://kubernetes.default.svc", "bank")], "in-cluster+<no value>"),
    ],
)
async def test_a_template_knows_the_cluster_unless_it_is_of_another_project(
    around: Around, secrets: list[Manifest], said: str
) -> None:
    around.client.secrets = secrets
    around.declare(Of.APPLICATION, url=EVERYTHING)
    assert await around.urls() == [f"https://x/?{said}+shop"]


async def test_clusters_are_asked_for_only_where_a_template_speaks_of_one(around: Around) -> None:
    around.declare(Of.APPLICATION, url="https://x/{{ .app.metadata.name }}")
    assert await around.urls() == ["https://x/web"]
    assert around.client.asked == 0


async def test_where_kubernetes_judges_a_project_is_known_to_whom_may_see_it(around: Around) -> None:
    around.client.impersonates = True
    around.declare(Of.APPLICATION, url="https://x/{{ .project.metadata.name }}")
    assert await around.urls(who="ann") == ["https://x/<no value>"]
    assert await around.urls(who="full") == ["https://x/shop"]


async def test_an_object_and_its_app_lead_where_ingresses_and_annotations_say(around: Around) -> None:
    urls = ("https://shop.example.com/", "Board|https://board.example.com", "Bad|javascript:alert(1)")
    node = LiveNode(
        ref=ObjectRef("", "ConfigMap", "shop", "web"), version="v1", uid="u", managed=True, sight=Sight(urls=urls)
    )
    reader = TreeReader("http://127.0.0.1:1", no_token, around.trees, lambda: NOW, name="a")
    for frame in (Hello(position="e-0", resumed=False), Tree(app=APP, nodes=(node,)), Ready(position="e-0")):
        reader.take(frame)
    assert await around.urls() == ["https://shop.example.com/", "https://board.example.com"]
    around.live.obj["metadata"]["annotations"] = {"link.argocd.argoproj.io/a": "Mine|https://mine"}
    assert await around.urls("/object/links?kind=ConfigMap&name=web&namespace=shop") == ["https://mine"]


async def test_who_may_not_see_an_app_is_told_nothing_of_its_links(around: Around) -> None:
    paths: Mapping[str, int] = {WEB + "/links": 404, "/api/trueup/v1/projects/shop/links": 404}
    for path, status in paths.items():
        async with around.served.client.get(path, headers={"X-User": "stranger"}) as answer:
            assert answer.status == status
