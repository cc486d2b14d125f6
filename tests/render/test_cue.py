"""CUE packages as Kubernetes objects: what the official library exports, where it stops, and what counts as an input."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.peers.locate import find_program
from tests.render.conftest import Files, Render
from tests.support.snapshots import Link, MemorySnapshot
from trueup.model.errors import BuildFailed, EngineFailed, NotBuiltYet
from trueup.model.rendering import (
    CommonMetadata,
    CueOptions,
    ImageOverride,
    Overlay,
    Patch,
    RenderMode,
    RenderSpec,
    Substitution,
)
from trueup.render.cache import question_of
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import holds
from trueup.render.limits import RenderLimits
from trueup.render.render import Rendered, engine_identities, render

CUE = CueOptions()
MODULE = 'module: "example.com/shop"\nlanguage: version: "v0.16.0"\n'
CONFIG = 'apiVersion: "v1", kind: "ConfigMap", metadata: name: '


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **({"data": data} if data else {})}


def named(*names: str) -> list[dict[str, Any]]:
    return [config(name) for name in names]


def objects(rendered: Rendered) -> list[Any]:
    return [one.manifest for one in rendered.objects]


def looked(rendered: Rendered) -> set[str]:
    return {item.path for item in rendered.inputs.items}


def one(text: str) -> Files:
    return {"app/a.cue": f"package app\n{text}"}


SHOP: Files = {
    "cue.mod/module.cue": MODULE,
    "cue.mod/pkg/other.org/x/x.cue": 'package x\nname: "vendored"\n',
    "lib/config/config.cue": 'package config\n#Config: {apiVersion: "v1", kind: "ConfigMap", metadata: name: string}\n',
    "apps/apps.cue": 'package web\n_prefix: "shop-"\n',
    "apps/other.cue": "package other\nnot: used\n",
    "apps/web/web.cue": """\
package web

import (
	"strings"
	"example.com/shop/lib/config"
	"other.org/x"
)

b: config.#Config & {metadata: name: _prefix + strings.ToLower("WEB")}
a: config.#Config & {metadata: name: x.name}
""",
    "apps/web/web_test.cue": "package web\nnothing: 1",
    "apps/web/_draft.cue": "package web\nbroken:",
    "apps/web/notes.txt": "no CUE",
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f'{CONFIG}"one"', ["one"]),
        (f'b: {{{CONFIG}"b"}}\na: {{{CONFIG}"a"}}', ["b", "a"]),
        (f'[{{{CONFIG}"x"}}, null, {{{CONFIG}"y"}}]', ["x", "y"]),
        (f'configMap: z: {{{CONFIG}"z"}}\nconfigMap: "a/b": {{{CONFIG}"ab"}}', ["z", "ab"]),
        (f'apiVersion: "v1", kind: "List", items: [{{{CONFIG}"i"}}, {{{CONFIG}"j"}}]', ["i", "j"]),
        (f'for n in ["p", "q"] {{(n): {{{CONFIG}n}}}}', ["p", "q"]),
        (f'_hidden: 3\n#Definition: {{a: int}}\nleft?: string\nx: {{{CONFIG}"x"}} | *null\ny: {{{CONFIG}"y"}}', ["y"]),
        ("{}", []),
    ],
)
async def test_a_value_is_an_object_a_list_or_a_struct_of_such_in_its_own_order(
    argocd: Render, text: str, names: list[str]
) -> None:
    rendered = await argocd(one(text), "app", cue=CUE)
    assert objects(rendered) == named(*names)
    assert rendered.source_type == "CUE"


async def test_a_package_has_its_imports_its_parents_files_and_what_is_vendored(argocd: Render) -> None:
    rendered = await argocd(SHOP, "apps/web", cue=CUE)
    assert objects(rendered) == named("shop-web", "vendored")
    assert [str(each.origin) for each in rendered.objects] == ["apps/web/web.cue:9", "apps/web/web.cue:10"]


async def test_what_was_read_is_an_input_and_nothing_else(argocd: Render) -> None:
    files = SHOP | {"lib/unused/u.cue": "package unused\n", "apps/web/below/b.cue": "package web\n"}
    read = looked(await argocd(files, "apps/web", cue=CUE))
    assert {"cue.mod/module.cue", "apps/web/web.cue", "apps/apps.cue", "lib/config/config.cue"} <= read
    assert {"cue.mod/pkg/other.org/x/x.cue", "cue.mod/gen"} <= read, "where it is, and where it is not"
    assert not {"lib/unused/u.cue", "apps/web/below/b.cue", "apps/web/notes.txt"} & read


@pytest.mark.parametrize(
    ("change", "value"),
    [
        (
            "lib/config/config.cue",
            'package config\n#Config: {apiVersion: "v1", kind: "Secret", metadata: name: string}\n',
        ),
        ("cue.mod/gen/other.org/x/y.cue", 'package x\nname: "vendored"\nmore: 1\n'),
        ("apps/more.cue", 'package web\nc: {apiVersion: "v1", kind: "ConfigMap", metadata: name: "c"}\n'),
        ("apps/web/cue.mod/module.cue", MODULE),
    ],
)
async def test_every_change_that_matters_concerns_a_look(
    argocd: Render, engines: EnginePool, change: str, value: str
) -> None:
    before = await argocd(SHOP, "apps/web", cue=CUE)
    changed = MemorySnapshot(SHOP | {change: value})
    assert not all(holds(item, changed) for item in before.inputs.items)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (CueOptions(tags=("env=prod",)), ["prod"]),
        (CueOptions(tags=("staging",)), ["staging"]),
        (CueOptions(tags=("extra",)), ["extra", "dev"]),
        (CueOptions(expressions=("other",)), ["other"]),
        (CueOptions(expressions=("other", "[for x in all {x}]")), ["other", "all"]),
        (CueOptions(expressions=("all.x",)), ["all"]),
        (CueOptions(), ["dev"]),
    ],
)
async def test_tags_choose_files_and_values_and_expressions_what_is_exported(
    argocd: Render, options: CueOptions, names: list[str]
) -> None:
    files = {
        "app/a.cue": f"""\
