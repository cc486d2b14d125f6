"""Kustomize's features through the engine: golden files, and the pinned real `kubectl kustomize` beside them."""

from __future__ import annotations

import posixpath
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.peers.kubectl import Kubectl
from tests.render.differential.cases import cases, load
from tests.support.snapshots import MemorySnapshot
from trueup.model.rendering import RenderMode, RenderSpec
from trueup.render.building import build
from trueup.render.engine.pool import EnginePool
from trueup.render.manifests import read_manifests
from trueup.render.render import render

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(request.param.read_text())
    return loaded


@pytest.mark.parametrize("mode", list(RenderMode))
async def test_a_kustomization_renders_as_its_golden_file_says(
    case: dict[str, Any], mode: RenderMode, engines: EnginePool
) -> None:
    rendered = await render(MemorySnapshot(case["files"]), RenderSpec(path=case["path"], mode=mode), None, engines)

    assert [one.manifest for one in rendered.objects] == list(yaml.safe_load_all(case["expect"]))


@pytest.mark.real
async def test_the_real_kubectl_renders_the_same(
    case: dict[str, Any], engines: EnginePool, kubectl: Kubectl, tmp_path: Path
) -> None:
    for name, content in case["files"].items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    command = [
        str(kubectl.program),
        "kustomize",
        "--load-restrictor",
        "LoadRestrictionsNone",
        str(tmp_path / case["path"]),
    ]
    theirs = subprocess.run(command, capture_output=True, env={"HOME": str(tmp_path)}, check=True).stdout  # noqa: ASYNC221

    ours = await render(
        MemorySnapshot(case["files"]), RenderSpec(path=case["path"], mode=RenderMode.ARGOCD), None, engines
    )

    expected = await read_manifests({"theirs.yaml": theirs}, engines)
    if "sortOptions" not in str(case["files"]):  # without them the command sorts by kind, where Flux does not
        ours_sorted, theirs_sorted = (sorted(objects, key=lambda one: one.ref) for objects in (ours.objects, expected))
    else:
        ours_sorted, theirs_sorted = list(ours.objects), list(expected)
    assert [one.manifest for one in ours_sorted] == [one.manifest for one in theirs_sorted]


BUILT = [case for case in cases("kustomize") if not load(case.values[0]).refused and case.id != "metadata"]


@pytest.mark.parametrize("path", BUILT)
async def test_the_place_of_each_object_is_the_one_that_the_library_notes(path: Path, engines: EnginePool) -> None:
    """Places are found without the library's notes, which cost a third of a build, wherever they are beyond doubt."""
    case = load(path)
    name = f"{case.path}/kustomization.yaml"
    head, split, more = case.files[name].partition("\n---\n")
    files = case.tree() | {name: f"{head}\nbuildMetadata: [originAnnotations]{split}{more}"}
    built = await build(MemorySnapshot(files), RenderSpec(path=case.path, mode=RenderMode.ARGOCD), engines)

    for one in built.objects:
        manifest = msgspec.json.decode(bytes(one.object))
        note = yaml.safe_load(manifest["metadata"]["annotations"]["config.kubernetes.io/origin"])
        place = note.get("path") or note.get("configuredIn")
        assert one.path == posixpath.normpath(f"{case.path}/{place}"), manifest["metadata"]["name"]
