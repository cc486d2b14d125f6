# ruff: noqa: E501 - charts read better with their lines as they are
"""Charts: what the official command prints, what counts as an input, and what is asked of the cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.peers.locate import find_program
from tests.render.conftest import Files
from tests.support.snapshots import Link, MemorySnapshot
from trueup.model.errors import BuildFailed
from trueup.model.rendering import Capabilities, HelmFileValue, HelmOptions, HelmValueFile, RenderMode, RenderSpec
from trueup.render.building import build
from trueup.render.built import Build
from trueup.render.cache import BuildCache
from trueup.render.engine.pool import EnginePool
from trueup.render.helm import has_gained, still_answered
from trueup.render.render import Renderer

NONE = Capabilities()
CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: '4.5'\n"
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
data:
  text: {{ .Values.text | quote }}
"""
SIMPLE: Files = {"web/Chart.yaml": CHART, "web/values.yaml": "text: default\n", "web/templates/config.yaml": CONFIG}


def options(**fields: Any) -> HelmOptions:
    return HelmOptions(**{"release_name": "shop", "namespace": "prod", **fields})


async def rendered(
    engines: EnginePool, files: Files, wanted: HelmOptions, capabilities: Capabilities = NONE, path: str = "web"
) -> Build:
    spec = RenderSpec(path=path, mode=RenderMode.ARGOCD, helm=wanted)
    return await build(MemorySnapshot(files), spec, engines, capabilities=capabilities)


def objects(built: Build) -> list[Any]:
    return [json.loads(bytes(one.object)) for one in built.objects]


async def test_a_chart_gives_its_manifests_with_their_places(engines: EnginePool) -> None:
    built = await rendered(engines, SIMPLE, options())
    (config,) = objects(built)
    assert config["metadata"] == {"name": "shop-web", "namespace": "prod"}
    assert config["data"] == {"text": "default"}
    assert [one.path for one in built.objects] == ["web/templates/config.yaml"]
    assert built.source_type == "Helm"


async def test_values_are_merged_in_the_order_of_the_command(engines: EnginePool) -> None:
    files = SIMPLE | {"env/a.yaml": "text: a\n", "env/b.yaml": "text: b\n", "env/text.txt": "from a file\n"}
    value_files = (
        HelmValueFile("env/a.yaml"),
        HelmValueFile("env/b.yaml"),
        HelmValueFile("env/none.yaml", optional=True),
    )

    async def text(**fields: Any) -> str:
        return str(objects(await rendered(engines, files, options(**fields)))[0]["data"]["text"])

    assert await text() == "default"
    assert await text(value_files=value_files) == "b"
    assert await text(value_files=value_files, values="text: inline") == "inline"
    assert await text(values="text: inline", set=("text=set",)) == "set"
    assert await text(set=("text=set",), set_string=("text=007",)) == "007"
    assert await text(set_string=("text=x",), set_file=(HelmFileValue("text", "env/text.txt"),)) == "from a file\n"


async def test_every_file_that_the_chart_holds_is_an_input_and_no_other(engines: EnginePool) -> None:
    files = SIMPLE | {
        "web/.helmignore": "*.bak\n",
        "web/a.bak": "x",
        "web/extra.txt": "x",
        "env/a.yaml": "{}",
        "env/b.yaml": "{}",
    }
    built = await rendered(engines, files, options(value_files=(HelmValueFile("env/a.yaml"),)))
    looked = {item.path for item in built.inputs.items}
    assert {"web/Chart.yaml", "web/values.yaml", "web/templates/config.yaml", "web/extra.txt", "env/a.yaml"} <= looked
    assert not {"web/a.bak", "env/b.yaml", "env"} & looked


ASKS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: asks}
data:
  monitor: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" | quote }}
