"""An Argo CD Application's path: plain directory or Kustomize, and what the `kustomize` block adds."""

from __future__ import annotations

import pytest

from tests.render.conftest import Render
from tests.support.manifests import config_map, deployment, places, refs
from tests.support.snapshots import Link
from trueup.model.errors import BuildFailed, NotBuiltYet
from trueup.model.rendering import DirectoryOptions, ImageOverride, Overlay, Patch, PatchTarget, ReplicaOverride

JSON = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}'
WEB = {"kustomization.yaml": "resources: [web.yaml]\n", "web.yaml": deployment("web")}


async def test_a_directory_gives_the_manifests_beside_each_other_only(argocd: Render) -> None:
    files = {
        "app/a.yaml": config_map("a"),
        "app/b.yml": config_map("b"),
        "app/deep/c.yaml": config_map("c"),
        "app/x.txt": "x",
    }

    rendered = await argocd(files, "app")

    assert places(rendered.objects) == {"ConfigMap/a": "app/a.yaml:1", "ConfigMap/b": "app/b.yml:1"}
    assert rendered.source_type == "Directory"


async def test_recurse_goes_down_also_past_kustomization_files(argocd: Render) -> None:
    files = {
        "app/a.yaml": config_map("a"),
        "app/deep/c.yaml": config_map("c"),
        "app/deep/er/d.json": JSON,
    }

    rendered = await argocd(files, "app", directory=DirectoryOptions(recurse=True))

    assert refs(rendered.objects) == ["ConfigMap/a", "ConfigMap/c", "ConfigMap/d"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ("*.yml", "", ["ConfigMap/b"]),
        ("{a.yaml,deep/*}", "", ["ConfigMap/a", "ConfigMap/c"]),
        ("", "deep/*", ["ConfigMap/a", "ConfigMap/b"]),
        ("*", "{a.yaml,b.yml}", ["ConfigMap/c"]),
    ],
)
async def test_include_and_exclude_are_globs_below_the_path(
    argocd: Render, include: str, exclude: str, expected: list[str]
) -> None:
    files = {"app/a.yaml": config_map("a"), "app/b.yml": config_map("b"), "app/deep/c.yaml": config_map("c")}

    options = DirectoryOptions(recurse=True, include=include, exclude=exclude)
    rendered = await argocd(files, "app", directory=options)

    assert refs(rendered.objects) == expected


async def test_files_that_are_no_manifests_are_left_out_with_a_notice(argocd: Render) -> None:
    rendered = await argocd(
        {"a.yaml": config_map("a"), "values.yaml": "replicas: 3\nimage: nginx\n", "text.yml": "text: {{ x }}\n"}
    )

    assert refs(rendered.objects) == ["ConfigMap/a"]
    assert [notice.type for notice in rendered.notices] == ["ManifestSkipped", "ManifestSkipped"]


async def test_a_file_with_the_skip_mark_is_left_out(argocd: Render) -> None:
    rendered = await argocd({"a.yaml": config_map("a"), "b.yaml": f"# +argocd:skip-file-rendering\n{config_map('b')}"})

    assert refs(rendered.objects) == ["ConfigMap/a"]


async def test_the_sources_ignore_rules_of_flux_play_no_part(argocd: Render) -> None:
    rendered = await argocd({"a.yaml": config_map("a"), ".sourceignore": "a.yaml\n"})

    assert refs(rendered.objects) == ["ConfigMap/a"]


async def test_links_to_files_are_followed_and_dead_ones_passed_over(argocd: Render) -> None:
    rendered = await argocd(
        {"app/a.yaml": Link("../shared/a.yaml"), "app/dead.yaml": Link("nowhere"), "shared/a.yaml": config_map("a")},
        "app",
    )

    assert places(rendered.objects) == {"ConfigMap/a": "shared/a.yaml:1"}
    with pytest.raises(BuildFailed, match="outside the repository"):
        await argocd({"app/a.yaml": Link("../../x.yaml")}, "app")


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"app/Chart.yaml": "name: x\n"}, "Helm"),
    ],
)
async def test_what_is_not_built_yet_is_said(argocd: Render, files: dict[str, str], what: str) -> None:
    with pytest.raises(NotBuiltYet, match=what):
        await argocd(files, "app")


