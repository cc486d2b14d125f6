"""When sites are opened, shared, exchanged and closed. On virtual time, with clusters that a test says all about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from tests.controllers.room import Room
from trueup.cluster.config import ClusterConfig
from trueup.cluster.credentials import Credential, StaticCredentials
from trueup.controllers.sites.hosting import HEARTBEAT, Opened
from trueup.controllers.sites.site import ClusterReplaced, Site, SiteUnavailable
from trueup.controllers.sites.sites import RELOOK, SitePending, Sites
from trueup.controllers.sites.ways import ClusterUnknown, Way
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.refs import ObjectRef
from trueup.model.target import Destination, KubeconfigSecret, Target

pytestmark = pytest.mark.looptime

SHOP, TOOLS = ObjectRef("g", "Kustomization", "shop", "app"), ObjectRef("g", "Kustomization", "tools", "app")
IN_SHOP, IN_TOOLS = (KubeconfigSecret(ObjectRef("", "Secret", name, "there")) for name in ("shop", "tools"))
NAMED = Destination(name="production")
SETTLED = 5.0
"""Seconds in which everything that is to happen has happened."""


class World:
    """`secrets` holds what each target leads to; `down` and `refusing` the contents whose cluster answers so."""

    def __init__(self) -> None:
        self.shell = Room()._shell
        self.secrets: dict[Target, str] = {}
        self.down: set[str] = set()
        self.refusing: set[str] = set()
        self.cluster = "c1"
        """The uid of whatever cluster answers."""
        self.breaking: dict[str, asyncio.Event] = {}
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.woken: list[ObjectRef] = []
        self.tries = 0
        self.sites = Sites(Site("in-cluster", "home", self.shell), self.way, self.open)
        self.sites.wake = self.woken.append

    async def way(self, target: Target) -> Way:
        if self.secrets.get(target) == "a trap":
            raise ValueError("Invalid IPv6 URL")
        if (content := self.secrets.get(target)) is None:
            raise ClusterUnknown(f"{target} is not there")
        config = ClusterConfig(server="https://there", credentials=StaticCredentials(Credential()))
        return Way(config=config, identity=content, name=content, is_home=content == "home")

    async def open(self, way: Way, stack: AsyncExitStack, doubt: Callable[[], None]) -> Opened:
        del doubt
        self.tries += 1
        content, cluster = way.identity, self.cluster

        async def probe() -> None:
            if content in self.down:
                raise ClusterUnreachable("connection refused")
            if content in self.refusing:
                raise ApiError(401, "Unauthorized", "who are you?")
            if self.cluster != cluster:
                raise ClusterReplaced(f"another cluster answers as {content}")

        async def work() -> None:
            await self.breaking.setdefault(content, asyncio.Event()).wait()
            del self.breaking[content]
            raise ValueError("a fault of ours")

        await probe()
        self.opened.append(content)
        stack.callback(self.closed.append, content)
        return Opened(Site(content, cluster, self.shell), probe, (work,))

    def settle(self, app: ObjectRef, target: Target | None) -> Site:
        """As a look does."""
        site = self.sites.wanted(app, target)
        self.sites.put(app, site)
        return site


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    task = asyncio.create_task(made.sites.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def begin(world: World, app: ObjectRef, target: Target) -> Site:
    with pytest.raises(SitePending):
        world.settle(app, target)
    await asyncio.sleep(SETTLED)
    return world.settle(app, target)


async def test_an_app_of_our_own_cluster_opens_nothing(world: World) -> None:
    assert world.settle(SHOP, None) is world.sites.home
    await asyncio.sleep(2 * RELOOK)
    assert world.tries == 0


async def test_apps_with_the_same_kubeconfig_share_a_site_that_goes_with_the_last_of_them(world: World) -> None:
    world.secrets = {IN_SHOP: "a", IN_TOOLS: "a"}
    site = await begin(world, SHOP, IN_SHOP)
    assert await begin(world, TOOLS, IN_TOOLS) is site
    assert SHOP in world.woken
    assert world.opened == ["a"]
    world.sites.leave(SHOP)
    await asyncio.sleep(SETTLED)
    assert world.closed == []
    world.sites.leave(TOOLS)
    await asyncio.sleep(SETTLED)
    assert world.closed == ["a"]
    assert world.sites.at(SHOP) is world.sites.home


async def test_another_content_opens_another_site_and_the_old_one_goes_when_its_app_has_left(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    old = await begin(world, SHOP, IN_SHOP)
    world.secrets = {IN_SHOP: "b"}
    world.sites.value_changed(IN_SHOP.ref)
    await asyncio.sleep(SETTLED)
    assert world.opened == ["a", "b"]
    assert world.sites.at(SHOP) is old  # until a look of its own
    assert world.closed == []
    assert world.settle(SHOP, IN_SHOP).name == "b"
    await asyncio.sleep(SETTLED)
    assert world.closed == ["a"]


async def test_nobody_has_to_tell_that_a_secret_changed(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    await begin(world, SHOP, IN_SHOP)
    world.secrets = {IN_SHOP: "b"}
    await asyncio.sleep(RELOOK + SETTLED)
    assert world.settle(SHOP, IN_SHOP).name == "b"


async def test_a_cluster_that_does_not_answer_is_tried_ever_more_rarely_and_comes_by_itself(world: World) -> None:
    world.secrets, world.down = {IN_SHOP: "a"}, {"a"}
    with pytest.raises(SitePending):
        world.settle(SHOP, IN_SHOP)
    await asyncio.sleep(SETTLED)
    with pytest.raises(SiteUnavailable, match="does not answer: connection refused") as told:
        world.settle(SHOP, IN_SHOP)
    assert told.value.reason == "ClusterUnreachable"
    await asyncio.sleep(3600)
    assert world.tries < 70
    assert len(world.woken) == 1  # one wording, one word
    world.down.clear()
    await asyncio.sleep(60 + SETTLED)
    assert world.settle(SHOP, IN_SHOP).name == "a"


async def test_a_cluster_that_goes_away_is_missed_though_nothing_is_done_there(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    site = await begin(world, SHOP, IN_SHOP)
    world.down = {"a"}
    await asyncio.sleep(HEARTBEAT + SETTLED)
    with pytest.raises(SiteUnavailable, match="does not answer"):
        world.settle(SHOP, IN_SHOP)
    world.woken.clear()
    world.down.clear()
    await asyncio.sleep(SETTLED)
    assert world.woken == [SHOP]
    assert world.settle(SHOP, IN_SHOP) is site  # watched all the time
    assert world.opened == ["a"]


async def test_another_cluster_at_the_same_address_is_another_site(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    old = await begin(world, SHOP, IN_SHOP)
    world.cluster = "c2"
    await asyncio.sleep(HEARTBEAT + SETTLED)
    assert isinstance(old.problem, ClusterReplaced)
    new = world.settle(SHOP, IN_SHOP)
    assert (old.cluster_id, new.cluster_id) == ("c1", "c2")
    assert world.closed == ["a"]
    await asyncio.sleep(2 * HEARTBEAT)
    assert world.opened == ["a", "a"]


async def test_refused_credentials_are_read_again_at_once(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    await begin(world, SHOP, IN_SHOP)
    world.secrets, world.refusing = {IN_SHOP: "b"}, {"a"}
    await asyncio.sleep(HEARTBEAT + SETTLED)
    assert world.settle(SHOP, IN_SHOP).name == "b"


async def test_a_secret_that_goes_takes_its_site_along_and_nothing_leads_home_instead(world: World) -> None:
    world.secrets = {NAMED: "a"}
    await begin(world, SHOP, NAMED)
    world.secrets = {}
    world.sites.registry_changed()
    await asyncio.sleep(SETTLED)
    with pytest.raises(ClusterUnknown):
        world.settle(SHOP, NAMED)
    assert not world.sites.is_led(SHOP)
    world.sites.put(SHOP, world.sites.nowhere)
    await asyncio.sleep(SETTLED)
    assert world.closed == ["a"]
    with pytest.raises(SiteUnavailable):
        await world.sites.at(SHOP).shell.capabilities()


async def test_a_name_may_lead_home(world: World) -> None:
    world.secrets = {NAMED: "home"}
    with pytest.raises(SitePending):
        world.settle(SHOP, NAMED)
    await asyncio.sleep(SETTLED)
    assert world.settle(SHOP, NAMED) is world.sites.home
    world.secrets = {NAMED: "a"}
    world.sites.registry_changed()
    await asyncio.sleep(SETTLED)
    assert world.settle(SHOP, NAMED).name == "a"


async def test_a_site_that_ends_by_a_fault_of_ours_is_opened_again_and_harms_no_other(world: World) -> None:
    world.secrets = {IN_SHOP: "a", IN_TOOLS: "b"}
    await begin(world, SHOP, IN_SHOP)
    other = await begin(world, TOOLS, IN_TOOLS)
    world.breaking["a"].set()
    await asyncio.sleep(SETTLED)
    assert world.opened == ["a", "b", "a"]
    assert world.settle(SHOP, IN_SHOP).problem is None
    assert world.settle(TOOLS, IN_TOOLS) is other


async def test_a_secret_that_nobody_thought_of_stops_its_own_apps_alone(world: World) -> None:
    world.secrets = {IN_SHOP: "a trap", IN_TOOLS: "b"}
    other = await begin(world, TOOLS, IN_TOOLS)
    with pytest.raises(SitePending):
        world.settle(SHOP, IN_SHOP)
    await asyncio.sleep(60)
    with pytest.raises(SiteUnavailable, match="an internal error: ValueError"):
        world.settle(SHOP, IN_SHOP)
    assert world.settle(TOOLS, IN_TOOLS) is other
    world.secrets[IN_SHOP] = "a"
    await asyncio.sleep(60 + SETTLED)
    assert world.settle(SHOP, IN_SHOP).name == "a"


async def test_a_site_that_nobody_waits_for_any_more_is_not_left_open(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    with pytest.raises(SitePending):
        world.settle(SHOP, IN_SHOP)
    await asyncio.sleep(0)
    world.sites.leave(SHOP)
    await asyncio.sleep(SETTLED)
    assert world.opened == world.closed


async def test_why_a_site_is_not_reached_is_known_while_it_is_so(world: World) -> None:
    world.secrets = {IN_SHOP: "a"}
    assert world.sites.problem(SHOP) is None
    await begin(world, SHOP, IN_SHOP)
    world.down = {"a"}
    await asyncio.sleep(2 * HEARTBEAT)
    assert (found := world.sites.problem(SHOP)) is not None
    assert found.reason == "ClusterUnreachable"
    world.down = set()
    await asyncio.sleep(SETTLED)
    assert world.sites.problem(SHOP) is None
    del world.secrets[IN_SHOP]
    world.sites.value_changed(IN_SHOP.ref)
    await asyncio.sleep(SETTLED)
    assert (found := world.sites.problem(SHOP)) is not None, "though its App has not left it yet"
    assert found.reason == "ClusterNotFound"
