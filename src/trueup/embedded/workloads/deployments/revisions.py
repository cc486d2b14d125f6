"""New ReplicaSets, and the revision books that Deployment and ReplicaSets keep in annotations. Pure."""

from __future__ import annotations

from typing import Any

from trueup.embedded.workloads.deployments.state import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    State,
    max_surge,
    replicas_of,
    revision_of,
)
from trueup.embedded.workloads.objects import controller_reference, count_of, mapping_of
from trueup.embedded.workloads.templates import template_hash
from trueup.embedded.workloads.writes import clone
from trueup.model.manifest import Manifest, annotations_of, name_of, namespace_of, spec_of

_OWN = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
}
_HISTORY_LIMIT = 2000


def next_revision(state: State) -> int:
    return max((revision_of(each) for each in state.old), default=0) + 1


def new_replica_set(state: State, replicas: int) -> Manifest:
    """The ReplicaSet for the current template."""
    deployment = state.deployment
    spec = spec_of(deployment)
    template = clone(spec.get("template") or {})
    marked = template_hash(template, count_of(deployment, "status", "collisionCount"))
    labels = {**mapping_of(template, "metadata", "labels"), "pod-template-hash": marked}
    template["metadata"] = {**mapping_of(template, "metadata"), "labels": labels}
    selector = clone(spec.get("selector") or {})
    selector["matchLabels"] = {**mapping_of(selector, "matchLabels"), "pod-template-hash": marked}
    wanted: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        wanted["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{marked}",
            "namespace": namespace_of(deployment),
            "labels": dict(labels),
            "annotations": {
                **_copied(deployment),
                REVISION: str(next_revision(state)),
                **size_annotations(deployment),
            },
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": wanted,
    }


def _copied(deployment: Manifest) -> dict[str, str]:
    return {key: value for key, value in annotations_of(deployment).items() if key not in _OWN}


def size_annotations(deployment: Manifest) -> dict[str, str]:
    """What a ReplicaSet remembers of the Deployment's size, so that scaling during a rollout keeps proportions."""
    wanted = replicas_of(deployment)
    return {DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + max_surge(deployment) if wanted else 0)}


def kept_books(state: State) -> Manifest | None:
    """The new ReplicaSet with its annotations and `minReadySeconds` as they should be; None when they are."""
    assert state.new is not None
    annotations = dict(annotations_of(state.new))
    wanted = {**annotations, **_copied(state.deployment)}
    revision, before = next_revision(state), revision_of(state.new)
    if before < revision:
        wanted[REVISION] = str(revision)
        if before:  # a rollback: the template had a revision already
            history = [each for each in annotations.get(REVISION_HISTORY, "").split(",") if each]
            wanted[REVISION_HISTORY] = ",".join([*history, str(before)])[-_HISTORY_LIMIT:]
    ready_seconds = spec_of(state.deployment).get("minReadySeconds") or 0
    if wanted == annotations and ready_seconds == (spec_of(state.new).get("minReadySeconds") or 0):
        return None
    metadata = {**state.new["metadata"], "annotations": wanted}
    spec = {key: value for key, value in state.new["spec"].items() if key != "minReadySeconds"}
    if ready_seconds:
        spec["minReadySeconds"] = ready_seconds
    return {**state.new, "metadata": metadata, "spec": spec}
