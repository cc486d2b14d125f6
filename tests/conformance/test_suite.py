"""The suite is as large as promised, and its parts are what the documentation says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.collector import AREAS, EMBEDDED, scenarios
from tests.conformance.known import KNOWN
from tests.conformance.story import stories
from tests.conformance.unenforced import UNENFORCED, Unenforced
from tests.embedded.api.comparing import Server, path_of, plurals_of
from tests.embedded.fixtures import EmbeddedCluster

MINIMA = {
    ("Server-side apply",): 80,
    ("Strategic merge patch",): 40,
    ("CustomResourceDefinitions", "Schemas"): 40,
    ("Lists", "Watches"): 30,
    ("Rules in CEL",): 25,
}
COUNT = {area.name: len(area.titles) for area in AREAS}


@pytest.mark.parametrize(("areas", "least"), MINIMA.items(), ids=lambda value: str(value))
def test_an_area_has_as_many_scenarios_as_promised(areas: tuple[str, ...], least: int) -> None:
    assert sum(COUNT[name] for name in areas) >= least


def test_there_are_250_scenarios_in_all() -> None:
    assert scenarios() >= 250


def test_no_area_is_empty_and_no_title_stands_twice() -> None:
    assert all(COUNT.values()), COUNT
    for area in AREAS:
        assert len(set(area.titles)) == len(area.titles), area.name


def test_every_case_file_belongs_to_an_area() -> None:
    files = {path.stem for path in EMBEDDED.glob("*/cases/*.yaml")} | {story.file for story in stories()}
    assert files == {title.partition(":")[0] for area in AREAS for title in area.titles}


def test_nine_of_ten_scenarios_are_equal_to_the_real_server() -> None:
    for area in AREAS:
        assert len(area.differences) <= len(area.titles) / 10, area.name
    assert all(KNOWN.values())


@pytest.mark.parametrize("each", [each for each in UNENFORCED if each.ignored], ids=lambda each: each.kinds)
async def test_a_kind_that_is_said_to_be_stored_only_has_no_effect(
    each: Unenforced, bare_embedded_cluster: EmbeddedCluster, namespace_name: str
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        plurals = await plurals_of(server)

        async def create(manifest: dict[str, Any]) -> tuple[int, Any]:
            return await server.send("POST", path_of(manifest, plurals, namespace_name), manifest)

        for manifest in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_name}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}},
            *each.stored,
        ):
            code, answer = await create(manifest)
            assert code == 201, answer
        try:
            code, answer = await create(each.ignored)
            assert code == 201, answer
        finally:
            for manifest in each.stored:
                await server.send(
                    "DELETE", f"{path_of(manifest, plurals, namespace_name)}/{manifest['metadata']['name']}"
                )
