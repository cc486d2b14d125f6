"""What is told before anything is done: what one may do, and what is wrong with what somebody writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.api.support import Served, serving
from tests.server.argo.kit import application
from tests.server.test_matrix import a_world, kustomization, repository
from trueup.model.apierror import ApiError, Cause
from trueup.model.manifest import Manifest
from trueup.server.access.policy import policy_of
from trueup.server.acting import checking, rights, sources
from trueup.server.world.operations import Apps, Sources

POLICY = """
p, ann, applications, *, ns:team-a/*, allow
p, ann, applications, action/apps/Deployment/restart, ns:team-a/*, allow
p, ann, applications, delete/*, ns:team-a/*, allow
p, ann, applications, delete/*/Secret/*, ns:team-a/*, deny
p, ann, sources, *, ns:team-a/*, allow
p, eve, applications, get, ns:team-a/*, allow
"""
BASE = "/api/trueup/v1"


class Server:
    """An API server's answers to dry runs."""

    def __init__(self) -> None:
        self.shown: list[Manifest] = []
        self.made: list[Manifest] = []
        self.refuses: ApiError | None = None

    def of(self, caller: object) -> Server:
        del caller
        return self

    async def create(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        return self._answer(manifest, dry_run)

    async def replace(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        return self._answer(manifest, dry_run)

    def _answer(self, manifest: Manifest, dry_run: bool) -> Manifest:
        (self.shown if dry_run else self.made).append(manifest)
        if self.refuses is not None:
            raise self.refuses
        return manifest


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def served(server: Server) -> AsyncIterator[Served]:
    world = a_world()
    apps, known = Apps(world), Sources(world)
    clients: Any = server
    operations = [
        *rights.operations(rights.Telling(world, apps), apps),
        *checking.operations(checking.Checking(world, clients)),
        *sources.operations(sources.SourceActing(world, known, clients), known),
    ]
    async with serving(operations) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        yield served


async def checked(served: Served, *manifests: Manifest, who: str = "ann", existing: bool = False) -> list[Any]:
    body = {"manifests": manifests, "existing": existing}
    async with served.client.post(f"{BASE}/validation", json=body, headers={"X-User": who}) as answer:
        assert answer.status == 200, await answer.text()
        return [
            (one["exists"], [found["message"] for found in one["findings"]]) for one in (await answer.json())["items"]
        ]


def named(manifest: Manifest, name: str) -> Manifest:
    return {**manifest, "metadata": {"name": name, "namespace": manifest["metadata"]["namespace"]}}


async def test_what_is_well_is_shown_to_the_api_server_and_written_nowhere(served: Served, server: Server) -> None:
    new = named(kustomization("team-a"), "shop")
    assert await checked(served, new) == [(False, [])]
    misspelt = {**new, "spec": {**new["spec"], "prunee": True}}
    async with served.client.post(
        f"{BASE}/validation", json={"manifests": [misspelt]}, headers={"X-User": "ann"}
    ) as answer:
        (finding,) = (await answer.json())["items"][0]["findings"]
    assert finding == {
        "field": "spec.prunee", "message": "there is no such field", "hint": "did you mean prune?", "blocks": False,
    }  # fmt: skip
    assert server.shown.pop()
    assert [one["metadata"] for one in server.shown] == [{"name": "shop", "namespace": "team-a"}]
    assert server.made == []
    assert served.diary.entries == [], "nothing was changed, however often somebody types"


async def test_every_fault_of_several_is_told_at_once_with_its_field(served: Served, server: Server) -> None:
    new = named(kustomization("team-a"), "shop")
    new["spec"] = {**new["spec"], "interval": "soon"}
    (_, first), (_, second) = await checked(served, new, {"kind": "Deployment", "metadata": {}})
    assert "matching" in first[0]
    assert second == ["has no name"]
    assert server.shown == []
    server.refuses = ApiError(
        422, "Invalid", "x", causes=(Cause("a", "Required value", "spec.prune"), Cause("b", "no"))
    )
    assert await checked(served, named(kustomization("team-a"), "shop")) == [(False, ["Required value", "no"])]


async def test_a_source_that_is_not_there_is_told_unless_it_comes_along(served: Served) -> None:
    new = named(kustomization("team-a"), "shop")
    new["spec"] = {**new["spec"], "sourceRef": {"kind": "GitRepository", "name": "deploy"}}
    ((_, alone),) = await checked(served, new)
    assert alone == ["there is no GitRepository/team-a/deploy that you can see"]
    assert await checked(served, named(repository("team-a"), "deploy"), new) == [(False, []), (False, [])]


async def test_a_name_that_is_taken_is_told_and_editing_needs_it_to_be_there(served: Served) -> None:
    taken, free = kustomization("team-a"), named(kustomization("team-a"), "shop")
    assert await checked(served, taken) == [(True, ["there is a Kustomization/team-a/web already"])]
    assert await checked(served, taken, existing=True) == [(True, [])]
    assert await checked(served, free, existing=True) == [(False, ["there is no Kustomization/team-a/shop (any more)"])]


@pytest.mark.parametrize("who", ["ann", "eve"])
async def test_what_one_may_not_make_is_not_shown_to_the_api_server(served: Served, server: Server, who: str) -> None:
    ((exists, findings),) = await checked(served, kustomization("team-b"), who=who)
    assert (exists, findings) == (False, [f"{who} may not create applications ns:team-b/Kustomization/web"])
    assert server.shown == []


async def test_the_project_of_others_is_not_told_when_its_app_is_named(served: Served, server: Server) -> None:
    """An Application names its project itself, so one could claim another's as one's own to learn of it."""
    served.authority.update(policy_of({"policy.csv": "p, ann, applications, *, shop/*, allow"}), {})
    claimed = application("web", project="shop")
    claimed["metadata"] |= {"namespace": "team-b", "name": "web"}
    ((exists, findings),) = await checked(served, claimed, existing=True)
    assert (exists, findings) == (False, ["there is no Application/team-b/web (any more)"])


async def test_a_source_is_made_by_whom_it_is_for(served: Served, server: Server) -> None:
    new = named(repository("team-a"), "deploy") | {"status": {"artifact": {}}}
    for who, status in (("ann", 201), ("eve", 404)):
        async with served.client.post(f"{BASE}/sources", json=new, headers={"X-User": who}) as answer:
            assert answer.status == status, await answer.text()
    assert [(one["metadata"]["name"], "status" in one) for one in server.made] == [("deploy", False)]
    async with served.client.post(f"{BASE}/sources", json=kustomization("team-a"), headers={"X-User": "ann"}) as answer:
        assert "no kind of source" in (await answer.json())["detail"]


async def test_rights_are_told_for_what_one_may_see(served: Served) -> None:
    asked = "app=Kustomization/team-a/web&app=Kustomization/team-b/web&app=nonsense"
    told = {}
    for who in ("ann", "eve"):
        async with served.client.get(f"{BASE}/apps/rights?{asked}", headers={"X-User": who}) as answer:
            items = (await answer.json())["items"]
        told[who] = [(one["app"], one["may"]) for one in items]
        missing = items[0]["missing"].get("delete")
    key = "Kustomization/team-a/web"
    assert missing == "ask for a role with: p, ROLE, applications, delete, ns:team-a/Kustomization/web, allow"
    assert told == {"ann": [(key, ["refresh", "sync", "update", "delete"])], "eve": [(key, [])]}


async def test_rights_on_one_object_name_the_actions_of_its_kind(served: Served) -> None:
    path = f"{BASE}/apps/Kustomization/team-a/web/object/rights"
    told = []
    for where in ("group=apps&kind=Deployment", "kind=Secret", "group=argoproj.io&kind=Application"):
        async with served.client.get(f"{path}?{where}&namespace=x&name=y", headers={"X-User": "ann"}) as answer:
            told.append((await answer.json())["may"])
    assert told == [["update", "delete", "restart", "scale", "pause", "resume"], ["update"], []]
