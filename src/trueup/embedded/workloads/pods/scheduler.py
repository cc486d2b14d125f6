"""Where a pod goes: the nodes that it may run on by selector, affinity, taints and name, the emptiest first. Pure, but for
`decide`. Resource requests, spreading and pod affinity are not looked at: simulated nodes have room for everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.clock import stamp
from trueup.embedded.workloads.controller import Controller, Trigger
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from trueup.embedded.workloads.objects import condition_is, dig, mapping_of, rows_of, with_condition
from trueup.embedded.workloads.pods.podclaims import PodClaims, claims_for
from trueup.embedded.workloads.podstate import claims_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Say, Update, Work, status_write
from trueup.model.manifest import (
    Manifest,
    generation_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)

COMPONENT = "default-scheduler"
NO_CLAIMS = PodClaims()


def misfit(pod: Manifest, node: Manifest) -> str:
    """Why the pod may not run on the node, in the scheduler's words; empty when it may."""
    if spec_of(node).get("unschedulable") and not _tolerates(pod, _CORDONED):
        return "node(s) were unschedulable"
    for taint in rows_of(node, "spec", "taints"):
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not _tolerates(pod, taint):
            return f"node(s) had untolerated taint(s) {{{taint.get('key')}: {taint.get('value') or ''}}}"
    if not fits_selector(pod, node):
        return "node(s) didn't match Pod's node affinity/selector"
    if not condition_is(node, "Ready"):
        return "node(s) were not ready"
    return ""


