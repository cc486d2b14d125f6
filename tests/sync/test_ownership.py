"""Whose fields are taken over, and by which patch."""

from __future__ import annotations

import pytest

from tests.sync.cluster import Cluster
from tests.sync.world import SETTINGS, config_map, ref, rules
from trueup.model.app import Owner
from trueup.model.manifest import Manifest, resource_version_of
from trueup.sync.marks import Ownership, declared_by, ownership, tracking_id
from trueup.sync.ownership import matches, takeover_managers_of, takeover_patch

MANAGERS = rules().takeover_managers
US = "kustomize-controller"


def written_by(*managers: str) -> Manifest:
    cluster = Cluster()
    first, *others = managers
    cluster.put(config_map(), manager=first)
    for index, manager in enumerate(others):
        cluster.update(SETTINGS, lambda obj, index=index: obj["data"].update({f"k{index}": "v"}), manager=manager)  # type: ignore[misc]
    return cluster.objects[SETTINGS]


@pytest.mark.parametrize(
    ("manager", "expected"),
    [
        ("kubectl", True),
        ("kubectl-client-side-apply", True),
        ("before-first-apply", True),
        ("helm", False),
        ("before-first-apply-x", False),
        ("flux-client-side-apply", False),
    ],
)
def test_patterns_match_whole_names_or_beginnings(manager: str, expected: bool) -> None:
    assert matches(manager, MANAGERS) is expected


def test_nothing_is_to_do_where_only_strangers_wrote() -> None:
    assert takeover_patch(written_by("helm", "operator"), US, MANAGERS, "v1") is None


def test_our_own_updates_of_old_are_folded_too() -> None:
    obj = written_by(US, "operator")

    assert takeover_managers_of(obj, US, ()) == (US,)


def test_a_scale_through_the_subresource_is_not_taken_over() -> None:
    cluster = Cluster()
    cluster.put(config_map(), manager="helm")
    cluster.update(SETTINGS, lambda obj: obj["data"].update(a="1"), manager="kubectl", subresource="scale")

    assert takeover_managers_of(cluster.objects[SETTINGS], US, MANAGERS) == ()


def test_the_patch_holds_only_for_the_object_that_was_read() -> None:
    obj = written_by("kubectl-edit", "kubectl-patch", "operator")
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}

    patch = takeover_patch(obj, US, MANAGERS, "v1")

    assert patch is not None
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version_of(obj)}
    rows = patch[1]["value"]
    assert [(row["manager"], row["operation"]) for row in rows] == [("operator", "Update"), (US, "Apply")]
    assert set(rows[-1]["fieldsV1"]["f:data"]) >= {"f:k0"}
    assert patch[2] == {
        "op": "remove",
        "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    }


# --- owner marks ---

FLUX = Owner({"name": "shop", "namespace": "flux-system"})
ARGO = Owner(tracking_id_prefix="shop:")
CM = ref("ConfigMap", "settings")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"name": "shop", "namespace": "flux-system", "x": "y"}, Ownership.OURS),
        ({"name": "shop"}, Ownership.NOBODYS),
        ({"name": "shop", "namespace": "other"}, Ownership.OTHERS),
        ({"name": "other", "namespace": "flux-system"}, Ownership.OTHERS),
        ({}, Ownership.NOBODYS),
    ],
)
def test_every_label_must_match(labels: dict[str, str], expected: Ownership) -> None:
    assert ownership(FLUX, CM, labels, {}) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop:/ConfigMap:shop/settings", Ownership.OURS),
        ("other:/ConfigMap:shop/settings", Ownership.OTHERS),
        ("shop:/ConfigMap:shop/another", Ownership.NOBODYS),
        ("shop:apps/ConfigMap:shop/settings", Ownership.NOBODYS),
        ("", Ownership.NOBODYS),
    ],
)
def test_a_tracking_annotation_counts_only_on_the_object_that_it_names(text: str, expected: Ownership) -> None:
    assert ownership(ARGO, CM, {}, {"argocd.argoproj.io/tracking-id": text}) is expected


def test_an_owner_without_marks_owns_nothing() -> None:
    assert ownership(Owner(), CM, {}, {}) is Ownership.NOBODYS


def test_with_both_kinds_of_mark_both_must_hold() -> None:
    both = Owner({"name": "shop"}, "shop:")
    note = {"argocd.argoproj.io/tracking-id": tracking_id(both, CM)}

    assert ownership(both, CM, {"name": "shop"}, note) is Ownership.OURS
    assert ownership(both, CM, {}, note) is Ownership.NOBODYS


@pytest.mark.parametrize(
    ("labels", "annotations", "named"),
    [
        ({}, {}, ""),
        ({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}, {}, "flux-system/apps"),
        ({"helm.toolkit.fluxcd.io/name": "redis"}, {}, "/redis"),
        ({}, {"argocd.argoproj.io/tracking-id": "guestbook:/ConfigMap:shop/settings"}, "guestbook"),
        ({}, {"argocd.argoproj.io/tracking-id": "guestbook:/ConfigMap:shop/another"}, ""),
    ],
)  # fmt: skip
def test_the_app_that_declares_an_object_is_named_for_people(
    labels: dict[str, str], annotations: dict[str, str], named: str
) -> None:
    obj: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop", "labels": labels, "annotations": annotations},
    }
    assert declared_by(obj) == named
