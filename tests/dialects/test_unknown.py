"""Fields that no version of a resource has."""

from __future__ import annotations

from typing import Any

import pytest

from trueup.dialects.registry import crds
from trueup.dialects.schema import schema_of
from trueup.dialects.unknown import SPECS, unknown_fields


def release(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "web", "namespace": "shop", "whatever": 1},
        "spec": {"interval": "1m", **spec},
    }


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (release(values={"any": {"thing": 1}}, valuesFrom=[{"kind": "Secret", "name": "a", "optional": True}]), []),
        (release(upgrde={}), ["spec.upgrde: there is no such field\n  try: did you mean upgrade?"]),
        (
            release(upgrade={"remediation": {"retry": 1}}),
            ["spec.upgrade.remediation.retry: there is no such field\n  try: did you mean retries?"],
        ),
        (
            release(postRenderers=[{}, {"kustomize": {"patches": [{"patch": "", "wrong": 1}]}}]),
            [
                "spec.postRenderers[1].kustomize.patches[0].wrong: there is no such field\n  try: there are patch, target"
            ],
        ),
        ({**release(), "spec2": {}}, ["spec2: there is no such field\n  try: did you mean spec?"]),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "spec": {"a": 1}}, []),
        ({**release(), "spec": ["no", "mapping"]}, []),
    ],
)
def test_a_field_that_there_is_not_is_named_with_what_there_is(obj: dict[str, Any], said: list[str]) -> None:
    assert [str(error).removeprefix("HelmRelease/shop/web: ") for error in unknown_fields(obj)] == said


def test_every_kind_is_known_by_the_schema_of_its_definition() -> None:
    found = {}
    for crd in crds():
        spec = crd["spec"]
        found[f"{spec['names']['kind']}.{spec['group']}"] = spec["versions"][0]["schema"]["openAPIV3Schema"][
            "properties"
        ]
    assert {str(kind): schema_of(spec) for kind, spec in SPECS.items()} == {
        kind: top["spec"] for kind, top in found.items()
    }
    assert {name for top in found.values() for name in top} == {
        "apiVersion",
        "kind",
        "metadata",
        "operation",
        "spec",
        "status",
    }
