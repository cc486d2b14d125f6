"""What somebody writes to read elsewhere, to never end, or to fill memory: a clear error, in bounded time and memory, and the
next App renders as if nothing had been. Time and memory are small here, so that the bounds themselves are what is tested.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support.manifests import config_map
from tests.support.snapshots import Link, MemorySnapshot
from trueup.model.errors import BuildFailed, EngineFailed, TrueupError
from trueup.model.rendering import (
    DirectoryOptions,
    HelmFileValue,
    HelmOptions,
    HelmValueFile,
    JsonnetOptions,
    RenderMode,
    RenderSpec,
)
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.limits import RenderLimits
from trueup.render.render import Rendered, Renderer
from trueup.sources.worktree import open_worktree

SECONDS = 4.0
MEMORY = 192 << 20
LIMITS = RenderLimits(
    file_bytes=1 << 20, total_bytes=4 << 20, files=500, objects=200, output_bytes=2 << 20, seconds=SECONDS
)
NEIGHBOUR = {"next/kustomization.yaml": "resources: [a.yaml]\n", "next/a.yaml": config_map("a")}
Files: TypeAlias = dict[str, str | bytes | Link]
Try: TypeAlias = Callable[..., Awaitable[Rendered]]


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    async with EnginePool(workers=1, limits=EngineLimits(seconds=SECONDS, memory=MEMORY)) as engines:
        yield Renderer(engines, limits=LIMITS)


@pytest.fixture
def attempt(renderer: Renderer) -> Try:
    """Renders `app` of these files; afterwards another App of the same engines renders well."""

    async def run(files: Files, path: str = "app", mode: RenderMode = RenderMode.ARGOCD, **spec: Any) -> Rendered:
        snapshot = MemorySnapshot({**files, **NEIGHBOUR})
        try:
            return await renderer.render(snapshot, RenderSpec(path=path, mode=mode, **spec))
        finally:
            well = await renderer.render(snapshot, RenderSpec(path="next", mode=RenderMode.ARGOCD))
            assert [str(one.ref) for one in well.objects] == ["ConfigMap/a"]

    return run


def helm(**options: Any) -> HelmOptions:
    return HelmOptions(**{"release_name": "shop", "namespace": "prod", **options})


CHART = {"app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n"}


EACH = "{{ range until COUNT }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c{{ . }}}MORE\n{{ end }}"


def chart(text: str) -> Files:
    return {**CHART, "app/templates/a.yaml": text}


def bomb(levels: int, mapping: bool = False) -> str:
    """YAML whose aliases would expand to 9^levels values."""
    lines = ["a0: &a0 x"]
    for level in range(1, levels):
        items = ", ".join([f"*a{level - 1}"] * 9)
        body = f"{{{', '.join(f'k{n}: *a{level - 1}' for n in range(9))}}}" if mapping else f"[{items}]"
        lines.append(f"a{level}: &a{level} {body}")
    return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n" + "\n".join(lines) + "\n"


# outside of the repository

OUTSIDE: dict[str, tuple[Files, dict[str, Any]]] = {
    "a link in a plain folder": ({"app/a.yaml": Link("../../../etc/passwd")}, {}),
    "an absolute link": ({"app/a.yaml": Link("/etc/passwd")}, {}),
    "a link by way of a folder": ({"app/a.yaml": Link("../up/etc/passwd"), "up": Link("../..")}, {}),
    "the path itself": ({"app": Link("..")}, {}),
    "a base above": ({"app/kustomization.yaml": "resources: [../../../../etc]\n"}, {}),
    "an absolute base": ({"app/kustomization.yaml": "resources: [/etc]\n"}, {}),
    "a base behind a link": ({"app/kustomization.yaml": "resources: [base]\n", "app/base": Link("../../etc")}, {}),
    "a file for a generator": (
        {"app/kustomization.yaml": "configMapGenerator: [{name: x, files: [../../etc/passwd]}]\n"}, {},
    ),
    "an absolute file for a generator": (
        {"app/kustomization.yaml": "secretGenerator: [{name: x, envs: [/proc/self/environ]}]\n"}, {},
    ),
    "a patch": (
        {"app/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: ../../p.yaml}]\n", "app/a.yaml": config_map("a")}, {},
    ),
    "a link in a chart": ({**CHART, "app/files/x": Link("../../../etc/passwd")}, {"helm": helm()}),
    "a folder of a chart": ({**CHART, "app/templates": Link("../../templates")}, {"helm": helm()}),
    "a values file": (CHART, {"helm": helm(value_files=(HelmValueFile("../values.yaml"),))}),
    "a file for a parameter": (CHART, {"helm": helm(set_file=(HelmFileValue("x", "../../etc/passwd"),))}),
    "an import": ({"app/a.jsonnet": "import '../../x.libsonnet'"}, {}),
    "the text of a file": ({"app/a.jsonnet": "importstr '/etc/passwd'"}, {}),
    "the bytes behind a link": ({"app/a.jsonnet": "importbin 'x'", "app/x": Link("../../etc/passwd")}, {}),
    "a library": (
        {"app/a.jsonnet": "import 'x'"}, {"directory": DirectoryOptions(jsonnet=JsonnetOptions(libraries=("../../lib",)))},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTSIDE)
async def test_nothing_outside_of_the_repository_is_read(attempt: Try, case: str) -> None:
    files, spec = OUTSIDE[case]
    with pytest.raises(BuildFailed, match=r"outside|root"):
        await attempt(files, **spec)


async def test_a_chart_reads_no_file_but_its_own(attempt: Try) -> None:
    """`.Files` finds nothing elsewhere, as in Helm itself: no error, and no content."""
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
        '  up: {{ .Files.Get "../secret.txt" | quote }}\n  abs: {{ .Files.Get "/etc/passwd" | quote }}\n'
        '  glob: {{ (.Files.Glob "../**").AsConfig | quote }}\n  host: {{ getHostByName "localhost" | quote }}\n'
    )
    (one,) = (await attempt({**chart(text), "secret.txt": "hunter2"}, helm=helm())).objects
    assert one.manifest["data"] == {"up": "", "abs": "", "glob": "{}", "host": ""}


@pytest.mark.parametrize("text", ['{{ env "HOME" }}', '{{ expandenv "$PATH" }}'])
async def test_a_chart_sees_no_variable_of_the_process(attempt: Try, text: str) -> None:
    with pytest.raises(BuildFailed, match="not defined"):
        await attempt(chart(text), helm=helm())


async def test_a_working_tree_shows_nothing_outside_of_it(renderer: Renderer, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(config_map("secret"))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.yaml").symlink_to("../secret.yaml")
    snapshot, _ = open_worktree(tree)
    with pytest.raises(BuildFailed, match="outside the repository"):
        await renderer.render(snapshot, RenderSpec(path="", mode=RenderMode.FLUX))


# without end, and too much

ENDLESS: dict[str, tuple[Files, dict[str, Any], str]] = {
    "a template that includes itself": (
        chart('{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}'), {"helm": helm()}, '"x" includes itself without end',
    ),
    "a template that fills memory": (
        chart('{{ $x := "x" }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}'), {"helm": helm()}, "memory|took longer",
    ),
    "a loop that never ends": (
        chart("{{ range until 2000000000 }}{{ end }}"), {"helm": helm()}, "memory|took longer",
    ),
    "loops in loops": (
        chart("{{ range until 40000 }}{{ range until 40000 }}{{ end }}{{ end }}"), {"helm": helm()}, "memory|took longer",
    ),
    "a gigabyte of output": (
        chart('{{ range until 1100 }}{{ repeat 1048576 "x" }}{{ end }}'), {"helm": helm()}, "memory|took longer|bytes",
    ),
    "a text repeated without measure": (chart('{{ repeat 2000000000 "xxxx" }}'), {"helm": helm()}, "memory|took longer"),
    "a template of a template": (
        chart("{{ define \"t\" }}{{ tpl \"{{ include \\\"t\\\" . }}\" . }}{{ end }}{{ include \"t\" . }}"), {"helm": helm()},
        "without end|memory|took longer|exceeded",
    ),
    "values that blow up": (
        {**chart("a: {{ .Values | toYaml | nindent 2 }}"), "app/values.yaml": bomb(12)}, {"helm": helm()}, "excessive aliasing",
    ),
    "too much output": (
        chart(EACH.replace("COUNT", "50").replace("MORE", '\ndata: {x: {{ repeat 60000 "y" }}}')),
        {"helm": helm()}, "bytes",
    ),
    "too many objects": (
        chart(EACH.replace("COUNT", "300").replace("MORE", "")),
        {"helm": helm()}, "more than 200 objects",
    ),
    "a function that calls itself": ({"app/a.jsonnet": "local f(x) = f(x + 1) + 1; f(0)"}, {}, "max stack frames"),
    "a tail call without end": ({"app/a.jsonnet": "local f(x) = f(x + 1) tailstrict; f(0)"}, {}, "took longer|memory"),
    "an object that holds itself": ({"app/a.jsonnet": "local a = { b: a }; a"}, {}, "took longer|memory|stack"),
    "an array without measure": ({"app/a.jsonnet": "std.range(1, 1e9)"}, {}, "took longer|memory"),
    "a text without measure": ({"app/a.jsonnet": "std.repeat('xxxxxxxx', 1e9)"}, {}, "took longer|memory"),
    "an import of itself": ({"app/a.jsonnet": "import 'a.jsonnet'"}, {}, "stack|took longer|memory"),
    "aliases in a plain file": ({"app/a.yaml": bomb(9)}, {}, "alias|excessive"),
    "aliases of mappings": ({"app/a.yaml": bomb(9, mapping=True)}, {}, "alias|excessive"),
    "aliases in a resource": (
        {"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": bomb(9)}, {}, "alias|excessive",
    ),
    "aliases in a kustomization": (
        {"app/kustomization.yaml": bomb(9).replace("kind: ConfigMap", "kind: Kustomization")}, {}, "alias|excessive|unknown",
    ),
    "a base of itself": ({"app/kustomization.yaml": "resources: [.]\n"}, {}, "cycle|root"),
    "bases in a circle": (
        {"app/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../app]\n"}, {}, "cycle",
    ),
    "links in a circle": ({"app/a.yaml": Link("b.yaml"), "app/b.yaml": Link("a.yaml")}, {}, "circles"),
    "a huge file": ({"app/a.yaml": "# " + "x" * (2 << 20)}, {}, "at most 1048576 are read"),
    "many large files": ({f"app/{n}.yaml": config_map(f"c{n}") + "# " + "x" * 900_000 for n in range(6)}, {}, "together"),
    "more files than anybody has": ({f"app/{n}.yaml": "" for n in range(600)}, {}, "more than 500 files"),
    "a list without end": (
        {"app/a.yaml": "---\n".join(config_map(f"c{n}") for n in range(300))}, {}, "200",
    ),
    "a deep document": ({"app/a.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: x}\na: " + "[" * 20_000 + "]" * 20_000}, {}, "max depth"),
    "a regular expression of replacements": (
        {
            "app/kustomization.yaml": "resources: [a.yaml]\npatches: [{patch: '[]', target: {name: '(a*)*b(a*)*b(a*)*c'}}]\n",
            "app/a.yaml": config_map("a" * 200),
        }, {}, "-",
    ),
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", ENDLESS)
async def test_what_never_ends_or_is_too_much_is_refused_within_its_bounds(attempt: Try, case: str) -> None:
    files, spec, words = ENDLESS[case]
    if words == "-":  # harmless, as the library's own expressions cannot blow up
        assert (await attempt(files, **spec)).objects
        return
    with pytest.raises((BuildFailed, EngineFailed), match=words) as refused:
        await attempt(files, **spec)
    assert len(str(refused.value)) < 6000
    assert str(refused.value).strip()


async def test_flux_trees_have_the_same_bounds(attempt: Try) -> None:
    with pytest.raises(TrueupError, match="500 files"):
        await attempt({f"app/{n}/a.yaml": "" for n in range(400)}, mode=RenderMode.FLUX)
    with pytest.raises(TrueupError, match="outside the repository"):
        await attempt({"app/a.yaml": Link("../../x")}, mode=RenderMode.FLUX)


async def test_a_value_of_a_secret_stands_in_no_error_of_a_chart(attempt: Try) -> None:
    """What a template prints when it fails is its author's; what the engine adds must not quote whole values."""
    text = '{{ if .Values.password }}{{ fail "no" }}{{ end }}'
    with pytest.raises(BuildFailed) as refused:
        await attempt(chart(text), helm=helm(values="password: hunter2\n"))
    assert "hunter2" not in str(refused.value)


async def test_neighbours_render_while_somebody_never_ends() -> None:
    files: Files = {**chart("{{ range until 40000 }}{{ range until 40000 }}{{ end }}{{ end }}"), **NEIGHBOUR}
    files["also/Chart.yaml"] = "apiVersion: v2\nname: also\nversion: 1.0.0\n"
    files["also/templates/a.yaml"] = config_map("also")
    snapshot = MemorySnapshot(files)
    async with EnginePool(workers=2, limits=EngineLimits(seconds=SECONDS, memory=MEMORY)) as engines:
        renderer = Renderer(engines, limits=LIMITS)
        endless = asyncio.ensure_future(
            renderer.render(snapshot, RenderSpec(path="app", mode=RenderMode.ARGOCD, helm=helm()))
        )
        for _ in range(5):
            plain = await renderer.render(snapshot, RenderSpec(path="next", mode=RenderMode.ARGOCD))
            charted = await renderer.render(snapshot, RenderSpec(path="also", mode=RenderMode.ARGOCD, helm=helm()))
            assert [str(one.ref) for one in (*plain.objects, *charted.objects)] == ["ConfigMap/a", "ConfigMap/also"]
        with pytest.raises(EngineFailed, match=r"took longer|memory"):
            await endless
