"""An App that has come to another project since the watch told of it: rights in the one before are none there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import Struct

from tests.server.acting.test_apps import Cluster
from tests.server.api.support import Served, serving
from tests.server.argo.kit import application
from tests.server.test_matrix import a_world
from trueup.model.manifest import ref_of
from trueup.server.access.policy import policy_of
from trueup.server.acting.apps import Acting, operations
from trueup.server.argo import changing, syncing
from trueup.server.argo.finding import ArgoApps
from trueup.server.world.operations import Apps

OURS = "/api/trueup/v1/apps/Application/argocd/web"
THEIRS = "/api/v1/applications/web"


class Moved(Struct):
    served: Served
    cluster: Cluster


@pytest.fixture
async def moved() -> AsyncIterator[Moved]:
    world, known, live = a_world(), application("web", "default"), application("web", "bank")
    world.seen(ref_of(known), known)
    world.projects = {"default": {}, "bank": {}}
    cluster: Any = Cluster(live)
    apps, argo = Apps(world), ArgoApps(world)
    ours, theirs = Acting(world, apps, cluster), Acting(world, argo, cluster)
    table = [
        *operations(ours, apps),
        *syncing.operations(syncing.Syncing(argo, theirs), argo),
        *changing.operations(changing.Changing(world, argo, theirs), argo),
    ]
    async with serving(table) as served:
        served.authority.update(policy_of({"policy.csv": "p, ann, applications, *, default/*, allow"}), {})
        yield Moved(served, cluster)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", OURS + "/sync", {}),
        ("PUT", OURS + "/suspension", {}),
        ("DELETE", OURS, None),
        ("PUT", OURS, application("web", "default")),
        ("POST", THEIRS + "/sync", {}),
        ("DELETE", THEIRS, None),
        ("PUT", THEIRS + "/spec", application("web", "default")["spec"]),
    ],
)
async def test_nothing_is_done_to_it(moved: Moved, method: str, path: str, body: Any) -> None:
    async with moved.served.client.request(method, path, json=body, headers={"X-User": "ann"}) as answer:
        assert answer.status == 404, await answer.text()
    assert (moved.cluster.written, moved.cluster.deleted) == ([], [])
