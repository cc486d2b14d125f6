"""Plain manifests as files: every way to write them, and every way to get them wrong, under both dialects."""

from __future__ import annotations

import json

import pytest

from tests.render.conftest import Render
from tests.support.manifests import config_map, places, refs
from tests.support.snapshots import MemorySnapshot
from trueup.model.errors import BuildFailed
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.render.engine.pool import EnginePool
from trueup.render.render import render

A, B = config_map("a"), config_map("b")
LIST = (
    "apiVersion: v1\nkind: List\nitems:\n- "
    + A.replace("\n", "\n  ").rstrip()
    + "\n- "
    + B.replace("\n", "\n  ").rstrip()
)


@pytest.fixture(params=["flux", "argocd"])
def either(request: pytest.FixtureRequest) -> Render:
    render: Render = request.getfixturevalue(request.param)
    return render


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"{A}---\n{B}", {"ConfigMap/a": "x.yaml:1", "ConfigMap/b": "x.yaml:6"}, id="two documents"),
        pytest.param(
            f"---\n{A}--- # next\n{B}---\n", {"ConfigMap/a": "x.yaml:2", "ConfigMap/b": "x.yaml:7"}, id="separators"
        ),
        pytest.param(f"\n# about\n\n{A}", {"ConfigMap/a": "x.yaml:4"}, id="comments first"),
        pytest.param(f"---\n---\n# nothing\n---\n{A}---\nnull\n", {"ConfigMap/a": "x.yaml:5"}, id="empty documents"),
        pytest.param(
            f"{A}---\n{B}".replace("\n", "\r\n"), {"ConfigMap/a": "x.yaml:1", "ConfigMap/b": "x.yaml:6"}, id="CRLF"
        ),
        pytest.param("\ufeff" + A, {"ConfigMap/a": "x.yaml:1"}, id="byte order mark"),
        pytest.param(LIST, {"ConfigMap/a": "x.yaml:4", "ConfigMap/b": "x.yaml:8"}, id="kind: List"),
        pytest.param(
            LIST.replace("kind: List", "kind: ConfigMapList"),
            {"ConfigMap/a": "x.yaml:4", "ConfigMap/b": "x.yaml:8"},
            id="kind: ConfigMapList",
        ),
        pytest.param(
            json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            {"ConfigMap/a": "x.yaml:1"},
            id="JSON",
        ),
        pytest.param(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", {"ConfigMap/a": "x.yaml:1"}, id="flow style"
        ),
        pytest.param("# nothing here\n", {}, id="only comments"),
        pytest.param("", {}, id="empty"),
    ],
)
async def test_manifests_may_be_written_in_many_ways(either: Render, text: str, expected: dict[str, str]) -> None:
    rendered = await either({"x.yaml": text})

    assert places(rendered.objects) == expected


async def test_anchors_and_merge_keys_are_filled_in(either: Render) -> None:
    rendered = await either(
        {
            "x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: &l {a: b}\n"
            "  annotations:\n    <<: *l\n    c: d\n"
        }
    )

    assert rendered.objects[0].manifest["metadata"] == {
        "name": "a",
        "labels": {"a": "b"},
        "annotations": {"a": "b", "c": "d"},
    }


async def test_numbers_come_through_exactly(either: Render) -> None:
    numbers = (
        "{a: 1.10, b: 9223372036854775807, c: 18446744073709551615, d: -0.5, e: 1e3, f: '1.10', g: 0.1, h: 1234567.125}"
    )
    rendered = await either({"x.yaml": f"apiVersion: x/v1\nkind: X\nmetadata: {{name: x}}\nspec: {numbers}\n"})

    assert rendered.objects[0].manifest["spec"] == {
        "a": 1.1,
        "b": 9223372036854775807,
        "c": 18446744073709551615,
        "d": -0.5,
        "e": 1000,
        "f": "1.10",
        "g": 0.1,
        "h": 1234567.125,
    }


