"""Who may sync what Git declares may, where the settings say so, not say for that alone which commit of Git it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.acting.test_apps import Cluster
from tests.server.api.support import Served, serving
from tests.server.argo.kit import application
from tests.server.test_matrix import a_world
from trueup.model.manifest import ref_of
from trueup.server.access.policy import policy_of
from trueup.server.acting.apps import Acting, operations
from trueup.server.acting.overriding import SETTING, goes_elsewhere, is_guarded
from trueup.server.argo import syncing
from trueup.server.argo.finding import ArgoApps
from trueup.server.world.operations import Apps

POLICY = """
p, ann, applications, get, shop/*, allow
p, ann, applications, sync, shop/*, allow
p, ops, applications, *, shop/*, allow
"""
COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("spec", "revisions", "elsewhere"),
    [
        ({"source": {"targetRevision": "main"}}, [""], False),
        ({"source": {"targetRevision": "main"}}, ["main"], False),
        ({"source": {"targetRevision": "main"}}, [COMMIT], True),
        ({"source": {}}, ["HEAD"], False),
        ({"source": {}}, ["main"], True),
        ({"sources": [{"targetRevision": "1"}, {"targetRevision": "2"}]}, ["1", ""], False),
        ({"sources": [{"targetRevision": "1"}, {"targetRevision": "2"}]}, ["", "1"], True),
        ({"sources": [{"targetRevision": "1"}]}, ["1", "1"], True),
    ],
)
def test_what_is_another_revision(spec: dict[str, Any], revisions: list[str], elsewhere: bool) -> None:
    assert goes_elsewhere({"spec": spec}, revisions) is elsewhere


def test_only_true_asks_for_the_right() -> None:
    assert [is_guarded({SETTING: text}) for text in ("true", " True ", "false", "", "yes")] == [True, True] + [
        False
    ] * 3


class Switch:
    on = False

    def __call__(self) -> bool:
        return self.on


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
async def served(switch: Switch) -> AsyncIterator[Served]:
    world, live = a_world(), application("web", "shop")
    world.seen(ref_of(live), live)
    cluster, apps, argo = Cluster(live), Apps(world), ArgoApps(world)
    ours: Any = Acting(world, apps, cluster, guarded=switch)  # type: ignore[arg-type]
    theirs: Any = Acting(world, argo, cluster, guarded=switch)  # type: ignore[arg-type]
    table = [*operations(ours, apps), *syncing.operations(syncing.Syncing(argo, theirs), argo)]
    async with serving(table) as one:
        one.authority.update(policy_of({"policy.csv": POLICY}), {})
        yield one


OURS = "/api/trueup/v1/apps/Application/argocd/web"
THEIRS = "/api/v1/applications/web"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", OURS + "/sync", {"revision": COMMIT}),
        ("PUT", OURS + "/pin", {"revision": f"main@sha1:{COMMIT}"}),
        ("POST", THEIRS + "/sync", {"revision": COMMIT}),
    ],
)
async def test_another_revision_needs_override_where_the_settings_say_so(
    served: Served, switch: Switch, method: str, path: str, body: dict[str, str]
) -> None:
    async def status(who: str) -> int:
        async with served.client.request(method, path, json=body, headers={"X-User": who}) as answer:
            return answer.status

    assert await status("ann") < 300
    switch.on = True
    assert await status("ann") == 403
    assert await status("ops") < 300


@pytest.mark.parametrize("path", [OURS, THEIRS])
async def test_the_apps_own_revision_needs_no_more_than_sync(served: Served, switch: Switch, path: str) -> None:
    switch.on = True
    async with served.client.post(path + "/sync", json={"prune": True}, headers={"X-User": "ann"}) as answer:
        assert answer.status < 300, await answer.text()
