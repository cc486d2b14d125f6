"""Kustomize blocks of Applications, against what Argo CD has the official command do: `kustomize edit ...`, then `kustomize build`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.peers.locate import find_program
from tests.render.test_parts import built, spec_of
from trueup.model.errors import TrueupError
from trueup.render.engine.pool import EnginePool

pytestmark = pytest.mark.real

FILES = {
    "app/a.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: "web:1"}, {name: b, image: "reg:5000/db@sha256:aaaa"}]}
""",
    "app/c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n",
}
LABELS = {"commonLabels": {"tier": "front"}}
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("images: [{name: web, newTag: '5'}]", {"images": ["web=nginx:*"]}),
    ("images: [{name: web, newName: other, newTag: '5'}]", {"images": ["web=*:6", "reg:5000/db:2"]}),
    ("images: [{name: web, newName: other, digest: 'sha256:aa'}]", {"images": ["web=nginx"]}),
    ("", {"images": ["web=*:*"], "replicas": [{"name": "web", "count": "3"}]}),
    ("replicas: [{name: web, count: 7}]", {"replicas": [{"name": "web", "count": 0}]}),
    ("", LABELS | {"labelWithoutSelector": True, "labelIncludeTemplates": True}),
    ("", LABELS | {"labelIncludeTemplates": True}),
    ("commonLabels: {tier: back}", LABELS),
    ("commonLabels: {tier: back}", LABELS | {"forceCommonLabels": True}),
    ("labels: [{pairs: {a: b}, includeTemplates: true}]", LABELS | {"labelWithoutSelector": True}),
    ("namePrefix: x-\nnamespace: q", {"namePrefix": "y-", "nameSuffix": "-z", "namespace": "n", "components": ["c"]}),
    ("components: [c]", {"components": ["c"], "commonAnnotations": {"a": "b c: d"}}),
)


def edits(said: dict[str, Any]) -> Iterator[list[str]]:
    """https://github.com/argoproj/argo-cd/blob/v3.4.0/util/kustomize/kustomize.go"""
    for option, verb in (("namePrefix", "nameprefix"), ("nameSuffix", "namesuffix"), ("namespace", "namespace")):
        if option in said:
            yield ["set", verb, "--", said[option]]
    if "images" in said:
        yield ["set", "image", *said["images"]]
    if "replicas" in said:
        yield ["set", "replicas", *(f"{row['name']}={row['count']}" for row in said["replicas"])]
    if "commonLabels" in said:
        flags = {"forceCommonLabels": "--force", "labelWithoutSelector": "--without-selector"}
        flags["labelIncludeTemplates"] = "--include-templates"
        given = [flag for option, flag in flags.items() if said.get(option)]
        yield ["add", "label", *given, *(f"{key}:{value}" for key, value in said["commonLabels"].items())]
    if "commonAnnotations" in said:
        yield ["add", "annotation", *(f"{key}:{value}" for key, value in said["commonAnnotations"].items())]
    if "components" in said:
        yield ["add", "component", *said["components"]]


def official(folder: Path, files: dict[str, str], said: dict[str, Any]) -> list[Any] | None:
    """None: it refuses."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    program = str(find_program("kustomize", print))
    done = subprocess.CompletedProcess[bytes]([], 0)
    for arguments in [*(["edit", *edit] for edit in edits(said)), ["build"]]:
        done = subprocess.run([program, *arguments], cwd=folder / "app", capture_output=True, timeout=60, check=False)
        if done.returncode:
            return None
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize(("file", "said"), CASES)
async def test_a_kustomize_block_does_what_the_official_edits_do(
    engines: EnginePool, tmp_path: Path, file: str, said: dict[str, Any]
) -> None:
    files = FILES | {"app/kustomization.yaml": f"resources: [a.yaml]\n{file}\n"}
    theirs = official(tmp_path, files, said)
    try:
        ours = [
            json.loads(bytes(one.object))
            for one in (await built(engines, spec_of(path="app", kustomize=said), files)).objects
        ]
    except TrueupError:
        ours = None
    assert ours == theirs


async def test_what_stands_in_the_file_already_is_refused_by_its_name(engines: EnginePool) -> None:
    files = FILES | {"app/kustomization.yaml": "resources: [a.yaml]\ncommonLabels: {tier: back}\n"}
    with pytest.raises(
        TrueupError, match=r"label tier is already in the kustomization file \(app/kustomization.yaml\)"
    ):
        await built(engines, spec_of(path="app", kustomize=LABELS), files)