async def test_each_reader_is_its_own_dialects(flux: Render, argocd: Render) -> None:
    text = (
        "apiVersion: x/v1\nkind: X\nmetadata: {name: x}\nspec: {sexagesimal: '22:22', answer: yes, day: 2020-01-01}\n"
    )

    kustomize, plain = await flux({"x.yaml": text}), await argocd({"x.yaml": text})

    assert kustomize.objects[0].manifest["spec"]["answer"] == "yes"  # YAML 1.2, as the kustomize library reads
    assert plain.objects[0].manifest["spec"]["answer"] is True  # YAML 1.1, as Kubernetes' own clients read
    assert plain.objects[0].manifest["spec"]["day"] == "2020-01-01"


BOMB = "data:\n  a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"  {name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        pytest.param(f"{A}---\nfoo: [1,\nbar: 2\n", "x.yaml:7", "YAML", id="syntax"),
        pytest.param(
            f"{A}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  name: c\n",
            "x.yaml:10",
            '"name"',
            id="duplicate key",
        ),
        pytest.param("apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: a\n", "x.yaml:4", "tab", id="tab"),
        pytest.param(A.encode() + b"data:\n  a: \xff\n", "x.yaml:6", "not UTF-8", id="not UTF-8"),
        pytest.param(A + BOMB, "x.yaml", "alias", id="alias bomb"),
        pytest.param(f"{A}---\nmetadata: {{name: b}}\n", "x.yaml:6", "kind", id="no kind"),
        pytest.param("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "x.yaml:1", "name", id="no name"),
        pytest.param("kind: ConfigMap\nmetadata: {name: a}\n", "x.yaml:1", "apiVersion", id="no apiVersion"),
        pytest.param(f"{A}---\n- a\n- b\n", "x.yaml:6", "mapping", id="a list"),
        pytest.param(f"{A}--- b\n", "x.yaml:5", "separator", id="text behind a separator"),
        pytest.param(b"a" * (11 << 20), "x.yaml", "11534336 bytes", id="too large"),
    ],
)
async def test_a_broken_file_is_an_error_with_its_line(either: Render, text: str | bytes, place: str, why: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        await either({"app/x.yaml": text, "app/fine.yaml": config_map("fine")}, "app")

    assert why in str(caught.value)
    assert str(caught.value.origin) == f"app/{place}" or str(caught.value.origin).startswith(f"app/{place}:")


@pytest.mark.parametrize(
    "files",
    [
        {"a/x.yaml": A, "b.yaml": f"# comment\n{B}---\n{A}"},
        {"b.yaml": f"{A}---\n{A}"},
    ],
)
async def test_under_flux_an_object_declared_twice_is_an_error_that_names_both_places(
    flux: Render, files: dict[str, str]
) -> None:
    with pytest.raises(BuildFailed, match="declared twice") as caught:
        await flux(files)

    assert str(caught.value).count(".yaml:") >= 2


async def test_under_argo_cd_the_last_declaration_counts_and_a_notice_says_so(argocd: Render) -> None:
    rendered = await argocd({"a.yaml": config_map("a", key="first"), "b.yaml": config_map("a", key="second")})

    assert [one.manifest["data"] for one in rendered.objects] == [{"key": "second"}]
    assert [notice.type for notice in rendered.notices] == ["RepeatedResourceWarning"]
    assert "a.yaml:1, b.yaml:1" in rendered.notices[0].message


async def test_a_file_of_a_hundred_megabytes_is_refused_without_being_read(engines: EnginePool) -> None:
    snapshot = MemorySnapshot({"huge.yaml": b"#" * (100 << 20)})

    with pytest.raises(BuildFailed, match="104857600 bytes; at most 10485760"):
        await render(snapshot, RenderSpec(path="", mode=RenderMode.FLUX), None, engines)

    assert snapshot.reads == []


async def test_an_engine_goes_on_after_wrong_input(flux: Render, engines: EnginePool) -> None:
    with pytest.raises(BuildFailed):
        await flux({"x.yaml": "a: ["})
    first = await engines.use(lambda engine: engine.pid)

    assert refs((await flux({"x.yaml": A})).objects) == ["ConfigMap/a"]
    assert await engines.use(lambda engine: engine.pid) == first
