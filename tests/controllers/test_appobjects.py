"""Objects of Apps in other clusters, as a controller reaches them for servers: by the App's site alone, and nothing of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.apps.objects.test_reach import Cluster, an_object
from tests.controllers.room import Room
from trueup.apps.objects.asks import (
    Act,
    AllEvents,
    Change,
    Done,
    EventRows,
    LogsOf,
    LogsWish,
    ObjectsWish,
    Remove,
    See,
    Seen,
)
from trueup.apps.objects.podlogs import LogOptions
from trueup.apps.objects.refusals import AnApp, NoSuchObject
from trueup.cluster.client import KubeClient
from trueup.controllers.access import Access
from trueup.controllers.appobjects import AppObjects
from trueup.controllers.comparing import NoSuchApp
from trueup.controllers.memory import AppMemory
from trueup.controllers.sites.nowhere import make_nowhere
from trueup.controllers.sites.site import UNNAMED, Site, SiteUnavailable
from trueup.controllers.sites.sites import Sites
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest, ref_of
from trueup.model.refs import ObjectRef

KEYS = ObjectRef("", "Secret", "shop", "keys")
CHILD = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "child")
POD = ObjectRef("", "Pod", "shop", "web-1")
APP: Manifest = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "app", "namespace": "shop"},
    "spec": {
        "interval": "1m",
        "path": "./",
        "prune": True,
        "sourceRef": {"kind": "GitRepository", "name": "shop"},
        "kubeConfig": {"secretRef": {"name": "there"}},
    },
}
REF = ref_of(APP)


class There(Cluster):
    """Another cluster, with a Secret and a child App of the App's, and two Events; `failing` is raised by every read."""

    def __init__(self) -> None:
        super().__init__(an_object(KEYS, data={"a": "Yg=="}), an_object(CHILD))
        self.failing: Exception | None = None

    async def get(self, resource: Any, name: str, namespace: str) -> Manifest | None:
        if self.failing is not None:
            raise self.failing
        return await super().get(resource, name, namespace)

    async def list_page(self, resource: Any, namespace: str, **_: Any) -> Any:
        class Page(list[Manifest]):
            continue_token = ""

        return Page(
            {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "namespace": namespace, "name": name}}
            for name in ("web-1", "of-others")
        )


class World:
    def __init__(self, cluster_id: str = "there") -> None:
        self.room, self.there = Room(), There()
        self.checked: list[ObjectRef] = []
        shell = self.room._shell
        self.home = Site("in-cluster", "home", shell)
        self.sites = Sites(self.home)
        access = Access(cast("KubeClient", self.there), self.checked.append)
        self.site = Site("https://there", cluster_id, replace(shell, access_for=lambda _: access))
        self.room.resources.put(APP | {"metadata": {**APP["metadata"], "resourceVersion": "1"}})
        memory = self.room.memories[REF] = AppMemory(REF)
        memory.app = shell.read_app(REF, APP)
        memory.saved.inventory = Inventory((InventoryEntry(KEYS, "v1"), InventoryEntry(CHILD, "v1")))
        self.sites.put(REF, self.site)
        self.objects = AppObjects(shell, self.sites, lambda _: (POD,))

    async def do(self, ask: Any) -> Any:
        return await self.objects.do(ObjectsWish(app=REF, ask=ask))


@pytest.fixture
async def world() -> World:
    return World()


async def test_secrets_are_masked_before_they_leave(world: World) -> None:
    seen = await world.do(See(ref=KEYS))
    done = await world.do(Change(ref=KEYS, patch={"data": {"a": "Yw=="}}))
    gone = await world.do(Remove(ref=KEYS, propagation="Background"))
    assert isinstance(seen, Seen)
    assert isinstance(done, Done)
    assert done.after is not None
    for manifest in (seen.manifest, done.before, done.after, gone.before):
        assert manifest["data"]["a"].startswith("hmac:")
    assert world.checked == [KEYS, KEYS], "each write is checked against what is managed of the cluster"


async def test_events_are_those_about_the_app_alone(world: World) -> None:
    told = await world.do(AllEvents())
    assert isinstance(told, EventRows)
    assert [row.ref for row in told.items] == [POD]


async def test_what_is_not_the_apps_is_not_there_and_an_app_that_is_not_served_neither(world: World) -> None:
    with pytest.raises(NoSuchObject):
        await world.do(See(ref=POD))
    with pytest.raises(NoSuchApp):
        await world.objects.do(ObjectsWish(app=CHILD, ask=See(ref=KEYS)))
    with pytest.raises(NoSuchApp):
        await world.objects.logs(LogsWish(app=CHILD, of=LogsOf(), options=LogOptions()))


@pytest.mark.parametrize(("cluster_id", "is_app"), [("there", False), ("home", True), (f"{UNNAMED}there", True)])
async def test_a_child_app_is_one_only_where_it_may_be_our_own_cluster(cluster_id: str, is_app: bool) -> None:
    world = World(cluster_id)
    ask = Remove(ref=CHILD, propagation="Background")
    if is_app:
        with pytest.raises(AnApp):
            await world.do(ask)
        assert world.there.written == []
    else:
        await world.do(ask)
        assert [row[0] for row in world.there.written] == ["delete"]


def away(world: World) -> None:
    world.site.problem = SiteUnavailable("the cluster there does not answer", hint="see to it")


def refused(world: World) -> None:
    world.there.failing = ApiError(401, "Unauthorized", "who are you?")


def cut(world: World) -> None:
    world.there.failing = ClusterUnreachable("connection refused")


def nowhere(world: World) -> None:
    world.sites.put(REF, make_nowhere(world.home.shell))


def not_placed(world: World) -> None:
    world.sites.put(REF, world.home)


def unreadable(world: World) -> None:
    world.room.memories[REF].app = None


def come_home(world: World) -> None:
    spec = {name: value for name, value in APP["spec"].items() if name != "kubeConfig"}
    world.room.memories[REF].app = world.home.shell.read_app(REF, {**APP, "spec": spec})


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (away, "ClusterUnreachable"),
        (refused, "ClusterRefused"),
        (cut, "ClusterUnreachable"),
        (nowhere, "ClusterUnreachable"),
        (not_placed, "ClusterUnreachable"),
        (unreadable, "ClusterUnreachable"),
        (come_home, "ClusterUnreachable"),
    ],
)
async def test_a_cluster_that_cannot_be_reached_says_why_and_no_other_is_asked(
    world: World, what: Callable[[World], None], reason: str
) -> None:
    """Our own has a client that nobody may use: `Room`."""
    what(world)
    for ask in (See(ref=KEYS), Remove(ref=KEYS, propagation="Background"), Act(ref=KEYS, action="restart")):
        with pytest.raises(SiteUnavailable) as refusal:
            await world.do(ask)
        assert refusal.value.reason == reason
        assert refusal.value.hint
    assert world.there.written == []


async def test_what_the_app_may_not_do_there_says_where_it_may_not(world: World) -> None:
    world.there.failing = ApiError(403, "Forbidden", "you may not")
    with pytest.raises(ApiError, match="the cluster https://there does not allow it: you may not") as refusal:
        await world.do(See(ref=KEYS))
    assert "grant it in that cluster" in refusal.value.hint
