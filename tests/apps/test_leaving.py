"""How the objects of an App stay when it goes: in the words that its kind has."""

from __future__ import annotations

from typing import Any

import pytest

from trueup.apps.leaving import leaving_patch
from trueup.dialects.dialect import Dialect
from trueup.dialects.registry import all_dialects
from trueup.model.errors import InvalidInput

KINDS = {one.app_kind.kind: one for one in all_dialects()}


def app(kind: str, *finalizers: str) -> dict[str, Any]:
    served = KINDS[kind].app_kind
    metadata = {"name": "a", "namespace": "b", "finalizers": list(finalizers)}
    return {"apiVersion": served.api_version, "kind": kind, "metadata": metadata}


def schema_of(dialect: Dialect) -> dict[str, Any]:
    """Of the spec, as the API server has it: what is not in it is dropped in silence."""
    served = dialect.app_kind
    crd = next(one for one in dialect.crds() if one["metadata"]["name"] == served.crd_name)
    version = next(one for one in crd["spec"]["versions"] if one["name"] == served.version)
    properties: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return properties


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_app_has_a_way_and_only_fields_that_it_has(kind: str) -> None:
    patch = leaving_patch(app(kind, "resources-finalizer.argocd.argoproj.io"), KINDS[kind])
    assert patch is not None
    assert set(patch.get("spec", {})) <= set(schema_of(KINDS[kind]))


def test_a_helm_release_is_suspended_for_it_has_no_deletion_policy() -> None:
    assert leaving_patch(app("HelmRelease"), KINDS["HelmRelease"]) == {"spec": {"suspend": True}}


def test_a_kustomization_orphans() -> None:
    assert leaving_patch(app("Kustomization"), KINDS["Kustomization"]) == {"spec": {"deletionPolicy": "Orphan"}}


def test_an_application_without_our_finalizer_leaves_them_as_it_is() -> None:
    assert leaving_patch(app("Application", "somebody.example.com/theirs"), KINDS["Application"]) is None
    patch = leaving_patch(
        app("Application", "somebody.example.com/theirs", "resources-finalizer.argocd.argoproj.io"),
        KINDS["Application"],
    )
    assert patch == {"metadata": {"finalizers": ["somebody.example.com/theirs"]}}


def test_a_kind_of_which_nobody_knows_is_not_deleted() -> None:
    with pytest.raises(InvalidInput, match="nobody knows"):
        leaving_patch(
            {"apiVersion": "x.example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}, KINDS["Kustomization"]
        )
