"""Jsonnet files of a directory source: Argo CD's rules, the official library's values, and what counts as an input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.peers.locate import find_program
from tests.render.conftest import Files, Render
from tests.support.snapshots import Link
from trueup.model.errors import BuildFailed, TrueupError
from trueup.model.manifest import Declared
from trueup.model.rendering import DirectoryOptions, JsonnetOptions, JsonnetVariable
from trueup.render.render import Rendered

CONFIG = """\
local name = std.extVar('name');
{
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: name },
  data: { text: importstr 'text.txt', first: std.toString((importbin 'text.txt')[0]) },
}
"""


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **({"data": data} if data else {})}


def options(*variables: JsonnetVariable, libraries: tuple[str, ...] = ()) -> DirectoryOptions:
    return DirectoryOptions(jsonnet=JsonnetOptions(ext_vars=variables, libraries=libraries))


def objects(rendered: Rendered) -> list[Any]:
    return [one.manifest for one in rendered.objects]


def looked(rendered: Rendered) -> set[str]:
    return {item.path for item in rendered.inputs.items}


async def test_a_file_gives_one_manifest(argocd: Render) -> None:
    files = {"app/main.jsonnet": CONFIG, "app/text.txt": "hello"}
    rendered = await argocd(files, "app", directory=options(JsonnetVariable("name", "web")))
    assert objects(rendered) == [config("web", text="hello", first="104")]
    assert rendered.source_type == "Directory"
    (one,) = rendered.objects
    assert isinstance(one, Declared)
    assert one.origin is not None
    assert one.origin.path == "app/main.jsonnet"


@pytest.mark.parametrize(
    "text",
    [
        "[a, null, b]",
        "{apiVersion: 'v1', kind: 'List', items: [a, b]}",
        "[{apiVersion: 'v1', kind: 'ConfigMapList', items: [a]}, b]",
    ],
)
async def test_a_file_may_give_a_list_or_lists_of_manifests(argocd: Render, text: str) -> None:
    start = "local c(name) = {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}}, a = c('a'), b = c('b'); "
    rendered = await argocd({"app/all.jsonnet": start + text}, "app")
    assert objects(rendered) == [config("a"), config("b")]


async def test_plain_files_and_evaluated_ones_come_in_the_order_of_a_walk(argocd: Render) -> None:
    files = {f"app/{name}.{ending}": json.dumps(config(name)) for name, ending in
             [("a", "yaml"), ("b", "jsonnet"), ("c", "json"), ("d", "jsonnet")]}  # fmt: skip
    rendered = await argocd(files, "app")
    assert [obj["metadata"]["name"] for obj in objects(rendered)] == ["a", "b", "c", "d"]


async def test_arguments_and_code_reach_the_file(argocd: Render) -> None:
    text = "function(name, count=1) [{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name + i}} for i in std.range(1, count)]"
    top_level = (JsonnetVariable("name", "web"), JsonnetVariable("count", "1 + 1", code=True))
    rendered = await argocd(
        {"app/main.jsonnet": text}, "app", directory=DirectoryOptions(jsonnet=JsonnetOptions(top_level=top_level))
    )
    assert [obj["metadata"]["name"] for obj in objects(rendered)] == ["web1", "web2"]


LIBRARIES: Files = {
    "app/main.jsonnet": "local c = import 'c.libsonnet'; c",
    "vendor/c.libsonnet": json.dumps(config("vendor")),
    "lib/c.libsonnet": json.dumps(config("lib")),
}


async def test_the_last_library_is_searched_first_and_the_importing_folder_before_all(argocd: Render) -> None:
    both = options(libraries=("vendor", "/lib/"))
    assert objects(await argocd(LIBRARIES, "app", directory=both)) == [config("lib")]
    beside = {**LIBRARIES, "app/c.libsonnet": json.dumps(config("beside"))}
    assert objects(await argocd(beside, "app", directory=both)) == [config("beside")]
    assert objects(await argocd(LIBRARIES, "app", directory=options(libraries=("vendor",)))) == [config("vendor")]


async def test_what_was_looked_for_in_vain_is_an_input(argocd: Render) -> None:
    """A file that appears in the importing folder later must make the App render again."""
    rendered = await argocd(LIBRARIES, "app", directory=options(libraries=("vendor", "lib")))
    assert {"app/main.jsonnet", "app/c.libsonnet", "lib/c.libsonnet"} <= looked(rendered)
    assert "vendor/c.libsonnet" not in looked(rendered), "nobody looked there"


async def test_a_library_of_the_app_itself_is_found_from_deeper_files(argocd: Render) -> None:
    files = {"app/deep/main.jsonnet": "import 'shared.libsonnet'", "app/shared.libsonnet": json.dumps(config("web"))}
    rendered = await argocd(files, "app", directory=DirectoryOptions(recurse=True))
    assert objects(rendered) == [config("web")]


async def test_libsonnet_files_are_no_manifests_and_the_skip_mark_is_obeyed(argocd: Render) -> None:
    files = {"app/only.libsonnet": "{}", "app/left.jsonnet": "// +argocd:skip-file-rendering\n{}"}
    assert objects(await argocd(files, "app")) == []


@pytest.mark.parametrize(
    ("files", "words", "path", "line"),
    [
        ({"app/a.jsonnet": "{\n  kind: 'X',\n  broken\n}"}, ["Expected"], "app/a.jsonnet", 4),
        ({"app/a.jsonnet": "{}"}, ["no kind"], "app/a.jsonnet", 0),
        ({"app/a.jsonnet": "'text'"}, ["no kind"], "app/a.jsonnet", 0),
        ({"app/a.jsonnet": "\nerror 'not today'"}, ["not today"], "app/a.jsonnet", 2),
        ({"app/a.jsonnet": "import 'none.libsonnet'"}, ["none.libsonnet", "app/"], "app/a.jsonnet", 1),
        ({"app/a.jsonnet": "import '../../etc/passwd'"}, ["outside"], "app/a.jsonnet", 1),
        ({"app/a.jsonnet": "importstr '/etc/passwd'"}, ["outside"], "app/a.jsonnet", 1),
        ({"app/a.jsonnet": "import 'link'", "app/link": Link("../../etc/passwd")}, ["outside"], "app/a.jsonnet", 1),
        ({"app/a.jsonnet": "std.extVar('stage')"}, ["stage"], "app/a.jsonnet", 1),
        ({"app/a.jsonnet": "local f(x) = f(x + 1) + 1; f(0)"}, ["max stack frames"], "app/a.jsonnet", 1),
        ({"app/a.jsonnet": "(import 'b.libsonnet').x", "app/b.libsonnet": "{\n\n  x: error 'deep'\n}"}, ["deep"], "app/b.libsonnet", 3),
    ],
)  # fmt: skip
async def test_what_is_wrong_names_file_and_line(
    argocd: Render, files: Files, words: list[str], path: str, line: int
) -> None:
    with pytest.raises(BuildFailed) as failed:
        await argocd(files, "app")
    assert all(word in failed.value.message for word in words), failed.value.message
    assert failed.value.origin is not None
    assert (failed.value.origin.path, failed.value.origin.line) == (path, line)
    assert bool(failed.value.origin.column) == bool(line), "where the line is known, so is the column"


@pytest.mark.parametrize(
    "text",
    [
        "local f(x) = if x == 0 then [] else f(x - 1) tailstrict; f(1e12)",
        "std.repeat('x', 1e10)",
        "std.makeArray(1e9, function(i) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'c' + i}})",
    ],
)
async def test_endless_files_end_in_bounded_time_and_memory_and_the_next_one_works(small: Render, text: str) -> None:
    with pytest.raises(TrueupError):
        await small({"app/a.jsonnet": text}, "app")
    rendered = await small({"app/a.jsonnet": json.dumps(config("web"))}, "app")
    assert objects(rendered) == [config("web")]


@pytest.mark.real
@pytest.mark.parametrize(
    "text",
    [
        "{ a: 1 / 3, b: 1e100, c: -0.0, d: 12345678901234567890, e: 'Ünïcödé \\u0000 \\u2028 <>&' }",
        "{ [std.toString(i)]: std.sha256('x' + i) for i in std.range(1, 20) }",
        "{ yaml: std.manifestYamlDoc({ a: [1, { b: null }], c: 'x\\ny' }), toml: std.manifestTomlEx({ a: { b: 1 } }, ' ') }",
        "local base = { x: 1, y: self.x + 1, z:: 'hidden' }; base { x: 5, w: super.y, v+: { a: 1 } }",
        "{ sorted: std.sort([3, 1, 2]), set: std.set(['b', 'a', 'b']), fmt: '%05.2f|%-5s|%x' % [3.14159, 'ab', 255] }",
        "{ parsed: std.parseYaml('a: [1, 2]\\nb: 0o17'), json: std.parseJson('{\"x\": 1.0}'), b64: std.base64('täxt') }",
    ],
)
async def test_values_are_those_of_the_official_command(argocd: Render, tmp_path: Path, text: str) -> None:
    program = find_program("jsonnet", print)
    wrapped = f"local value = ({text}); {{apiVersion: 'v1', kind: 'X', metadata: {{name: 'x'}}, value: value}}"
    theirs = await _run(program, wrapped, tmp_path)
    (ours,) = objects(await argocd({"app/a.jsonnet": wrapped}, "app"))
    assert ours == json.loads(theirs)


async def _run(program: Path, text: str, folder: Path) -> bytes:
    import asyncio

    process = await asyncio.create_subprocess_exec(
        program, "-e", text, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out
