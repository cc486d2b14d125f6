"""Applications of several sources, files in Git that override parameters, and texts that name the revision."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.snapshots import Link, MemorySnapshot
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.argocd.rendering import refine
from trueup.model.errors import BuildFailed, InvalidInput
from trueup.model.refs import ObjectRef
from trueup.model.remote import RemoteContent, RemoteNeed
from trueup.model.rendering import RenderSpec
from trueup.model.snapshot import Input, InputKind
from trueup.render.built import Build
from trueup.render.engine.pool import EnginePool
from trueup.render.inputs import still_true
from trueup.render.readers import InputIndex
from trueup.render.render import Renderer

APP = ObjectRef("argoproj.io", "Application", "argocd", "shop")
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n"
    "{{- range $key, $value := .Values }}\n  {{ $key }}: {{ $value | quote }}\n{{- end }}\n"
)
WEB: Mapping[str, str] = {"web/Chart.yaml": CHART, "web/values.yaml": "from: chart\n", "web/templates/c.yaml": TEMPLATE}


def config(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def spec_of(*sources: dict[str, Any], **source: Any) -> RenderSpec:
    where = {"repoURL": "https://example.com/apps"}
    spec: dict[str, Any] = {"project": "default", "destination": {"name": "in-cluster", "namespace": "shop"}}
    if sources:
        spec["sources"] = [where | each for each in sources]
    else:
        spec["source"] = where | source
    app = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
    }
    return ArgoCdDialect().read_app(app | {"spec": spec}).render


async def built(engines: EnginePool, spec: RenderSpec, files: Mapping[str, str | bytes | Link]) -> Build:
    found, _ = await Renderer(engines, refine=refine).build(MemorySnapshot(files), spec)
    return found


def data_of(build: Build) -> dict[str, dict[str, str]]:
    objects = [json.loads(bytes(one.object)) for one in build.objects]
    return {each["metadata"]["name"]: each.get("data") or {} for each in objects}


async def test_each_source_is_rendered_by_its_own_tool_in_their_order(engines: EnginePool) -> None:
    files = {f"0/{path}": text for path, text in WEB.items()} | {"1/plain/a.yaml": config("a")}
    found = await built(engines, spec_of({"path": "web"}, {"path": "plain"}), files)

    assert list(data_of(found)) == ["web", "a"]
    assert found.source_type == "Helm,Directory"
    assert [one.path for one in found.objects] == ["0/web/templates/c.yaml", "1/plain/a.yaml"]


async def test_a_chart_takes_value_files_of_another_source_by_its_name(engines: EnginePool) -> None:
    files = {f"0/{path}": text for path, text in WEB.items()} | {"1/env/prod.yaml": "from: values\nregion: bkk\n"}
    chart = {"path": "web", "helm": {"valueFiles": ["$values/env/prod.yaml"]}}
    spec = spec_of(chart, {"ref": "values"})
    found = await built(engines, spec, files)

    assert data_of(found)["web"] == {"from": "values", "region": "bkk"}
    assert (
        Input(InputKind.FILE, "1/env/prod.yaml", MemorySnapshot(files).entry("1/env/prod.yaml").id)
        in found.inputs.items
    )  # type: ignore[union-attr]
    changed = MemorySnapshot(files | {"1/env/prod.yaml": "from: other\n"})
    unread = MemorySnapshot(files | {"1/env/dev.yaml": "from: dev\n"})
    assert not still_true(found.inputs, changed)
    assert still_true(found.inputs, unread)


@pytest.mark.parametrize("outside", ["../1/secret.yaml", "../../1/secret.yaml"])
async def test_no_path_leads_from_one_source_into_another(engines: EnginePool, outside: str) -> None:
    files: dict[str, str | bytes | Link] = {
        "0/app/kustomization.yaml": f"resources: [{outside}]\n",
        "1/secret.yaml": config("secret"),
        "1/x/a.yaml": config("a"),
    }
    with pytest.raises(BuildFailed, match=r"sources\[0\]"):
        await built(engines, spec_of({"path": "app"}, {"path": "x", "ref": "other"}), files)
    files["0/app/kustomization.yaml"] = "resources: [link.yaml]\n"
    files["0/app/link.yaml"] = Link("../../1/secret.yaml")
    with pytest.raises(BuildFailed, match=r"sources\[0\]"):
        await built(engines, spec_of({"path": "app"}, {"path": "x"}), files)


async def test_names_of_other_sources_are_in_no_listing(engines: EnginePool) -> None:
    files = {"0/a.yaml": config("a"), "1/b.yaml": config("b")}
    found = await built(engines, spec_of({"path": ".", "directory": {"recurse": True}}, {"ref": "other"}), files)
    assert list(data_of(found)) == ["a"]


def test_a_name_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"\$vals names no source") as caught:
        spec_of({"path": "web", "helm": {"valueFiles": ["$vals/prod.yaml"]}}, {"ref": "values"})
    assert "$values" in caught.value.hint


@pytest.mark.parametrize(
    ("patterns", "wins"),
    [
        (["env/*.yaml"], {"from": "b"}),
        (["env/{b,a}.yaml"], {"from": "b"}),
        (["env/b.yaml", "env/*.yaml"], {"from": "a"}),
        (["**/deep.yaml"], {"from": "deep"}),
        (["env/**/*.yaml"], {"from": "deep"}),
        (["env/[a-b].yaml", "env/a.yaml"], {"from": "a"}),
    ],
)
async def test_value_files_are_found_by_pattern_and_taken_in_order(
    engines: EnginePool, patterns: list[str], wins: dict[str, str]
) -> None:
    files = {
        **WEB,
        "web/env/a.yaml": "from: a\n",
        "web/env/b.yaml": "from: b\n",
        "web/env/x/deep.yaml": "from: deep\n",
        "web/env/readme.md": "no: values\n",
    }
    found = await built(engines, spec_of(path="web", helm={"valueFiles": patterns}), files)
    assert data_of(found)["web"] == wins
    more = MemorySnapshot(files | {"web/env/c.yaml": "from: c\n"})
    if "*" in patterns[-1] and "deep" not in patterns[-1]:
        assert not still_true(found.inputs, more)


async def test_a_pattern_that_finds_nothing_is_an_error_unless_it_may(engines: EnginePool) -> None:
    with pytest.raises(BuildFailed, match="no value file matches web/none/"):
        await built(engines, spec_of(path="web", helm={"valueFiles": ["none/*.yaml"]}), WEB)
    helm = {"valueFiles": ["none/*.yaml"], "ignoreMissingValueFiles": True}
    found = await built(engines, spec_of(path="web", helm=helm), WEB)
    assert data_of(found)["web"] == {"from": "chart"}


async def test_files_in_git_override_parameters_the_apps_own_last(engines: EnginePool) -> None:
    files = {
        **WEB,
        "web/.argocd-source.yaml": "helm:\n  parameters: [{name: from, value: repository}]\n  releaseName: other\n",
        "web/.argocd-source-shop.yaml": "helm:\n  parameters: [{name: from, value: app}]\npath: elsewhere\n",
        "web/.argocd-source-else.yaml": "helm:\n  parameters: [{name: from, value: nobody}]\n",
    }
    found = await built(engines, spec_of(path="web", helm={"parameters": [{"name": "from", "value": "spec"}]}), files)
    assert data_of(found)["web"] == {"from": "app"}


async def test_an_override_file_that_appears_or_changes_concerns_the_app(engines: EnginePool) -> None:
    files = {"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": config("a")}
    found = await built(engines, spec_of(path="app"), files)
    appears = MemorySnapshot({**files, "app/.argocd-source-shop.yaml": "kustomize: {namePrefix: x-}\n"})
    another = MemorySnapshot({**files, "app/.argocd-source-else.yaml": "kustomize: {namePrefix: x-}\n"})
    assert not still_true(found.inputs, appears)
    assert still_true(found.inputs, another)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("helm: [", BuildFailed, "cannot be read"),
        ("[1]", BuildFailed, "must be a mapping"),
        ("helm: {valueFiles: 3}", InvalidInput, "valueFiles"),
        ("kustomize: {version: v5}", InvalidInput, "kustomize.version"),
    ],
)
async def test_a_bad_override_names_its_file(engines: EnginePool, text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=r"web/\.argocd-source\.yaml") as caught:
        await built(engines, spec_of(path="web"), {**WEB, "web/.argocd-source.yaml": text})
    assert said in str(caught.value)


async def test_a_text_that_names_the_revision_is_another_question_at_every_commit(engines: EnginePool) -> None:
    parameters = [
        {"name": "full", "value": "$ARGOCD_APP_REVISION"},
        {"name": "short", "value": "v-${ARGOCD_APP_REVISION_SHORT}"},
        {"name": "eight", "value": "$ARGOCD_APP_REVISION_SHORT_8", "forceString": True},
    ]
    spec = spec_of(path="web", helm={"parameters": parameters})
    found = await built(engines, spec, WEB)
    digest = MemorySnapshot(WEB).revision.digest
    assert data_of(found)["web"] == {
        "from": "chart",
        "full": digest,
        "short": f"v-{digest[:7]}",
        "eight": digest[:8],
    }
    other = MemorySnapshot({**WEB, "unrelated": "x"})
    assert not still_true(found.inputs, other)
    index = InputIndex()
    index.add(APP, found.inputs)
    assert index.concerned((), other) == {APP}
    assert index.concerned((), MemorySnapshot(WEB)) == set()
    index.remove(APP)
    assert index.concerned((), other) == set()


async def test_a_text_that_does_not_name_it_is_not(engines: EnginePool) -> None:
    spec = spec_of(path="web", helm={"parameters": [{"name": "app", "value": "$ARGOCD_APP_NAME"}]})
    found = await built(engines, spec, WEB)
    assert data_of(found)["web"]["app"] == "shop"
    assert still_true(found.inputs, MemorySnapshot({**WEB, "unrelated": "x"}))


async def test_annotations_of_a_kustomization_take_the_build_environment_when_they_ask_for_it(
    engines: EnginePool,
) -> None:
    files = {"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": config("a")}
    kustomize = {"commonAnnotations": {"app": "$ARGOCD_APP_NAME"}, "commonAnnotationsEnvsubst": True}
    found = await built(engines, spec_of(path="app", kustomize=kustomize), files)
    (one,) = (json.loads(bytes(each.object)) for each in found.objects)
    assert one["metadata"]["annotations"] == {"app": "shop"}


async def test_images_and_labels_of_a_kustomization_always_take_the_build_environment(engines: EnginePool) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: web}]}\n"
    files = {"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": pod}
    kustomize = {
        "images": ["web=example.com/$ARGOCD_APP_NAME:r${ARGOCD_APP_REVISION_SHORT}"],
        "commonLabels": {"app": "$ARGOCD_APP_NAME", "price": "$$5"},
    }
    found = await built(engines, spec_of(path="app", kustomize=kustomize), files)
    (one,) = (json.loads(bytes(each.object)) for each in found.objects)
    revision = MemorySnapshot(files).revision.digest[:7]
    assert one["spec"]["containers"][0]["image"] == f"example.com/shop:r{revision}"
    assert one["metadata"]["labels"] == {"app": "shop", "price": "$5"}


async def test_files_of_any_name_are_read_when_the_filter_is_off(engines: EnginePool) -> None:
    files = {"app/a.manifest": config("a"), "app/b.yaml": config("b")}
    assert list(data_of(await built(engines, spec_of(path="app"), files))) == ["b"]
    found = await built(engines, spec_of(path="app", directory={"disableExtensionFilter": True}), files)
    assert list(data_of(found)) == ["a", "b"]


class Fetched:
    """A `RemoteFetcher` that has these texts."""

    expected: tuple[RemoteNeed, ...] = ()

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.asked: list[str] = []

    async def fetch(self, needs: Sequence[RemoteNeed]) -> tuple[RemoteContent, ...]:
        self.asked.extend(need.text for need in needs)
        return tuple(
            RemoteContent(
                text=need.text,
                key="k" * 24,
                snapshot=MemorySnapshot({"v.yaml": self._texts[need.text]}),
                path="v.yaml",
                is_file=True,
            )
            for need in needs
        )


async def test_value_files_are_fetched_by_url_and_count_as_what_was_read(engines: EnginePool) -> None:
    url = "https://example.com/values/prod.yaml"
    spec = spec_of(path="web", helm={"valueFiles": [url]})
    fetched = Fetched({url: "from: far away\n"})
    found, _ = await Renderer(engines, refine=refine).build(MemorySnapshot(WEB), spec, remotes=fetched)
    assert data_of(found)["web"] == {"from": "far away"}
    assert fetched.asked == [url]
    assert any(item.path.endswith("v.yaml") for item in found.inputs.items)
    with pytest.raises(BuildFailed, match="not fetched here"):
        await built(engines, spec, WEB)


def test_only_web_addresses_are_fetched() -> None:
    with pytest.raises(InvalidInput, match="scheme that is not fetched"):
        spec_of(path="web", helm={"valueFiles": ["s3://bucket/values.yaml"]})
