"""A Flux Kustomization's path: which files go in, and what the resource itself adds."""

from __future__ import annotations

import pytest

from tests.render.conftest import Render
from tests.support.manifests import config_map, deployment, places, refs
from tests.support.snapshots import Link
from trueup.model.errors import BuildFailed, NotBuiltYet
from trueup.model.rendering import ImageOverride, Overlay, Patch, PatchTarget
from trueup.render.limits import RenderLimits
from trueup.render.render import Rendered


def image_of(rendered: Rendered) -> str:
    containers = rendered.objects[0].manifest["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"])


async def test_a_tree_without_a_kustomization_gives_all_its_yaml_files(flux: Render) -> None:
    rendered = await flux(
        {
            "apps/a.yaml": config_map("a"),
            "apps/deep/er/b.yml": config_map("b"),
            "apps/README.md": "text",
            "apps/values.json": "{}",
            "elsewhere/c.yaml": config_map("c"),
        },
        "apps",
    )

    assert places(rendered.objects) == {"ConfigMap/a": "apps/a.yaml:1", "ConfigMap/b": "apps/deep/er/b.yml:1"}
    assert rendered.source_type == "Kustomize"


async def test_a_subdirectory_with_a_kustomization_is_built_and_not_entered(flux: Render) -> None:
    rendered = await flux(
        {
            "a.yaml": config_map("a"),
            "sub/kustomization.yaml": "namePrefix: in-\nresources: [b.yaml]\n",
            "sub/b.yaml": config_map("b"),
            "sub/not-listed.yaml": config_map("c"),
        }
    )

    assert places(rendered.objects) == {"ConfigMap/a": "a.yaml:1", "ConfigMap/in-b": "sub/b.yaml:1"}


async def test_only_the_kustomization_of_the_path_counts_where_there_is_one(flux: Render) -> None:
    rendered = await flux(
        {"kustomization.yml": "resources: [a.yaml]\n", "a.yaml": config_map("a"), "b.yaml": config_map("b")}
    )

    assert refs(rendered.objects) == ["ConfigMap/a"]


async def test_bases_beside_the_path_are_built_with_the_path_they_came_from(flux: Render) -> None:
    rendered = await flux(
        {
            "overlays/prod/kustomization.yaml": "resources: [../../base]\nnameSuffix: -prod\n",
            "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\n",
            "base/web.yaml": deployment("web"),
        },
        "overlays/prod",
    )

    found = places(rendered.objects)
    assert found["Deployment/web-prod"] == "base/web.yaml:1"
    (generated,) = [name for name in found if name.startswith("ConfigMap/")]
    assert generated.startswith("ConfigMap/settings-prod-")  # with its hash
    assert found[generated] == "base/kustomization.yaml"


async def test_a_path_where_nothing_is_declared_is_empty_and_no_error(flux: Render) -> None:
    rendered = await flux({"apps/README.md": "nothing yet"}, "apps")

    assert rendered.objects == ()
    assert rendered.inputs.items != ()


async def test_an_empty_kustomization_file_is_an_error_and_not_an_empty_answer(flux: Render) -> None:
    with pytest.raises(BuildFailed, match=r"the kustomization file is empty \(apps/kustomization.yaml\)"):
        await flux({"apps/kustomization.yaml": "resources: []\n"}, "apps")


@pytest.mark.parametrize(("path", "why"), [("nope", "does not exist"), ("a.yaml", "is a file"), ("../x", "outside")])
async def test_a_path_that_is_no_directory_of_the_repository_is_an_error(flux: Render, path: str, why: str) -> None:
    with pytest.raises(BuildFailed, match=why):
        await flux({"a.yaml": config_map("a")}, path)


@pytest.mark.parametrize("path", ["", ".", "./", "/", "./apps/.."])
async def test_the_root_may_be_written_in_several_ways(flux: Render, path: str) -> None:
    rendered = await flux({"a.yaml": config_map("a"), "apps/x.md": ""}, path)

    assert refs(rendered.objects) == ["ConfigMap/a"]


async def test_ignored_files_are_not_rendered(flux: Render) -> None:
    files = {
        "a.yaml": config_map("a"),
        "ci/b.yaml": config_map("b"),
        "old/c.yaml": config_map("c"),
        ".sourceignore": "/ci\n",
        "old/.sourceignore": "*.yaml\n",
        "cloudbuild.yaml": "not: a manifest\n",
    }

    assert refs((await flux(files, ignore="cloudbuild.yaml")).objects) == ["ConfigMap/a"]
    assert refs((await flux(files, ignore="!/ci\ncloudbuild.yaml\n")).objects) == ["ConfigMap/a", "ConfigMap/b"]


