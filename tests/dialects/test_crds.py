"""The CRDs: one schema for all versions, structural, complete, and committed as they are generated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trueup.dialects.compare import Lack, lacks
from trueup.dialects.crd import is_ours
from trueup.dialects.flux.crds import git_repository_crd, kustomization_crd
from trueup.dialects.generate import crd_files
from trueup.dialects.registry import crds
from trueup.dialects.schema import schema_of
from trueup.model.manifest import Manifest, labels_of, name_of

COMMITTED = Path(__file__).parents[2] / "deploy" / "crds"


def test_the_committed_files_are_current() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.yaml")}
    assert committed == crd_files(), "run `python -m trueup.dialects.generate`"


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}.{key}")


@pytest.mark.parametrize("crd", crds(), ids=name_of)
def test_a_schema_has_a_type_at_every_node(crd: Manifest) -> None:
    for version in crd["spec"]["versions"]:
        for path, schema in nodes(version["schema"]["openAPIV3Schema"]):
            free = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
            assert free or "type" in schema, path
            assert "nullable" not in schema, path
            assert "$ref" not in schema, path
            if schema.get("type") == "array":
                assert "items" in schema, path


@pytest.mark.parametrize("crd", crds(), ids=name_of)
def test_exactly_one_version_is_stored_and_all_share_a_schema(crd: Manifest) -> None:
    versions = crd["spec"]["versions"]
    assert [version["name"] for version in versions if version["storage"]] == [versions[0]["name"]]
    assert all(version["served"] for version in versions)
    assert all(version["schema"] == versions[0]["schema"] for version in versions)
    assert crd["spec"]["conversion"] == {"strategy": "None"}


def test_flux_serves_all_versions_since_v1beta1_and_stores_v1() -> None:
    for crd in (kustomization_crd(), git_repository_crd()):
        assert [version["name"] for version in crd["spec"]["versions"]] == ["v1", "v1beta2", "v1beta1"]
        assert labels_of(crd)["app.kubernetes.io/part-of"] == "flux"
        assert labels_of(crd)["app.kubernetes.io/managed-by"] == "trueup"


def test_the_application_keeps_its_status_in_the_main_object() -> None:
    application = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Application")
    version = application["spec"]["versions"][0]
    assert "subresources" not in version
    assert "operation" in version["schema"]["openAPIV3Schema"]["properties"]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == [
        "Sync Status",
        "Health Status",
        "Revision",
        "Project",
    ]


def test_descriptions_come_from_the_docstrings_under_the_fields() -> None:
    class Thing(msgspec.Struct, rename="camel"):
        is_blue: bool = False
        """Whether it is blue,
        in daylight."""
        name: str = ""

    assert schema_of(Thing)["properties"] == {
        "isBlue": {"description": "Whether it is blue, in daylight.", "type": "boolean"},
        "name": {"type": "string"},
    }


def test_our_own_crd_lacks_nothing_of_itself() -> None:
    for crd in crds():
        assert lacks(crd, crd) == ()


def changed(crd: Manifest, **properties: Any) -> Manifest:
    """The CRD with more spec fields in its first version."""
    copy: Manifest = msgspec.json.decode(msgspec.json.encode(crd))
    copy["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].update(properties)
    return copy


def test_a_field_that_only_the_installed_crd_has_is_named() -> None:
    ours = kustomization_crd()
    theirs = changed(
        ours,
        turbo={"type": "boolean"},
        images={"type": "array", "items": {"type": "object", "properties": {"arch": {"type": "string"}}}},
        commonMetadata={
            "type": "object",
            "properties": {"owner": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        path={"x-kubernetes-preserve-unknown-fields": True},
    )
    crd = "kustomizations.kustomize.toolkit.fluxcd.io"
    assert lacks(theirs, ours) == (
        Lack(crd, "v1", "spec.commonMetadata.owner"),
        Lack(crd, "v1", "spec.images[].arch"),
        Lack(crd, "v1", "spec.path.*"),
        Lack(crd, "v1", "spec.turbo"),
    )
    assert str(lacks(theirs, ours)[-1]) == f"{crd} v1: spec.turbo"


def test_a_version_that_only_the_installed_crd_serves_is_named() -> None:
    ours = git_repository_crd()
    theirs: Manifest = msgspec.json.decode(msgspec.json.encode(ours))
    theirs["spec"]["versions"].append({"name": "v2", "served": True, "storage": False, "schema": {}})
    theirs["spec"]["versions"].append({"name": "v1alpha1", "served": False, "storage": False, "schema": {}})
    assert [str(lack) for lack in lacks(theirs, ours)] == ["gitrepositories.source.toolkit.fluxcd.io: version v2"]


def test_what_is_kept_without_a_schema_lacks_nothing() -> None:
    application = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Application")
    theirs: Manifest = msgspec.json.decode(msgspec.json.encode(application))
    status = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    status["history"]["items"]["properties"]["source"] = {"type": "object", "properties": {"helm": {"type": "object"}}}
    assert lacks(theirs, application) == ()


def test_our_crds_are_told_from_the_originals_by_a_label() -> None:
    for crd in crds():
        assert is_ours(crd)
        original = {**crd, "metadata": {"name": name_of(crd), "labels": {"app.kubernetes.io/part-of": "flux"}}}
        assert not is_ours(original)
