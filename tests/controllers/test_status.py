"""The one writer of status: minimal, newest wins, patient with conflicts. On virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from trueup.controllers.resources import Resources
from trueup.controllers.status import Patch, StatusWriter
from trueup.dialects.dialect import StatusPatch
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, ref_of

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class Server:
    """Takes patches, and refuses as it is told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.refusals: list[ApiError] = []
        self.version = 100

    async def patch_resource(self, obj: Manifest, patch: Patch) -> Manifest:
        await asyncio.sleep(0.01)
        if self.refusals:
            raise self.refusals.pop(0)
        self.bodies.append(patch.body)
        self.version += 1
        return obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.version)}} | patch.body


def resource(name: str = "web") -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "1"},
    }


@pytest.fixture
def server() -> Server:
    return Server()


def make(server: Server, *objects: Manifest) -> tuple[StatusWriter, Resources]:
    resources = Resources()
    for obj in objects:
        resources.put(obj)
    return StatusWriter(server, resources, on_write=lambda _: None), resources


def says(text: str) -> Any:
    return lambda obj: None if obj.get("status") == text else StatusPatch("status", {"status": text})


async def test_what_is_said_already_is_not_written_again(server: Server) -> None:
    writer, _ = make(server, resource())
    ref = ref_of(resource())
    assert await writer.write(ref, says("ready"))
    assert await writer.write(ref, says("ready"))
    assert server.bodies == [{"status": "ready"}]


async def test_a_conflict_is_made_anew_from_the_newest_object(server: Server) -> None:
    writer, _ = make(server, resource())
    server.refusals = [ApiError(409, "Conflict", "changed meanwhile")] * 2
    assert await writer.write(ref_of(resource()), says("ready"))
    assert server.bodies == [{"status": "ready"}]


async def test_a_resource_that_is_gone_is_no_error(server: Server) -> None:
    writer, resources = make(server, resource())
    server.refusals = [ApiError(404, "NotFound", "gone")]
    assert not await writer.write(ref_of(resource()), says("ready"))
    resources.drop(ref_of(resource()))
    assert not await writer.write(ref_of(resource()), says("ready"))


async def test_a_later_word_replaces_an_earlier_one_and_moves_are_paced(server: Server, looptime: Any) -> None:
    objects = [resource(f"app-{number}") for number in range(400)]
    writer, _ = make(server, *objects)
    for word in ("old", "new"):
        for obj in objects:
            writer.later(ref_of(obj), says(word))
    running = asyncio.create_task(writer.run())
    await asyncio.sleep(1.0)
    assert 150 <= len(server.bodies) <= 250, "two hundred a second"
    await asyncio.sleep(2.0)
    running.cancel()
    assert server.bodies == [{"status": "new"}] * 400
    assert looptime <= 3.1


async def test_an_outcome_overtakes_the_move_of_the_same_resource(server: Server) -> None:
    writer, _ = make(server, resource())
    ref = ref_of(resource())
    writer.later(ref, says("moved"))
    await writer.write(ref, says("outcome"))
    assert writer.waiting == 0
    assert server.bodies == [{"status": "outcome"}]


async def test_a_late_answer_does_not_bring_a_deleted_resource_back(server: Server) -> None:
    del server
    _, resources = make(Server(), resource())
    resources.drop(ref_of(resource()))
    late = resource()
    late["metadata"]["resourceVersion"] = "99"
    assert not resources.put(late)
    again = resource()
    again["metadata"]["uid"] = "another"
    assert resources.put(again), "made again under the same name it is another object"
