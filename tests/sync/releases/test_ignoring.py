"""What drift detection leaves out: pointers, the objects that they are for, and label selectors."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput
from trueup.model.release import IgnoreRule
from trueup.model.rendering import PatchTarget
from trueup.sync.labelselector import matches
from trueup.sync.releases.ignoring import check_target, ignored_paths, is_ignored, is_target, with_live_values

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": {"note": "a"}},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "nginx:1"}]}}},
}


@pytest.mark.parametrize(
    ("target", "picked"),
    [
        (None, True),
        (PatchTarget(kind="Deployment"), True),
        (PatchTarget(kind="Deploy"), False),
        (PatchTarget(kind="(StatefulSet|Deployment)"), True),
        (PatchTarget(group="apps", version="v1"), True),
        (PatchTarget(group="batch"), False),
        (PatchTarget(name="we.*", namespace="shop"), True),
        (PatchTarget(namespace="sho"), False),
        (PatchTarget(label_selector="app in (web, api)"), True),
        (PatchTarget(label_selector="app!=web"), False),
        (PatchTarget(annotation_selector="note"), True),
    ],
)
def test_a_rule_is_for_the_objects_that_its_target_picks(target: PatchTarget | None, picked: bool) -> None:
    rules = [IgnoreRule(paths=("/spec/replicas",), target=target)]
    assert (ignored_paths(rules, DEPLOYMENT) == ("/spec/replicas",)) is picked


@pytest.mark.parametrize(
    ("field", "pointer", "ignored"),
    [
        ("spec.replicas", "/spec/replicas", True),
        ("spec.replicas", "/spec", True),
        ("spec.replicas", "", True),
        ("spec.paused", "/spec/replicas", False),
        ("spec.replicasMore", "/spec/replicas", False),
        ("metadata.annotations[example.com/a]", "/metadata/annotations/example.com~1a", True),
        ("metadata.annotations[example.com/b]", "/metadata/annotations/example.com~1a", False),
        ("spec.template.spec.containers[name=web].image", "/spec/template/spec/containers/0/image", True),
        ("spec.template.spec.containers[name=web].image", "/spec/template/spec/containers/0/args", False),
    ],
)
def test_a_changed_field_is_ignored_at_or_below_a_pointer(field: str, pointer: str, ignored: bool) -> None:
    assert is_ignored(field, [pointer]) is ignored


def test_ignored_fields_are_sent_as_they_are_live_and_nothing_else_is_touched() -> None:
    live = {"spec": {"replicas": 7, "paused": True, "template": {"spec": {"containers": [{"image": "nginx:9"}]}}}}
    sent = with_live_values(DEPLOYMENT, live, ["/spec/replicas", "/spec/paused", "/spec/gone", ""])
    assert sent["spec"]["replicas"] == 7
    assert "paused" not in sent["spec"], "what the manifest does not declare is not made"
    assert DEPLOYMENT["spec"] != sent["spec"], "the declared manifest is not changed"
    image = with_live_values(DEPLOYMENT, live, ["/spec/template/spec/containers/0/image"])
    assert image["spec"]["template"]["spec"]["containers"][0] == {"name": "web", "image": "nginx:9"}


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ("", True),
        ("app=web", True),
        ("app == web", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (api, web)", True),
        ("app notin (api,web)", False),
        ("missing notin (web)", True),
        ("app", True),
        ("!app", False),
        ("! missing", True),
        ("app=web,tier=front", True),
        ("app=web, tier=back", False),
        ("example.com/part in (a)", True),
    ],
)
def test_label_selectors_mean_what_kubernetes_means(selector: str, holds: bool) -> None:
    assert matches(selector, {"app": "web", "tier": "front", "example.com/part": "a"}) is holds


@pytest.mark.parametrize("selector", ["app=web,", "in (a)", "a b", "a in b", "=x", ",a"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(InvalidInput):
        matches(selector, {})


@pytest.mark.timeout(20)
def test_a_pattern_of_a_tenant_costs_no_more_than_the_name_is_long() -> None:
    target = PatchTarget(name="(a*)*b")
    check_target(target, "target")
    assert not is_target(target, {**DEPLOYMENT, "metadata": {"name": "a" * 253}})


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (PatchTarget(name="("), "target.name"),
        (PatchTarget(kind="(?=Deployment)"), "target.kind"),
        (PatchTarget(label_selector="app in"), "target.labelSelector"),
        (PatchTarget(annotation_selector="=,"), "target.annotationSelector"),
    ],
)
def test_what_is_no_selector_is_refused_by_its_field(target: PatchTarget, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_target(target, "target")
    assert refused.value.field == field
