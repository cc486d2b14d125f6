"""Every case of `health_cases/`: an object, the time, and what both families of rules say of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.model.health import Health, Kstatus
from trueup.sync.health import NOT_FOUND, argocd, judge, kstatus, next_look, status_for_wait

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)


def cases() -> Iterator[Any]:
    for path in sorted((Path(__file__).parent / "health_cases").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        for case in document["cases"]:
            base = {key: document[key] for key in ("apiVersion", "kind") if key in document}
            obj = laid_over(laid_over(base, document.get("base", {})), case["object"])
            obj["metadata"] = {"name": "web", "namespace": "shop"} | obj.get("metadata", {})
            now = datetime.fromisoformat(case["now"]) if "now" in case else NOW
            yield pytest.param(obj, now, case["expect"], id=f"{path.stem}: {case['title']}")


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = laid_over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


@pytest.mark.parametrize(("obj", "now", "expect"), list(cases()))
def test_the_verdict_is_that_of_both_families(obj: dict[str, Any], now: datetime, expect: dict[str, Any]) -> None:
    verdict = judge(obj, now)

    found = {
        "kstatus": str(verdict.kstatus),
        "health": str(verdict.health) if verdict.health else None,
        "message": verdict.message,
        "rule": verdict.rule,
    }
    if "wait" in expect:
        found["wait"] = str(status_for_wait(verdict))
    assert found == expect


def test_there_are_many_cases() -> None:
    assert len(list(cases())) >= 120


def test_a_missing_object_is_not_found_and_missing() -> None:
    assert judge(None, NOW) == NOT_FOUND
    assert (NOT_FOUND.kstatus, NOT_FOUND.health) == (Kstatus.NOT_FOUND, Health.MISSING)


def test_only_a_pod_that_may_yet_be_scheduled_is_looked_at_again_without_an_event() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
        },
    }
    created = datetime(2026, 1, 1, tzinfo=UTC)

    assert next_look(pod, created + timedelta(seconds=3)) == created + timedelta(seconds=15)
    assert next_look(pod, created + timedelta(seconds=15)) is None
    assert next_look({"apiVersion": "v1", "kind": "ConfigMap"}, created) is None


FIELDS = [
    "conditions",
    "type",
    "status",
    "reason",
    "phase",
    "replicas",
    "containerStatuses",
    "state",
    "waiting",
    "terminated",
    "observedGeneration",
    "loadBalancer",
    "ingress",
    "updateStrategy",
    "rollingUpdate",
    "partition",
    "finalizers",
    "annotations",
    "deletionTimestamp",
    "active",
    "generation",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.sampled_from(["True", "False", "Running", "Failed", "x", ""]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), below, max_size=5),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted({*argocd.RULES, *kstatus.RULES, ("example.com", "Widget")})),
    metadata=JSON,
    spec=JSON,
    status=JSON,
)
def test_no_manifest_is_too_odd_to_be_judged(kind: tuple[str, str], metadata: Any, spec: Any, status: Any) -> None:
    group, name = kind
    obj = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": name,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }

    verdict = judge(obj, NOW)

    assert verdict.rule
    assert verdict.kstatus in Kstatus