"""


async def test_only_what_was_asked_of_the_cluster_counts(engines: EnginePool) -> None:
    files = SIMPLE | {"web/templates/asks.yaml": ASKS}
    before = Capabilities("v1.37.2", frozenset({"apps/v1"}))
    unrelated = Capabilities("v1.38.0", frozenset({"apps/v1", "example.com/v1"}))
    appeared = Capabilities("v1.37.2", frozenset({"apps/v1", "monitoring.coreos.com/v1/ServiceMonitor"}))
    built = await rendered(engines, files, options(), before)
    assert objects(built)[0]["data"] == {"monitor": "false"}
    assert still_answered(built.asked, unrelated)
    assert not still_answered(built.asked, appeared)
    assert objects(await rendered(engines, files, options(), appeared))[0]["data"] == {"monitor": "true"}


async def test_a_kind_that_seems_to_be_gone_is_no_reason_to_leave_objects_out(engines: EnginePool) -> None:
    """While an API server starts, discovery has gaps; what a chart leaves out would be pruned."""
    files = SIMPLE | {"web/templates/asks.yaml": ASKS}
    served = Capabilities("v1.37.2", frozenset({"monitoring.coreos.com/v1/ServiceMonitor"}))
    gap = Capabilities("v1.37.2", frozenset({"apps/v1"}))
    told_yes = (await rendered(engines, files, options(), served)).asked
    told_no = (await rendered(engines, files, options(), gap)).asked
    assert not has_gained(told_yes, gap)
    assert has_gained(told_no, served)


async def test_a_chart_that_asks_nothing_depends_on_no_cluster(engines: EnginePool) -> None:
    built = await rendered(engines, SIMPLE, options(), Capabilities("v1.37.2", frozenset({"a/v1"})))
    assert still_answered(built.asked, NONE)


async def test_a_chart_that_looks_at_the_whole_list_depends_on_all_of_it(engines: EnginePool) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {n: {{ len .Capabilities.APIVersions | quote }}}\n"
    )
    first = Capabilities("v1.37.2", frozenset({"a.example/v1"}))
    built = await rendered(engines, {**SIMPLE, "web/templates/n.yaml": text}, options(), first)
    assert still_answered(built.asked, first)
    assert not still_answered(built.asked, Capabilities("v1.37.2", frozenset({"a.example/v1", "b.example/v1"})))


async def test_a_kept_build_is_used_only_for_the_same_release_values_and_answers(
    engines: EnginePool, tmp_path: Path
) -> None:
    now = [Capabilities("v1.37.2", frozenset({"apps/v1"}))]
    renderer = Renderer(engines, cache=BuildCache(tmp_path), capabilities=lambda: now[0])
    snapshot = MemorySnapshot(SIMPLE | {"web/templates/asks.yaml": ASKS})

    async def from_cache(wanted: HelmOptions) -> bool:
        spec = RenderSpec(path="web", mode=RenderMode.ARGOCD, helm=wanted)
        return (await renderer.build(snapshot, spec))[1].used

    assert [await from_cache(options()), await from_cache(options())] == [False, True]
    assert not await from_cache(options(release_name="other"))
    assert await from_cache(options()), "the other one did not take its place"
    now[0] = Capabilities("v1.38.0", frozenset({"apps/v1", "example.com/v1"}))
    assert await from_cache(options())
    now[0] = Capabilities("v1.38.0", frozenset({"monitoring.coreos.com/v1/ServiceMonitor"}))
    assert not await from_cache(options())


@pytest.mark.parametrize(
    ("files", "fields", "words", "path", "line"),
    [
        ({"web/templates/a.yaml": "{{ .Values.x | nofunc }}"}, {}, ["nofunc"], "web/templates/a.yaml", 1),
        ({"web/templates/a.yaml": "a: 1\n\n{{ fail \"not this way\" }}"}, {}, ["not this way"], "web/templates/a.yaml", 3),
        ({"web/templates/a.yaml": "{{ required \"name it\" .Values.name }}"}, {}, ["name it"], "web/templates/a.yaml", 1),
        ({"web/templates/a.yaml": "true"}, {}, ["it renders a bool where a manifest"], "web/templates/a.yaml", 0),
        ({"web/templates/a.yaml": "a: [1\nb: 2"}, {}, ["yaml"], "web/templates/a.yaml", 0),
        ({"web/Chart.yaml": "name: web\nversion: nonsense\n"}, {}, ["version"], "web/Chart.yaml", 0),
        ({"web/Chart.yaml": CHART + "type: library\n"}, {}, ["not installable"], "web/Chart.yaml", 0),
        ({"web/Chart.yaml": CHART + "kubeVersion: '>=99.0'\n"}, {}, ["kubeVersion"], "web", 0),
        ({"web/Chart.yaml": CHART + "dependencies: [{name: db, version: 1.x}]\n"}, {},
         ["db", "charts/"], "web/Chart.yaml", 0),
        ({"web/values.schema.json": '{"properties": {"text": {"type": "integer"}}}'}, {}, ["schema"], "web", 0),
        ({}, {"value_files": (HelmValueFile("env/none.yaml"),)}, ["env/none.yaml", "does not exist"], "env/none.yaml", 0),
        ({}, {"value_files": (HelmValueFile("../secret.yaml"),)}, ["outside"], "../secret.yaml", 0),
        ({"web/x": Link("../../../etc/passwd")}, {}, ["outside"], "web", 0),
        ({}, {"values": "a: [1"}, ["values"], "web", 0),
        ({}, {"release_name": "Not_A_Name"}, ["Not_A_Name"], "web", 0),
    ],
)  # fmt: skip
async def test_what_is_wrong_names_the_place_and_what_the_library_says(
    engines: EnginePool, files: Files, fields: dict[str, Any], words: list[str], path: str, line: int
) -> None:
    with pytest.raises(BuildFailed) as failed:
        await rendered(engines, SIMPLE | files, options(**fields))
    assert all(word in failed.value.message for word in words), failed.value.message
    assert failed.value.origin is not None
    assert (failed.value.origin.path, failed.value.origin.line) == (path, line)


RICH: Files = {
    "web/Chart.yaml": CHART + """\
