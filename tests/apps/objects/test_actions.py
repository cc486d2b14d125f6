"""What may be done with an object, and what that writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from trueup.apps.objects.actions import Creation, Patch, Replacement, actions_of, effect_of
from trueup.model.errors import InvalidInput
from trueup.model.refs import GroupKind

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
DEPLOYMENT = GroupKind("apps", "Deployment")


def obj(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "web", "namespace": "shop", "uid": "u1"}, "spec": spec}


def test_a_restart_is_what_kubectl_writes() -> None:
    effect = effect_of("restart", obj("Deployment"), DEPLOYMENT, {}, NOW)
    assert effect == Patch(
        {
            "spec": {
                "template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-03-01T12:30:00Z"}}}
            }
        }
    )


def test_an_action_that_would_change_nothing_is_shown_as_disabled() -> None:
    found = {action.name: action.disabled for action in actions_of(obj("Deployment", paused=True), DEPLOYMENT)}
    assert found == {"restart": False, "scale": False, "pause": True, "resume": False}


def test_scaling_begins_with_what_holds_now() -> None:
    scale = next(action for action in actions_of(obj("Deployment", replicas=3), DEPLOYMENT) if action.name == "scale")
    assert scale.parameters[0].default == "3"
    assert effect_of("scale", obj("Deployment"), DEPLOYMENT, {"replicas": "5"}, NOW) == Patch({"spec": {"replicas": 5}})


@pytest.mark.parametrize("replicas", ["", "-1", "many", "1.5", "99999", "٣", "9" * 5000])
def test_replicas_that_are_no_number_are_refused(replicas: str) -> None:
    with pytest.raises(InvalidInput):
        effect_of("scale", obj("Deployment"), DEPLOYMENT, {"replicas": replicas}, NOW)


def test_unknown_actions_and_parameters_are_named() -> None:
    with pytest.raises(InvalidInput, match="no action explode"):
        effect_of("explode", obj("Deployment"), DEPLOYMENT, {}, NOW)
    with pytest.raises(InvalidInput, match="takes no speed"):
        effect_of("restart", obj("Deployment"), DEPLOYMENT, {"speed": "1"}, NOW)
    with pytest.raises(InvalidInput, match="has no action"):
        effect_of("restart", obj("ConfigMap"), GroupKind("", "ConfigMap"), {}, NOW)


def test_a_cronjob_runs_now_as_a_job_of_its_own() -> None:
    cronjob = obj("CronJob", jobTemplate={"metadata": {"labels": {"a": "b"}}, "spec": {"backoffLimit": 1}})
    cronjob["metadata"]["name"] = "n" * 60
    effect = effect_of("create-job", cronjob, GroupKind("batch", "CronJob"), {}, NOW)
    assert isinstance(effect, Creation)
    metadata = effect.manifest["metadata"]
    assert len(metadata["name"]) <= 63
    assert metadata["ownerReferences"][0]["uid"] == "u1"
    assert effect.manifest["spec"] == {"backoffLimit": 1}


def test_a_pod_is_replaced_only_where_something_makes_it_anew() -> None:
    pod = obj("Pod")
    with pytest.raises(InvalidInput, match="nothing would make"):
        effect_of("restart", pod, GroupKind("", "Pod"), {}, NOW)
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet"}]
    assert effect_of("restart", pod, GroupKind("", "Pod"), {}, NOW) == Replacement()