async def test_an_object_without_a_name_is_refused_with_its_place(argocd: Render) -> None:
    text = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: x-\n"

    with pytest.raises(BuildFailed, match=r"the Job has no metadata.name \(a.yaml:1\)"):
        await argocd({"a.yaml": text})


async def test_a_kustomization_file_makes_it_kustomize(argocd: Render) -> None:
    rendered = await argocd({**WEB, "other.yaml": config_map("a")})

    assert refs(rendered.objects) == ["Deployment/web"]
    assert rendered.source_type == "Kustomize"


async def test_an_explicit_directory_block_wins_over_a_kustomization_file(argocd: Render) -> None:
    rendered = await argocd(
        {"a.yaml": config_map("a"), **WEB}, directory=DirectoryOptions(exclude="kustomization.yaml")
    )

    assert refs(rendered.objects) == ["ConfigMap/a", "Deployment/web"]


async def test_an_explicit_kustomize_block_needs_a_kustomization_file(argocd: Render) -> None:
    with pytest.raises(BuildFailed, match=r"there is no kustomization.yaml"):
        await argocd({"app/a.yaml": config_map("a")}, "app", force_kustomize=True)


async def test_a_wrong_field_in_a_kustomization_file_is_refused_here(argocd: Render) -> None:
    with pytest.raises(BuildFailed, match=r'unknown field "resource"'):
        await argocd({"kustomization.yaml": "resource: [web.yaml]\n", "web.yaml": deployment("web")})


async def test_the_kustomize_block_edits_the_kustomization(argocd: Render) -> None:
    overlay = Overlay(
        name_prefix="p-",
        name_suffix="-s",
        namespace="shop",
        replicas=(ReplicaOverride("web", 5),),
        images=(ImageOverride(name="nginx", new_name="mirror/nginx", new_tag="1.27"),),
        common_annotations={"who": "us"},
        patches=(
            Patch(
                patch='[{"op": "add", "path": "/spec/paused", "value": true}]', target=PatchTarget(kind="Deployment")
            ),
        ),
    )

    (one,) = (await argocd(WEB, overlay=overlay)).objects

    assert str(one.ref) == "Deployment/shop/p-web-s"
    assert one.manifest["spec"]["replicas"] == 5
    assert one.manifest["spec"]["paused"] is True
    assert one.manifest["metadata"]["annotations"] == {"who": "us"}
    assert one.manifest["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror/nginx:1.27"


@pytest.mark.parametrize(
    ("options", "selector", "template", "own"),
    [
        ({}, {"app": "web", "team": "a"}, {"app": "web", "team": "a"}, {"team": "a"}),
        ({"label_without_selector": True}, {"app": "web"}, {"app": "web"}, {"team": "a"}),
        (
            {"label_without_selector": True, "label_include_templates": True},
            {"app": "web"},
            {"app": "web", "team": "a"},
            {"team": "a"},
        ),
    ],
)
async def test_common_labels_reach_as_far_as_asked(
    argocd: Render, options: dict[str, bool], selector: dict[str, str], template: dict[str, str], own: dict[str, str]
) -> None:
    (one,) = (await argocd(WEB, overlay=Overlay(common_labels={"team": "a"}, **options))).objects

    assert one.manifest["metadata"]["labels"] == own
    assert one.manifest["spec"]["selector"]["matchLabels"] == selector
    assert one.manifest["spec"]["template"]["metadata"]["labels"] == template


async def test_a_label_that_the_file_sets_already_needs_force(argocd: Render) -> None:
    files = {**WEB, "kustomization.yaml": "resources: [web.yaml]\ncommonLabels: {team: a}\n"}

    with pytest.raises(BuildFailed, match="label team is already in the kustomization file"):
        await argocd(files, overlay=Overlay(common_labels={"team": "b"}))
    (one,) = (await argocd(files, overlay=Overlay(common_labels={"team": "b"}, force_common_labels=True))).objects
    assert one.manifest["metadata"]["labels"] == {"team": "b"}


async def test_a_star_in_an_image_keeps_what_the_file_says(argocd: Render) -> None:
    files = {**WEB, "kustomization.yaml": "resources: [web.yaml]\nimages: [{name: nginx, newName: mirror/nginx}]\n"}

    (one,) = (
        await argocd(files, overlay=Overlay(images=(ImageOverride(name="nginx", new_name="*", new_tag="9"),)))
    ).objects

    assert one.manifest["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror/nginx:9"