dependencies:
- {name: db, version: 0.1.0, condition: db.enabled}
- {name: db, version: 0.1.0, alias: cache, condition: cache.enabled}
- {name: lib, version: 0.1.0}
- {name: tagged, version: 0.1.0, tags: [extra]}
""",
    "web/values.yaml": """\
text: "default"
count: 3
big: 12345678901
float: 1.50
flag: true
nothing: null
list: [1, two, {three: 3}]
global: {zone: bkk}
db: {enabled: true, size: 10Gi, dropped: null}
cache: {enabled: false}
tags: {extra: false}
""",
    "web/templates/_helpers.tpl": '{{ define "web.labels" -}}\napp: {{ .Chart.Name }}\nrelease: {{ .Release.Name }}\n{{- end }}\n',
    "web/templates/all.yaml": """\
{{- $root := . -}}
{{- range $i, $name := list "b" "a" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels: {{- include "web.labels" $root | nindent 4 }}
data:
  yaml: |
    {{- toYaml $root.Values | nindent 4 }}
  json: {{ toJson $root.Values | quote }}
  tpl: {{ tpl "{{ .Values.text | upper }}" $root | quote }}
  sha: {{ sha256sum "x" }}
  file: {{ $root.Files.Get "files/a.txt" | quote }}
  glob: {{ ($root.Files.Glob "files/*").AsConfig | quote }}
  looked: {{ lookup "v1" "Secret" "prod" "x" | toJson | quote }}
  version: {{ semverCompare ">=1.20" $root.Capabilities.KubeVersion.Version | quote }}
  upgrade: "{{ $root.Release.IsUpgrade }} {{ $root.Release.IsInstall }} {{ $root.Release.Revision }} {{ $root.Release.Service }}"
  lib: {{ include "lib.name" $root }}
{{- end }}
""",
    "web/templates/svc.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: {{ .Values.count }}}]}\n",
    "web/templates/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: first}\n",
    "web/templates/empty.yaml": "{{- if .Values.none }}\nkind: X\n{{- end }}\n# only a comment\n",
    "web/templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"-5\"}\n",
    "web/templates/tests/t.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: probe, annotations: {helm.sh/hook: test}}\n",
    "web/templates/NOTES.txt": "Thanks for {{ .Release.Name }}\n",
    "web/crds/c.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n",
    "web/files/a.txt": "téxt\n",
    "web/files/b.txt": "other\n",
    "web/charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 0.1.0\n",
    "web/charts/db/values.yaml": "size: 1Gi\ndropped: here\nenabled: false\n",
    "web/charts/db/templates/d.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}-{{ .Values.global.zone }}}\ndata: {v: {{ toJson .Values | quote }}}\n",
    "web/charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n",
    "web/charts/lib/templates/_l.tpl": '{{ define "lib.name" }}{{ .Chart.Name }}-lib{{ end }}',
    "web/charts/tagged/Chart.yaml": "apiVersion: v2\nname: tagged\nversion: 0.1.0\n",
    "web/charts/tagged/templates/t.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tagged}\n",
    "env/prod.yaml": "count: 7\nlist: [x]\ncache: {enabled: true}\n",
    "env/cert.pem": "-----BEGIN-----\nx,y=z\n",
}  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, []),
        ({"skip_tests": True}, ["--skip-tests"]),
        ({"value_files": (HelmValueFile("env/prod.yaml"),)}, ["-f", "env/prod.yaml"]),
        ({"values": "db: {enabled: false}\ntags: {extra: true}\n"}, ["-f", "inline.yaml"]),
        ({"set": ("count=9", "list[1]=z", "a.b\\.c=1e3", "db.size=null")}, ["--set", "count=9", "--set", "list[1]=z", "--set", "a.b\\.c=1e3", "--set", "db.size=null"]),
        ({"set_string": ("count=seven",)}, ["--set-string", "count=seven"]),
        ({"set_file": (HelmFileValue("cert", "env/cert.pem"),)}, ["--set-file", "cert=env/cert.pem"]),
        ({"kube_version": "1.19.3-eks.1"}, ["--kube-version", "1.19.3-eks.1"]),
    ],
    ids=str,
)  # fmt: skip
async def test_the_manifests_are_those_of_the_official_command(
    engines: EnginePool, repository: Callable[[Files], Path], fields: dict[str, Any], arguments: list[str]
) -> None:
    files = RICH | {"inline.yaml": str(fields.get("values", ""))}
    built = await rendered(engines, files, options(**fields))
    text = await _helm(
        repository(files), "template", "shop", "web", "--namespace", "prod", "--include-crds", *arguments
    )
    theirs = [one for one in yaml.load_all(text, yaml.CSafeLoader) if one is not None]
    assert objects(built) == theirs
    assert len(theirs) > 5


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[Files], Path]:
    """The files in a folder."""

    def write(files: Files) -> Path:
        for name, text in files.items():
            assert isinstance(text, str)
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


async def _helm(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        find_program("helm", print),
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
