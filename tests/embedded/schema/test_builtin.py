"""The schemas that Kubernetes brings, as our data files have them."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from trueup.embedded.gowords import go_float, quoted
from trueup.embedded.schema import (
    BuiltinSchemas,
    SchemaNode,
    apply_defaults,
    prune,
    structural,
    unknown_fields,
    validate,
    zero_object,
)


@cache
def schemas() -> BuiltinSchemas:
    return BuiltinSchemas.load()


def node(group: str, kind: str, *path: str) -> SchemaNode:
    found = schemas().node(group, "v1", kind)
    for name in path:
        assert found is not None
        found = found.items if name == "[]" else found.child(name)
    assert found is not None
    return found


def test_a_document_is_decoded_when_a_kind_of_it_is_first_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def counting(data: bytes) -> bytes:
        decoded.append(len(data))
        return real(data)

    real = gzip.decompress
    monkeypatch.setattr(gzip, "decompress", counting)
    loaded = BuiltinSchemas.load()
    assert decoded == []
    for kind in ("Deployment", "StatefulSet", "Deployment"):
        assert loaded.node("apps", "v1", kind) is not None
    assert len(decoded) == 1


def test_missing_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="schema data is missing"):
        BuiltinSchemas.load(tmp_path / "none")


@pytest.mark.parametrize(
    "gvk", [("", "v1", "Nothing"), ("example.com", "v1", "X"), ("../..", "v1", "X"), ("apps", "v9", "X")]
)
def test_a_kind_that_kubernetes_lacks_has_no_schema(gvk: tuple[str, str, str]) -> None:
    assert schemas().node(*gvk) is None


def test_lists_know_how_their_items_are_told_apart() -> None:
    pod = ("spec", "template", "spec")
    containers = node("apps", "Deployment", *pod, "containers")
    assert (containers.list_type, containers.list_keys, containers.patch_merge_key) == ("map", ("name",), "name")
    ports = node("apps", "Deployment", *pod, "containers", "[]", "ports")
    assert ports.list_keys == ("containerPort", "protocol")
    assert node("apps", "Deployment", *pod, "tolerations").is_list_atomic
    assert node("", "ConfigMap", "metadata", "finalizers").list_type == "set"


def test_maps_know_whether_they_are_owned_whole() -> None:
    assert node("apps", "Deployment", "spec", "selector").is_map_atomic
    assert not node("apps", "Deployment", "spec", "strategy").is_map_atomic


def test_documents_share_the_nodes_of_their_definitions() -> None:
    template = ("spec", "template", "spec", "containers")
    assert node("apps", "Deployment", *template).items is node("apps", "StatefulSet", *template).items
    assert node("apps", "Deployment", *template).items is node("batch", "Job", *template).items


def test_a_recursive_definition_can_be_walked() -> None:
    schema = node(
        "apiextensions.k8s.io", "CustomResourceDefinition", "spec", "versions", "[]", "schema", "openAPIV3Schema"
    )
    deep = schema
    for _ in range(10):
        below = deep.properties["properties"].additional
        assert below is not None
        deep = below
    assert deep.properties["type"].type == "string"


DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "creationTimestamp": None},
    "spec": {
        "selector": {},
        "template": {
            "spec": {
                "containers": [{"name": "web", "image": "x", "ports": [{"containerPort": 80}], "resources": None}],
                "volumes": [{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "p", "zzz": 1}]}}],
                "affinity": None,
            }
        },
    },
}


def test_built_in_defaults_are_those_that_the_schema_says() -> None:
    spec = apply_defaults(node("apps", "Deployment"), DEPLOYMENT)["spec"]
    [container] = spec["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert container["resources"] == {}
    assert spec["strategy"] == {}
    assert "affinity" not in spec["template"]["spec"]
    assert DEPLOYMENT["spec"]["template"]["spec"]["affinity"] is None


def test_unknown_fields_of_a_built_in_kind_are_named() -> None:
    found = unknown_fields(node("apps", "Deployment"), DEPLOYMENT)
    assert found == ["spec.template.spec.volumes[0].configMap.items[0].zzz"]


def test_free_form_parts_of_built_in_kinds_are_kept() -> None:
    crd_schema = {"type": "object", "properties": {"a": {"type": "object", "default": {"x": 1}}}}
    crd = {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": crd_schema}}]}}
    assert unknown_fields(node("apiextensions.k8s.io", "CustomResourceDefinition"), crd) == []
    revision = {"data": {"spec": {"anything": [1]}}, "revision": 1}
    assert unknown_fields(node("apps", "ControllerRevision"), revision) == []


def test_a_wrong_type_of_a_built_in_kind_is_told_with_its_path() -> None:
    wrong = {"spec": {"replicas": "3", "selector": {}, "template": {"spec": {"containers": [{"name": 1}]}}}}
    found = {error.path: error.reason for error in validate(node("apps", "Deployment"), wrong)}
    assert found == {
        "spec.replicas": "FieldValueTypeInvalid",
        "spec.template.spec.containers[0].name": "FieldValueTypeInvalid",
    }


@pytest.mark.parametrize("value", ["100m", 1, 0.5, "1Gi"])
def test_a_quantity_may_be_text_or_a_number(value: Any) -> None:
    limits = {"spec": {"hard": {"cpu": value}}}
    assert validate(node("", "ResourceQuota"), limits) == []


def test_what_needs_nothing_done_is_given_back_itself() -> None:
    deployment = node("apps", "Deployment")
    whole = apply_defaults(deployment, prune(deployment, DEPLOYMENT)[0])
    assert apply_defaults(deployment, whole) is whole
    assert prune(deployment, whole)[0] is whole


def test_an_empty_object_has_what_go_cannot_omit() -> None:
    zero = zero_object(node("apps", "Deployment"))
    assert zero["spec"]["template"]["spec"] == {"containers": None}
    assert zero["spec"]["strategy"] == {}
    assert zero_object(structural({"type": "object"})) == {}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5"),
        (1000000.0, "1e+06"),
        (1234567.5, "1.2345675e+06"),
        (0.3, "0.3"),
        (1e-5, "1e-05"),
        (-2.5, "-2.5"),
        (0.0, "0"),
    ],
)
def test_floats_are_shown_as_go_shows_them(number: float, text: str) -> None:
    assert go_float(number) == text


def test_strings_are_quoted_as_go_quotes_them() -> None:
    assert quoted('a"b\\c\n\x01é\u200b') == '"a\\"b\\\\c\\n\\x01é\\u200b"'