async def test_links_are_followed_inside_the_repository(flux: Render) -> None:
    rendered = await flux(
        {
            "apps/web": Link("../shared"),
            "shared/kustomization.yaml": "resources: [a.yaml]\n",
            "shared/a.yaml": config_map("a"),
        },
        "apps/web",
    )

    assert places(rendered.objects) == {"ConfigMap/a": "shared/a.yaml:1"}


async def test_the_namespace_prefix_and_suffix_of_the_resource_win(flux: Render) -> None:
    rendered = await flux(
        {
            "kustomization.yaml": "namespace: theirs\nnamePrefix: their-\nresources: [a.yaml]\n",
            "a.yaml": config_map("a"),
        },
        overlay=Overlay(namespace="ours", name_prefix="our-", name_suffix="-x"),
    )

    assert refs(rendered.objects) == ["ConfigMap/ours/our-a-x"]


async def test_images_are_replaced_whole_by_name(flux: Render) -> None:
    files = {
        "kustomization.yaml": "resources: [web.yaml]\nimages: [{name: nginx, newName: mirror/nginx, newTag: '1.0'}]\n",
        "web.yaml": deployment("web", "nginx:1.25"),
    }

    assert image_of(await flux(files)) == "mirror/nginx:1.0"
    override = ImageOverride(
        name="nginx", digest="sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3"
    )
    assert image_of(await flux(files, overlay=Overlay(images=(override,)))) == f"nginx@{override.digest}"


async def test_patches_of_the_resource_come_after_those_of_the_file(flux: Render) -> None:
    rendered = await flux(
        {
            "kustomization.yaml": "resources: [web.yaml]\npatches: [{target: {kind: Deployment}, patch: "
            '"- {op: replace, path: /spec/replicas, value: 2}"}]\n',
            "web.yaml": deployment("web"),
        },
        overlay=Overlay(
            patches=(
                Patch(
                    patch="- op: test\n  path: /spec/replicas\n  value: 2\n- op: replace\n  path: /spec/replicas\n  value: 3\n",
                    target=PatchTarget(kind="Deployment", name="w.*"),
                ),
                Patch(patch="apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  paused: true\n"),
            )
        ),
    )

    assert rendered.objects[0].manifest["spec"]["replicas"] == 3
    assert rendered.objects[0].manifest["spec"]["paused"] is True


async def test_components_of_the_resource_are_added_and_missing_ones_may_be_left_out(flux: Render) -> None:
    files = {
        "app/kustomization.yaml": "resources: [a.yaml]\n",
        "app/a.yaml": config_map("a"),
        "parts/label/kustomization.yaml": (
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: label}\n"
        ),
    }
    wanted = Overlay(components=("../parts/label", "../parts/nope"), ignore_missing_components=True)

    rendered = await flux(files, "app", wanted)

    assert rendered.objects[0].manifest["metadata"]["annotations"] == {"part": "label"}
    with pytest.raises(BuildFailed, match="nope"):
        await flux(files, "app", Overlay(components=("../parts/nope",)))


async def test_a_patch_that_looks_at_annotations_sees_only_those_of_the_manifest(flux: Render) -> None:
    files = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config_map("a")}
    peep = '[{"op": "remove", "path": "/metadata/annotations/config.kubernetes.io~1origin"}]'
    look = Patch(patch=peep, target=PatchTarget(kind="ConfigMap"))
    make = Patch(
        patch='[{"op": "add", "path": "/metadata/annotations", "value": {"x": "y"}}]',
        target=PatchTarget(kind="ConfigMap"),
    )

    with pytest.raises(BuildFailed, match="nonexistent key"):
        await flux(files, overlay=Overlay(patches=(look,)))
    rendered = await flux(files, overlay=Overlay(patches=(make,)))
    assert rendered.objects[0].manifest["metadata"]["annotations"] == {"x": "y"}


