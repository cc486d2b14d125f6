"""One App is followed by its resource: also where its row says nothing new."""

from __future__ import annotations

import msgspec

from tests.server.test_matrix import a_world, kustomization
from trueup.model.manifest import ref_of
from trueup.server.world.followone import follow_one


async def test_each_version_of_one_app_is_told_others_are_not_and_its_end_ends_it() -> None:
    world = a_world()
    mine, other = kustomization("team-a"), kustomization("team-b")
    told = follow_one(world.apps, ref_of(mine))
    first = await anext(told)
    assert (first.event, first.id) == ("app", "1")
    other["metadata"]["resourceVersion"] = "3"
    world.seen(ref_of(other), other)
    mine["metadata"]["resourceVersion"] = "4"
    mine["status"] = {"lastHandledReconcileAt": "now"}
    world.seen(ref_of(mine), mine)
    second = await anext(told)
    assert second.id == "4"
    assert msgspec.json.decode(second.data)["resource"]["status"] == {"lastHandledReconcileAt": "now"}
    world.seen(ref_of(mine), None)
    assert [event.event async for event in told] == ["gone"]
