"""CUE is asked for by annotations of our own, on resources of both dialects, and never found by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from trueup.dialects.argocd.application import read_application
from trueup.dialects.flux.kustomization import read_kustomization
from trueup.model.errors import InvalidInput
from trueup.model.rendering import CueOptions, RenderSpec

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cue" / "shop.yaml"
ASKED = {"trueup.dev/render": "cue"}


def kustomization(annotations: dict[str, str], **spec: Any) -> RenderSpec:
    base = {"path": "./apps/web", "sourceRef": {"kind": "GitRepository", "name": "a"}, "interval": "1m", "prune": True}
    meta = {"name": "web", "namespace": "shop", "annotations": annotations}
    return read_kustomization(
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": meta,
            "spec": base | spec,
        }
    ).render


def application(annotations: dict[str, str], **source: Any) -> RenderSpec:
    meta = {"name": "web", "namespace": "argocd", "annotations": annotations}
    spec = {
        "project": "default",
        "source": {"repoURL": "https://a.example.com/x.git", "path": "apps/web"} | source,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
    }
    return read_application(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": meta, "spec": spec}, "argocd"
    ).render


@pytest.mark.parametrize("read", [kustomization, application])
def test_annotations_ask_for_cue_and_say_how(read: Any) -> None:
    assert read({}).cue is None
    assert read(ASKED).cue == CueOptions()
    options = {
        "trueup.dev/cue-package": "web",
        "trueup.dev/cue-expressions": "objects\n[for x in more {x}]\n",
        "trueup.dev/cue-tags": "env=prod\n\n  debug\n",
    }
    assert read(ASKED | options).cue == CueOptions(
        package="web", expressions=("objects", "[for x in more {x}]"), tags=("env=prod", "debug")
    )


@pytest.mark.parametrize("read", [kustomization, application])
@pytest.mark.parametrize(
    ("annotations", "field", "hint"),
    [
        ({"trueup.dev/render": "dhall"}, "metadata.annotations[trueup.dev/render]", 'write "cue"'),
        ({"trueup.dev/cue-tags": "a"}, "metadata.annotations[trueup.dev/cue-tags]", "add trueup.dev/render: cue"),
    ],
)
def test_another_tool_and_options_without_cue_are_refused(
    read: Any, annotations: dict[str, str], field: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(annotations)
    assert refused.value.field == field
    assert hint in refused.value.hint


@pytest.mark.parametrize("spec", [{"components": ["x"]}, {"buildMetadata": ["originAnnotations"]}])
def test_what_is_about_files_of_a_kustomization_is_refused_beside_cue(spec: dict[str, Any]) -> None:
    (field,) = spec
    with pytest.raises(InvalidInput, match=f"spec.{field} cannot be used with trueup.dev/render: cue"):
        kustomization(ASKED, **spec)


def test_what_kustomize_does_to_any_resources_goes_on_top() -> None:
    render = kustomization(ASKED, targetNamespace="x", images=[{"name": "a", "newTag": "b"}])
    assert (render.cue, render.overlay.namespace, len(render.overlay.images)) == (CueOptions(), "x", 1)


@pytest.mark.parametrize("block", ["kustomize", "helm", "directory"])
def test_the_blocks_of_other_tools_are_refused_beside_cue(block: str) -> None:
    with pytest.raises(InvalidInput, match=rf"spec\.source\.{block} cannot be used"):
        application(ASKED, **{block: {}})


def test_the_example_is_read_as_it_says() -> None:
    _, prod, dev = yaml.safe_load_all(EXAMPLE.read_text())
    assert read_kustomization(prod).render.cue == CueOptions(tags=("env=prod",))
    assert read_application(dev, "argocd").render.cue == CueOptions()