async def test_origin_annotations_are_there_when_asked_for_and_only_then(flux: Render) -> None:
    files = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config_map("a")}

    assert "annotations" not in (await flux(files)).objects[0].manifest["metadata"]
    asked = await flux(files, overlay=Overlay(build_metadata=("originAnnotations",)))
    assert asked.objects[0].manifest["metadata"]["annotations"] == {"config.kubernetes.io/origin": "path: a.yaml\n"}


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources:\n- https://github.com/example/app?ref=v1\n",
        "resources:\n- git@github.com:example/app\n",
        "resources:\n- https://example.com/all.yaml\n",
        "resources: [a.yaml]\ncomponents:\n- https://github.com/example/app//part\n",
        "configMapGenerator:\n- name: x\n  files: [https://example.com/x.txt]\n",
    ],
)
async def test_nothing_is_fetched_while_rendering(flux: Render, kustomization: str) -> None:
    with pytest.raises(BuildFailed, match="remote bases and URLs are not fetched") as caught:
        await flux({"app/kustomization.yaml": kustomization, "app/a.yaml": config_map("a")}, "app")

    assert caught.value.reason == "RemoteRefused"
    assert caught.value.origin is not None
    assert caught.value.origin.path == "app/kustomization.yaml"
    assert caught.value.origin.line > 0


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"kustomization.yaml": "resources:\n- ../../x.yaml\n"}, "outside the repository"),
        ({"kustomization.yaml": "resources:\n- /etc/passwd\n"}, "outside the repository"),
        ({"kustomization.yaml": "resources:\n- l.yaml\n", "l.yaml": Link("/etc/passwd")}, "outside the repository"),
        (
            {"kustomization.yaml": "configMapGenerator:\n- {name: x, files: [../../../etc/passwd]}\n"},
            "outside the repository",
        ),
        ({"kustomization.yaml": "helmCharts:\n- {name: x, repo: https://example.com}\n"}, "not rendered yet"),
        (
            {
                "kustomization.yaml": "generators:\n- g.yaml\n",
                "g.yaml": "apiVersion: example.com/v1\nkind: Exec\nmetadata: {name: x}\n",
            },
            "external plugins disabled",
        ),
    ],
)
async def test_a_build_stays_inside_the_repository_and_runs_nothing(
    flux: Render, files: dict[str, str], why: str
) -> None:
    with pytest.raises((BuildFailed, NotBuiltYet), match=why) as refused:
        await flux({f"app/{name}": content for name, content in files.items()}, "app")
    if len(files) == 1:
        assert str(refused.value.origin) in ("app/kustomization.yaml:1", "app/kustomization.yaml:2")


@pytest.mark.parametrize(
    ("files", "place", "why"),
    [
        (
            {"kustomization.yaml": "resources:\n- a.yaml\n- b.yaml\n", "a.yaml": config_map("a")},
            "app/kustomization.yaml:3",
            "b.yaml",
        ),
        (
            {"kustomization.yaml": "resources: [x]\n", "x/kustomization.yaml": "resource: []\n"},
            "app/x/kustomization.yaml",
            "resource",
        ),
        ({"kustomization.yaml": "a: [\n"}, "app/kustomization.yaml", "expected"),
        ({"kustomization.yaml": "resources: []\n", "kustomization.yml": "resources: []\n"}, "app", "both"),
    ],
)
async def test_an_error_in_a_kustomization_says_where(
    flux: Render, files: dict[str, str], place: str, why: str
) -> None:
    with pytest.raises(BuildFailed, match=why) as caught:
        await flux({f"app/{name}": content for name, content in files.items()}, "app")

    assert str(caught.value.origin).startswith(place)
    assert "/.snapshot" not in str(caught.value)


async def test_a_path_with_too_many_files_is_refused(engines: object) -> None:
    from tests.support.snapshots import MemorySnapshot
    from trueup.model.rendering import RenderMode, RenderSpec
    from trueup.render.building import build
    from trueup.render.engine.pool import EnginePool

    assert isinstance(engines, EnginePool)
    snapshot = MemorySnapshot({f"{number}.yaml": config_map(f"c{number}") for number in range(20)})
    spec = RenderSpec(path="", mode=RenderMode.FLUX)

    with pytest.raises(BuildFailed, match="more than 10 files"):
        await build(snapshot, spec, engines, limits=RenderLimits(files=10))
    with pytest.raises(BuildFailed, match="20 objects, of at most 10"):
        await build(snapshot, spec, engines, limits=RenderLimits(objects=10))
    with pytest.raises(BuildFailed, match="more than 100 bytes together"):
        await build(snapshot, spec, engines, limits=RenderLimits(output_bytes=100))
    with pytest.raises(BuildFailed, match="more than 200 bytes together"):
        await build(snapshot, spec, engines, limits=RenderLimits(total_bytes=200))


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("resources: [a.yaml]\nnamePrefx: b-\n", 'app/kustomization.yaml:2: unknown field "namePrefx"'),
        ("resources: [a.yaml]\nimages: [{name: a, newTagg: b}]\n", 'app/kustomization.yaml:2: unknown field "newTagg"'),
        ("resources: [a.yaml]\n", ""),
    ],
)
async def test_a_field_that_flux_passes_over_is_told(flux: Render, file: str, place: str) -> None:
    rendered = await flux({"app/kustomization.yaml": file, "app/a.yaml": config_map("a")}, "app")
    assert refs(rendered.objects) == ["ConfigMap/a"]
    assert [f"{notice.type} {notice.message}" for notice in rendered.notices] == (
        [f"FieldIgnored {place}, which does nothing"] if place else []
    )
