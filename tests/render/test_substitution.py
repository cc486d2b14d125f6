"""Flux's postBuild: variables into what was built, and common metadata onto it."""

from __future__ import annotations

import pytest

from tests.render.conftest import Render
from tests.support.manifests import config_map, deployment
from trueup.model.errors import BuildFailed
from trueup.model.rendering import CommonMetadata, Substitution

ON = Substitution()


async def test_a_number_becomes_a_number_even_where_the_manifest_quoted_it(flux: Render) -> None:
    text = deployment("web").replace("replicas: 1", "replicas: ${N}").replace("name: web", 'name: "web"', 1)
    files = {"web.yaml": text, "c.yaml": config_map("c", quoted="'${N}'", text="a${N}")}

    by_kind = {one.ref.kind: one.manifest for one in (await flux(files, variables={"N": "3"}, substitution=ON)).objects}

    assert by_kind["Deployment"]["spec"]["replicas"] == 3
    # As in Flux: the text is written anew before substitution, and `${N}` by itself needs no quotes there.
    assert by_kind["ConfigMap"]["data"] == {"quoted": 3, "text": "a3"}


async def test_names_of_objects_may_be_variables(flux: Render) -> None:
    rendered = await flux({"a.yaml": config_map("app-${ENV}")}, variables={"ENV": "prod"}, substitution=ON)

    assert str(rendered.objects[0].ref) == "ConfigMap/app-prod"
    assert str(rendered.objects[0].origin) == "a.yaml:1"


async def test_a_variable_that_is_not_set_names_object_file_and_way_out(flux: Render) -> None:
    with pytest.raises(BuildFailed) as caught:
        await flux({"a.yaml": config_map("a", key="${NOPE}")}, variables={"ENV": "prod"}, substitution=ON)

    message = str(caught.value)
    assert "ConfigMap/a" in message
    assert "variable NOPE is not set" in message
    assert "a.yaml:1" in message
    assert "${NOPE:=value}" in message
    assert "$${" in message


async def test_without_strict_it_is_empty(flux: Render) -> None:
    lenient = Substitution(strict=False)
    rendered = await flux({"a.yaml": config_map("a", key="x${NOPE}")}, variables={"E": "1"}, substitution=lenient)

    assert rendered.objects[0].manifest["data"] == {"key": "x"}


@pytest.mark.parametrize(
    ("substitution", "expected"),
    [
        (None, "${NOPE:=d}"),
        (Substitution(), "${NOPE:=d}"),
        (Substitution(always=True), "d"),
        (Substitution(variables={"A": "b"}), "d"),
    ],
)
async def test_texts_are_left_alone_where_there_are_no_variables(
    flux: Render, substitution: Substitution | None, expected: str
) -> None:
    rendered = await flux({"a.yaml": config_map("a", key='"${NOPE:=d}"')}, substitution=substitution)

    assert rendered.objects[0].manifest["data"] == {"key": expected}


@pytest.mark.parametrize("place", ["annotations", "labels"])
async def test_an_object_may_opt_out(flux: Render, place: str) -> None:
    text = config_map("a", key='"${ENV}"').replace(
        "metadata:\n", f"metadata:\n  {place}:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n"
    )
    rendered = await flux(
        {"a.yaml": text, "b.yaml": config_map("b", key='"${ENV}"')}, variables={"ENV": "x"}, substitution=ON
    )

    assert [one.manifest["data"]["key"] for one in rendered.objects] == ["${ENV}", "x"]


async def test_line_breaks_are_taken_out_of_values(flux: Render) -> None:
    rendered = await flux({"a.yaml": config_map("a", key="${V}")}, variables={"V": "one\ntwo\n"}, substitution=ON)

    assert rendered.objects[0].manifest["data"] == {"key": "onetwo"}


async def test_a_value_that_breaks_the_yaml_is_an_error_that_does_not_show_it(flux: Render) -> None:
    with pytest.raises(BuildFailed, match="no longer valid YAML") as caught:
        await flux({"a.yaml": config_map("a", key="${V}")}, variables={"V": "s3cr3t: [x"}, substitution=ON)

    assert "s3cr3t" not in str(caught.value)
    assert "ConfigMap/a" in str(caught.value)


async def test_the_digest_and_the_inputs_do_not_depend_on_variables(flux: Render) -> None:
    files = {"a.yaml": config_map("a", key="${V}")}

    one = await flux(files, variables={"V": "1"}, substitution=ON)
    two = await flux(files, variables={"V": "2"}, substitution=ON)

    assert (one.digest, one.inputs) == (two.digest, two.inputs)
    assert one.objects != two.objects


async def test_two_objects_that_become_one_are_refused(flux: Render) -> None:
    files = {"a.yaml": config_map("x-${A}"), "b.yaml": config_map("x-${B}")}

    with pytest.raises(BuildFailed, match=r"declared twice: in a.yaml:1 and b.yaml:1"):
        await flux(files, variables={"A": "1", "B": "1"}, substitution=ON)


async def test_a_wrong_name_of_a_variable_is_refused(flux: Render) -> None:
    with pytest.raises(BuildFailed, match="'my-var' cannot be the name of a variable"):
        await flux({"a.yaml": config_map("a")}, variables={"my-var": "1"}, substitution=ON)


async def test_common_metadata_wins_over_the_manifests_and_reaches_no_template(flux: Render) -> None:
    text = deployment("web").replace(
        "metadata:\n  name: web\n", "metadata:\n  name: web\n  labels: {team: a, keep: me}\n", 1
    )
    common = CommonMetadata(labels={"team": "b"}, annotations={"who": "us"})

    (one,) = (await flux({"web.yaml": text}, common_metadata=common)).objects

    assert one.manifest["metadata"]["labels"] == {"team": "b", "keep": "me"}
    assert one.manifest["metadata"]["annotations"] == {"who": "us"}
    assert one.manifest["spec"]["template"]["metadata"] == {"labels": {"app": "web"}}
