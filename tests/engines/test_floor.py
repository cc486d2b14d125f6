"""The floor of the render benchmark has the libraries of our engines, or its ratios would compare two different things."""

from __future__ import annotations

import pytest

from tests.peers.pins import TOOLS, parse_pin

ROOT = TOOLS.parent


@pytest.mark.parametrize(
    ("engine", "module"),
    [
        ("helm", "helm.sh/helm/v4"),
        ("kustomize", "sigs.k8s.io/kustomize/api"),
        ("kustomize", "sigs.k8s.io/kustomize/kyaml"),
    ],
)
def test_the_libraries_of_the_floor_are_those_of_the_engines(engine: str, module: str) -> None:
    ours, theirs = (
        (ROOT / folder / engine / "go.mod").read_text(encoding="utf-8") for folder in ("engines", "bench/libraries")
    )
    assert parse_pin(ours, module) == parse_pin(theirs, module)


def test_the_kustomize_that_we_compare_with_has_our_library() -> None:
    ours, theirs = (
        (ROOT / folder / "kustomize" / "go.mod").read_text(encoding="utf-8") for folder in ("engines", "tools")
    )
    module = "sigs.k8s.io/kustomize/api"
    assert parse_pin(ours, module).version == parse_pin(theirs, module).version