package app
_env: string | *"dev" @tag(env,short=prod|staging)
main: {{{CONFIG}_env}}
_other: {{{CONFIG}"other"}}
#all: x: {{{CONFIG}"all"}}
""".replace("_other", "other" if options.expressions else "_other").replace(
            "#all", "all" if options.expressions else "#all"
        ),
        "app/extra.cue": f'@if(extra)\npackage app\nextra: {{{CONFIG}"extra"}}\n',
    }
    assert objects(await argocd(files, "app", cue=options)) == named(*names)


async def test_a_directory_of_several_packages_needs_the_name_of_one(argocd: Render) -> None:
    files = {"app/a.cue": f'package a\n{CONFIG}"a"', "app/b.cue": f'package b\n{CONFIG}"b"'}
    assert objects(await argocd(files, "app", cue=CueOptions(package="b"))) == named("b")
    with pytest.raises(BuildFailed, match='found packages "a"'):
        await argocd(files, "app", cue=CUE)
    files = {"app/a.cue": f'{CONFIG}"a"'}
    assert objects(await argocd(files, "app", cue=CueOptions(package="_"))) == named("a")


async def test_cue_is_only_what_asks_for_it(argocd: Render, flux: Render) -> None:
    files = {"app/a.cue": "package app\nbroken:", "app/c.yaml": json.dumps(config("yaml"))}
    assert objects(await argocd(files, "app")) == named("yaml")
    assert objects(await flux(files, "app")) == named("yaml")


async def test_the_engine_is_part_of_the_question_that_a_kept_build_answers() -> None:
    plain, cue = (RenderSpec(path="a", mode=RenderMode.FLUX, cue=cue) for cue in (None, CUE))
    assert engine_identities(plain) != engine_identities(cue)
    assert question_of(cue, "e") != question_of(
        RenderSpec(path="a", mode=RenderMode.FLUX, cue=CueOptions(tags=("a",))), "e"
    )


async def test_flux_fills_in_variables_and_common_metadata_afterwards(flux: Render) -> None:
    rendered = await flux(
        one(f'{CONFIG}"x", data: {{a: "${{price}}", b: "plain"}}'),
        "app",
        variables={"price": "5"},
        cue=CUE,
        substitution=Substitution(variables={"price": "5"}),
        common_metadata=CommonMetadata(labels={"team": "a"}),
    )
    (found,) = objects(rendered)
    assert found["data"] == {"a": 5, "b": "plain"}, "as with Kustomize, a number unless it is quoted"
    assert found["metadata"] == {"name": "x", "labels": {"team": "a"}}


async def test_flux_puts_what_kustomize_does_on_top_and_places_stay(flux: Render) -> None:
    web = '{apiVersion: "v1", kind: "Pod", metadata: name: "b", spec: containers: [{name: "c", image: "i:1"}]}'
    overlay = Overlay(
        namespace="shop",
        name_prefix="x-",
        images=(ImageOverride(name="i", new_tag="2"),),
        patches=(Patch(patch="{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, $patch: delete}"),),
    )
    files = one(f'a: {{{CONFIG}"a"}}\nb: {web}\nc: {{{CONFIG}"c"}}')
    rendered = await flux(files, "app", cue=CUE, overlay=overlay)
    pod, last = rendered.objects
    assert pod.manifest["metadata"] == {"name": "x-b", "namespace": "shop"}
    assert pod.manifest["spec"]["containers"][0]["image"] == "i:2"
    assert last.manifest["metadata"] == {"name": "x-c", "namespace": "shop"}
    assert [str(each.origin) for each in (pod, last)] == ["app/a.cue:3", "app/a.cue:4"]


async def test_flux_leaves_out_what_its_source_ignores(flux: Render) -> None:
    files = {"app/a.cue": f'package app\na: {{{CONFIG}"a"}}', "app/b.cue": "package app\nb: 1"}
    assert objects(await flux(files, "app", cue=CUE, ignore="b.cue")) == named("a")


@pytest.mark.parametrize(
    ("files", "words", "place"),
    [
        (one("a: {\n"), ["expected"], "app/a.cue:2:6"),
        (one('a: 1\nb: {kind: "X"\n  apiVersion: "v1", n: int}'), ["b.n", "incomplete value int"], "app/a.cue:4:24"),
        (one("a: 1 & 2"), ["a: conflicting values 2 and 1"], "app/a.cue:2:4"),
        (one("a: b"), ['reference "b" not found'], "app/a.cue:2:4"),
        (one("a: 3"), ["a is no Kubernetes object", "found int"], "app/a.cue:2:1"),
        (one('a: [{b: "x"}]'), ["a[0].b is no Kubernetes object", "found string"], "app/a.cue:2:6"),
        (one('import "other.org/x"\n'), ["imports are unavailable", "no cue.mod/module.cue"], ""),
        (SHOP | {"apps/web/web.cue": 'package web\nimport "none.org/y"\na: y'}, ["none.org/y"], "apps/web/web.cue:2:8"),
        (SHOP | {"cue.mod/module.cue": MODULE + 'deps: "far.org/m@v0": v: "v0.1.0"', "apps/web/web.cue": 'package web\nimport "far.org/m/p"\na: p'}, ["far.org/m", "no registry is asked"], ""),  # noqa: E501
        (SHOP | {"lib/config/config.cue": "package config\n#Config: 1 & 2"}, ["conflicting"], "apps/web/web.cue:9:4"),
        (SHOP | {"cue.mod/module.cue": "module: 3"}, ["module"], ""),
        ({"app/a.txt": ""}, ["no CUE files"], ""),
        ({"app/a.cue": Link("../../etc/passwd")}, ["outside"], ""),
        (one("a: a.b.c\nb: [for x in b {x}]"), ["undefined field"], ""),
    ],
)  # fmt: skip
async def test_what_is_wrong_names_file_line_and_column(
    argocd: Render, files: Files, words: list[str], place: str
) -> None:
    with pytest.raises(BuildFailed) as failed:
        await argocd(files, "apps/web" if "apps/web/web.cue" in files else "app", cue=CUE)
    assert all(word in failed.value.message for word in words), failed.value.message
    assert "snapshot-" not in str(failed.value)
    if place:
        assert str(failed.value.origin) == place


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (CueOptions(expressions=("nothing",)), ['expression "nothing"', 'reference "nothing" not found']),
        (CueOptions(expressions=("a +",)), ['expression "a +"', "expected operand"]),
        (CueOptions(tags=("none=1",)), ["no tag for", "none"]),
        (CueOptions(package="other"), ["other"]),
    ],
)
async def test_what_is_wrong_with_an_option_is_said_of_the_option(
    argocd: Render, options: CueOptions, words: list[str]
) -> None:
    with pytest.raises(BuildFailed) as failed:
        await argocd(one(f'a: {{{CONFIG}"a"}}'), "app", cue=options)
    assert all(word in failed.value.message for word in words), failed.value.message


@pytest.mark.parametrize("variable", ["now", "hostname", "username", "rand", "cwd"])
async def test_nothing_of_this_machine_is_within_reach(argocd: Render, variable: str) -> None:
    with pytest.raises(BuildFailed, match="incomplete value string"):
        await argocd(one(f"a: string @tag(a,var={variable})"), "app", cue=CUE)


async def test_files_that_a_package_embeds_are_said_to_be_not_built_yet(argocd: Render) -> None:
    files = SHOP | {
        "apps/web/web.cue": '@extern(embed)\npackage web\na: _ @embed(file="a.json")',
        "apps/web/a.json": "{}",
    }
    with pytest.raises(NotBuiltYet, match="embedded yet") as failed:
        await argocd(files, "apps/web", cue=CUE)
    assert str(failed.value.origin) == "apps/web/web.cue:1:1"


@pytest.mark.parametrize(
    "text",
    [
        "import \"list\"\na: list.Repeat([1, 2, 3], 1000000000)",
        'import "strings"\na: strings.Repeat("0123456789", 1000000000)',
        "import \"list\"\na: [for x in list.Range(0, 100000, 1) for y in list.Range(0, 100000, 1) {x * y}]",
        "#f: {n: int, out: {#f, n: 1}.out}\na: (#f & {n: 2}).out",
        f"a: {'{a: ' * 3000}1{'}' * 3000}",
        f"a: {'[' * 20000}1{']' * 20000}",
        "x0: [1, 2]\n" + "\n".join(f"x{n + 1}: [x{n}, x{n}, x{n}, x{n}]" for n in range(20)),
    ],
)  # fmt: skip
async def test_endless_and_huge_values_end_in_bounded_time_and_memory_and_the_next_one_works(
    small: Render, text: str
) -> None:
    with pytest.raises((BuildFailed, EngineFailed)):
        await small(one(text), "app", cue=CUE)
    assert objects(await small(one(f'{CONFIG}"web"'), "app", cue=CUE)) == named("web")


async def test_more_objects_than_allowed_are_refused(argocd: Render, engines: EnginePool) -> None:
    snapshot = MemorySnapshot(one(f'import "list"\n\nfor n in list.Range(0, 20, 1) {{"\\(n)": {{{CONFIG}"c\\(n)"}}}}'))
    spec = RenderSpec(path="app", mode=RenderMode.ARGOCD, cue=CUE)
    with pytest.raises(BuildFailed, match="more than 10 objects"):
        await render(snapshot, spec, None, engines, limits=RenderLimits(objects=10))
    with pytest.raises(BuildFailed, match="more than 500 bytes"):
        await render(snapshot, spec, None, engines, limits=RenderLimits(output_bytes=500))


_ROOT = Path(__file__).resolve().parents[2] / "examples" / "cue"
EXAMPLE: Files = {path.relative_to(_ROOT).as_posix(): path.read_text() for path in _ROOT.rglob("*.cue")}


@pytest.mark.parametrize(("tags", "replicas"), [((), 1), (("env=prod",), 3)])
async def test_the_example_works(argocd: Render, tags: tuple[str, ...], replicas: int) -> None:
    deployment, service = objects(await argocd(EXAMPLE, "apps/web", cue=CueOptions(tags=tags)))
    assert (deployment["kind"], deployment["spec"]["replicas"], service["kind"]) == ("Deployment", replicas, "Service")


@pytest.mark.real
@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("a: 1 / 3, b: 1e100, c: -0.0, d: 12345678901234567890, e: 1.0, f: 1K, g: 0x1F, h: 0b101", ()),
        ('a: "Ünïcödé \\u0000 \\u2028 <>&", b: \'\\xffbytes\', c: """\n\ttwo\n\tlines\n\t""", d: #"raw\\n"#', ()),
        ('x: {b: 1, a: 2}, y: {x, c: 3}, z: {for k, v in x {"\\(k)x": v + 1}}', ()),
        ("#A: {n: int | *3, s: string | *\"d\", l: [...int] | *[1]}, v: #A & {n: 5}, w: #A", ()),
        ('import "list"\nimport "strings"\nimport "encoding/yaml"\na: list.Sort([3, 1, 2], list.Ascending), b: strings.Join(["x", "y"], "-"), c: yaml.Marshal({k: [1, {v: null}]})', ()),  # noqa: E501
        ('import "crypto/sha256"\nimport "encoding/base64"\nimport "encoding/hex"\na: hex.Encode(sha256.Sum256("x")), b: base64.Encode(null, "tä")', ()),  # noqa: E501
        ('t: string | *"none" @tag(t), n: int @tag(n,type=int), b: *false | bool @tag(b,type=bool)', ("-t", "t=x", "-t", "n=7", "-t", "b=true")),  # noqa: E501
        ("a: {if 1 < 2 {b: 1}, if 2 < 1 {c: 1}}, d: [if true {1}, 2], let q = 5, e: q * q", ()),
        ("a: {v: x, _h: 1, #D: 2, o?: 3, r!: 4, r: 4}, x: 1", ()),
    ],
)  # fmt: skip
async def test_values_are_those_of_the_official_command(
    argocd: Render, tmp_path: Path, text: str, arguments: tuple[str, ...]
) -> None:
    imports = "".join(line + "\n" for line in text.splitlines() if line.startswith("import "))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("import "))
    wrapped = f'package app\n{imports}apiVersion: "v1", kind: "X", metadata: name: "x"\nvalue: {{{body}}}\n'
    theirs = await _command(tmp_path, {"app/a.cue": wrapped}, "app", *arguments)
    (ours,) = objects(await argocd({"app/a.cue": wrapped}, "app", cue=CueOptions(tags=arguments[1::2])))
    assert json.dumps(ours) == json.dumps(json.loads(theirs)), "the order of fields too"


@pytest.mark.real
async def test_modules_packages_and_vendored_ones_are_found_as_by_the_official_command(
    argocd: Render, tmp_path: Path
) -> None:
    theirs = json.loads(await _command(tmp_path, SHOP, "apps/web"))
    assert objects(await argocd(SHOP, "apps/web", cue=CUE)) == list(theirs.values())


@pytest.mark.real
@pytest.mark.parametrize(
    "files",
    [
        one("a: 1 & 2"),
        one("a: b"),
        one("a: {n: int}"),
        one('import "strings"\na: strings.Nothing("x")'),
        one("a: [1, 2][5]"),
        one('a: close({x: 1}) & {y: 2}'),
        one('a: "x" | "y"\na: "z"'),
        one("a: {b: _|_}"),
    ],
)  # fmt: skip
async def test_what_the_official_command_refuses_is_refused_in_its_words(
    argocd: Render, tmp_path: Path, files: Files
) -> None:
    with pytest.raises(AssertionError) as refused:
        await _command(tmp_path, files, "app")
    first = str(refused.value).splitlines()[0].rstrip(":")
    with pytest.raises(BuildFailed) as failed:
        await argocd(files, "app", cue=CUE)
    assert first in failed.value.message


async def _command(folder: Path, files: Files, path: str, *arguments: str) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(text, str)
        (folder / name).write_text(text)
    process = await asyncio.create_subprocess_exec(
        find_program("cue", print), "export", "--out", "json", *arguments, ".", cwd=folder / path,
        env={"HOME": str(folder), "CUE_CACHE_DIR": str(folder / ".cache"), "CUE_REGISTRY": "none"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


PACKAGES = ("a", "b", "c", "d")
imported = st.lists(st.sampled_from(PACKAGES), max_size=2, unique=True)


def module(imports: dict[str, list[str]], texts: dict[str, str]) -> dict[str, str]:
    """Packages that import each other (each only later ones), with a text each; `a` exports what it sees of all."""
    files = {"cue.mod/module.cue": MODULE}
    for index, name in enumerate(PACKAGES):
        below = [other for other in imports.get(name, []) if PACKAGES.index(other) > index]
        lines = [f'import "example.com/shop/{other}"' for other in below]
        seen = "".join(f" + {other}.#text" for other in below)
        files[f"{name}/{name}.cue"] = "\n".join(
            [f"package {name}", *lines, f'#text: "{texts.get(name, name)}"{seen}', ""]
        )
    files["a/main.cue"] = f"package a\nmain: {{{CONFIG}#text}}\n"
    return files


@given(
    imports=st.dictionaries(st.sampled_from(PACKAGES), imported),
    change=st.sampled_from([*(f"{name}/{name}.cue" for name in PACKAGES), "b/more.cue", "more.cue", "b/new/y.cue"]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_inputs_decide_exactly_which_changes_concern_a_package(
    engines: EnginePool, imports: dict[str, list[str]], change: str
) -> None:
    before = module(imports, {})
    folder = change.rpartition("/")[0].removesuffix("/new")  # whose listing a new file or folder changes
    new = f"package {folder or 'a'}\n#more: 1\n"
    after = before | {change: before[change].replace('#text: "', '#text: "new ') if change in before else new}
    spec = RenderSpec(path="a", mode=RenderMode.ARGOCD, cue=CUE)
    was = await render(MemorySnapshot(before), spec, None, engines)
    is_now = await render(MemorySnapshot(after), spec, None, engines)
    concerned = not all(holds(item, MemorySnapshot(after)) for item in was.inputs.items)
    read = {each.path for each in was.inputs.items}
    if objects(was) != objects(is_now):
        assert concerned
    assert concerned == (change in read or folder in read), "a file that was read, or a directory that was listed"