_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def fits_selector(pod: Manifest, node: Manifest) -> bool:
    """`nodeSelector` and the required node affinity."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in mapping_of(pod, "spec", "nodeSelector").items()):
        return False
    required = dig(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = rows_of(required, "nodeSelectorTerms")
    return required is None or any(_fits_term(term, node) for term in terms)


def _fits_term(term: dict[str, Any], node: Manifest) -> bool:
    fields = {"metadata.name": name_of(node)}
    by_label, by_field = rows_of(term, "matchExpressions"), rows_of(term, "matchFields")
    return (
        bool(by_label or by_field)
        and all(_meets(labels_of(node).get(str(row.get("key"))), row) for row in by_label)
        and all(_meets(fields.get(str(row.get("key"))), row) for row in by_field)
    )


def _meets(value: str | None, row: dict[str, Any]) -> bool:
    values = row.get("values") or []
    match row.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            if value is None or not value.isdigit() or not values or not str(values[0]).isdigit():
                return False
            return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
        case _:
            return False


def _tolerates(pod: Manifest, taint: dict[str, Any]) -> bool:
    for each in rows_of(pod, "spec", "tolerations"):
        same_effect = not each.get("effect") or each.get("effect") == taint.get("effect")
        same_key = not each.get("key") or each.get("key") == taint.get("key")
        is_any = each.get("operator") == "Exists"
        if same_effect and same_key and (is_any or (each.get("value") or "") == (taint.get("value") or "")):
            return True
    return False


def choose(
    pod: Manifest, nodes: Sequence[Manifest], load: Counter[str], claims: PodClaims = NO_CLAIMS
) -> Manifest | None:
    """The fitting node with the fewest pods, by name among equals; None when none fits."""
    if claims.hindrance:
        return None
    fitting = [node for node in nodes if not (misfit(pod, node) or claims.misfit(node, _fits_term))]
    return min(fitting, key=lambda node: (load[name_of(node)], name_of(node)), default=None)


def refusal(pod: Manifest, nodes: Sequence[Manifest], claims: PodClaims = NO_CLAIMS) -> str:
    """`0/2 nodes are available: ...`, as the scheduler says it."""
    total = len(nodes)
    if not total:
        return "no nodes available to schedule pods"
    if claims.hindrance:
        return f"0/{total} nodes are available: {claims.hindrance}. not found"
    reasons = Counter(misfit(pod, node) or claims.misfit(node, _fits_term) for node in nodes)
    counted = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    preempt = f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    return f"0/{total} nodes are available: {counted}. {preempt}"


def place(
    pod: Manifest, nodes: Sequence[Manifest], load: Counter[str], now: str, claims: PodClaims = NO_CLAIMS
) -> Work:
    """Binds the pod, or says why it cannot be placed; claims that waited for it come first."""
    if (chosen := choose(pod, nodes, load, claims)) is not None:
        if claims.waiting:
            return Work(claims.choose(chosen, _fits_term))
        node = name_of(chosen)
        load[node] += 1
        bound = {**pod, "spec": {**pod["spec"], "nodeName": node}}
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        return Work((Update(PODS, bound), Say(pod, "Scheduled", message, COMPONENT)))
    message = refusal(pod, nodes, claims)
    said: dict[str, Any] = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    if generation_of(pod):
        said["observedGeneration"] = generation_of(pod)
    rows = with_condition(rows_of(pod, "status", "conditions"), {**said, "lastProbeTime": None}, now)
    writes = status_write(PODS, pod, {**status_of(pod), "phase": "Pending", "conditions": rows})
    return Work((*writes, Say(pod, "FailedScheduling", message, COMPONENT, "Warning"))) if writes else NOTHING


class Scheduler:
    """Keeps count of the pods per node; the count only balances, so it may start from nothing."""

    def __init__(self) -> None:
        self._load: Counter[str] = Counter()

    def decide(self, view: View, key: Key) -> Work:
        pod = view.get(PODS, *key)
        if pod is None or is_deleting(pod) or spec_of(pod).get("nodeName"):
            return NOTHING
        if rows_of(pod, "spec", "schedulingGates") or spec_of(pod).get("schedulerName", COMPONENT) != COMPONENT:
            return NOTHING
        return place(pod, list(view.list(NODES)), self._load, stamp(view.now), claims_for(view, pod))

    def controller(self) -> Controller:
        return Controller(
            name="scheduler",
            decide=self.decide,
            triggers=(
                Trigger(PODS, self._pods),
                Trigger(NODES, _waiting_pods),
                Trigger(PERSISTENT_VOLUME_CLAIMS, _pods_of_claim),
                Trigger(PERSISTENT_VOLUMES, _pods_with_claims),
            ),
        )

    def _pods(self, _: View, happened: Happened) -> Iterable[Key]:
        if happened.new is None:
            node = str(spec_of(happened.newest).get("nodeName") or "")
            self._load[node] = max(self._load[node] - 1, 0)
            return ()
        return () if spec_of(happened.new).get("nodeName") else (happened.key,)


def _waiting_pods(view: View, happened: Happened) -> Iterable[Key]:
    """A node that came, changed or went may make room for pods that wait."""
    if happened.new is not None and happened.old is not None and not _may_matter(happened.new, happened.old):
        return ()
    return [Key(namespace_of(pod), name_of(pod)) for pod in view.list(PODS) if not spec_of(pod).get("nodeName")]


def _pods_of_claim(view: View, happened: Happened) -> Iterable[Key]:
    """Pods that wait for the claim."""
    claim = happened.newest
    return [
        Key(namespace_of(pod), name_of(pod))
        for pod in view.list(PODS, namespace_of(claim))
        if not spec_of(pod).get("nodeName") and name_of(claim) in claims_of(pod)
    ]


def _pods_with_claims(view: View, happened: Happened) -> Iterable[Key]:
    """A volume that came or went free may be what a pod's claim waits for."""
    if happened.new is None or dig(happened.new, "spec", "claimRef"):
        return ()
    return [
        Key(namespace_of(pod), name_of(pod))
        for pod in view.list(PODS)
        if not spec_of(pod).get("nodeName") and any(claims_of(pod))
    ]


def _may_matter(new: Manifest, old: Manifest) -> bool:
    return (
        labels_of(new) != labels_of(old)
        or spec_of(new) != spec_of(old)
        or condition_is(new, "Ready") != condition_is(old, "Ready")
    )
