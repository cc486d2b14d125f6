"""`pods/eviction`: a delete that asks the pod's disruption budget first, as `kubectl drain` does it.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ . Counting what a budget allows is the work of
`workloads.disruption`; here one disruption is taken off it, so that two evictions cannot both use the last one.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trueup.embedded.api import deletion, options, refusals, subbodies
from trueup.embedded.api.call import Call
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Answer, Request
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.options import DeleteOptions, WriteOptions
from trueup.embedded.api.rules.selectors import matches
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.identity import system
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.record import Record
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError, Cause
from trueup.model.manifest import Manifest, generation_of, labels_of, metadata_of, name_of, spec_of, status_of

BUDGETS = Resource("policy", "poddisruptionbudgets")
MAX_PENDING = 2000
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_BUDGET_SUBJECT = Resource("policy", "poddisruptionbudget")


class Evictions:
    """Evicts pods."""

    def __init__(self, store: Store, registry: Registry, writes: Writes, removal: Deletion, fields: Fields) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._removal = removal
        self._fields = fields

    async def evict(self, pods: Kind, request: Request) -> Answer:
        """Raises ApiError: 429 while a budget allows no disruption, 500 for a pod with several budgets."""
        eviction, written = subbodies.read(
            request, subbodies.kind_of(pods.subresources["eviction"]), self._fields, self._registry
        )
        namespace, name = request.target.namespace, request.target.name
        if metadata_of(eviction).get("name") != name:
            raise refusals.bad_request("name in URL does not match name in Eviction object")
        asked = options.delete_options(request.query, eviction.get("deleteOptions") or {})
        if written.dry_run:
            asked = msgspec.structs.replace(asked, dry_run=True)
        record = self._store.latest(pods.storage, namespace, name)
        if record is None:
            raise refusals.not_found(pods.resource, name)
        pod = record.manifest
        if not _is_past_budgets(pod):
            guarded = await self._ask_budgets(namespace, pod, asked)
            if guarded and not asked.resource_version:
                asked = msgspec.structs.replace(asked, resource_version=str(record.resource_version))
        await self._delete(pods, namespace, name, asked, request.call)
        return Answer(subbodies.success(), 201)

    async def _ask_budgets(self, namespace: str, pod: Manifest, asked: DeleteOptions) -> bool:
        """Whether the pod was unready and may go only as it is now; takes a disruption off its budget otherwise."""
        found = [
            record
            for record in self._store.scan(BUDGETS, namespace)
            if _selects(spec_of(record.manifest).get("selector"), pod)
        ]
        if not found:
            return False
        if len(found) > 1:
            said = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise ApiError(500, "", said)
        budget = found[0].manifest
        if not _is_ready(pod) and _lets_unready_go(budget):
            return True
        await self._take_one(found[0], name_of(pod), asked)
        return False

    async def _take_one(self, record: Record, pod: str, asked: DeleteOptions) -> None:
        kind = self._registry.of_storage(BUDGETS)
        assert kind is not None
        now = self._writes.now()

        def mutation(live: Manifest | None) -> Manifest:
            if live is None:
                raise refusals.not_found(BUDGETS, record.key.name)
            check_budget(live)
            before: Manifest = msgspec.json.decode(msgspec.json.encode(live))
            status = live["status"]
            status["disruptionsAllowed"] -= 1
            status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: now}
            if not status["disruptionsAllowed"]:
                _tell_used_up(live, now)
            return self._fields.track(kind, before, live, "kube-apiserver", "status", now)

        call = Call(system("apiserver"), "kube-apiserver")
        options_ = WriteOptions(dry_run=asked.dry_run)
        await self._writes.change(kind, *record.key, mutation, options_, call, "status")

    async def _delete(self, pods: Kind, namespace: str, name: str, asked: DeleteOptions, call: Call) -> None:
        if not asked.dry_run:
            now = self._writes.now()

            def mark(live: Manifest | None) -> Manifest:
                if live is None:
                    raise refusals.not_found(pods.resource, name)
                meta = metadata_of(live)
                deletion.check_preconditions(pods, name, str(meta["uid"]), str(meta["resourceVersion"]), asked)
                status = live["status"] = {**status_of(live)}
                status["conditions"] = _with_target(status.get("conditions") or [], now)
                return live

            marked = await self._writes.change(pods, namespace, name, mark, WriteOptions(), call, "status")
            if asked.resource_version:
                version = str(metadata_of(marked.manifest)["resourceVersion"])
                asked = msgspec.structs.replace(asked, resource_version=version)
        await self._removal.delete(pods, namespace, name, asked, call)


def check_budget(budget: Manifest) -> None:
    """Raises 429 or 403 when the budget allows no disruption now."""
    name, status = name_of(budget), status_of(budget)
    allowed = status.get("disruptionsAllowed") or 0
    if (status.get("observedGeneration") or 0) < generation_of(budget):
        cause = f"The disruption budget {name} is still being processed by the server."
        raise _too_many(cause, retry_after=10)
    cause = f"The disruption budget {name} does not allow evicting pods currently"
    if allowed < 0:
        raise _forbidden(name, "pdb disruptions allowed is negative", f"{cause}: pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > MAX_PENDING:
        raise _forbidden(
            name,
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
            f"{cause}: too many pending evictions not confirmed by PDB controller",
        )
    if allowed > 0:
        return
    row: Any = next((each for each in status.get("conditions") or () if each.get("type") == "DisruptionAllowed"), {})
    is_told = row.get("status") == "False" and row.get("message")
    healthy, desired = status.get("currentHealthy") or 0, status.get("desiredHealthy") or 0
    if is_told and row.get("reason") == "SyncFailed":
        cause = f"{cause} because it failed sync: {row['message']}"
    elif healthy <= desired:
        cause = f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
    elif is_told:
        cause = f"{cause} ({row.get('reason')}): {row['message']}"
    raise _too_many(cause)


def _too_many(cause: str, retry_after: int | None = None) -> ApiError:
    return ApiError(
        429,
        "TooManyRequests",
        _VIOLATES,
        causes=(Cause("DisruptionBudget", cause),),
        retry_after=retry_after,
    )


def _forbidden(name: str, detail: str, cause: str) -> ApiError:
    return refusals.forbidden(_BUDGET_SUBJECT, name, detail, (Cause("DisruptionBudget", cause),))


def _selects(selector: Any, pod: Manifest) -> bool:
    """A budget without a selector is nobody's."""
    return isinstance(selector, dict) and matches(selector, labels_of(pod))


def _is_past_budgets(pod: Manifest) -> bool:
    """Pods that do nothing yet or any more disrupt nobody."""
    phase = status_of(pod).get("phase") or "Pending"
    return phase in ("Succeeded", "Failed", "Pending") or bool(metadata_of(pod).get("deletionTimestamp"))


def _is_ready(pod: Manifest) -> bool:
    rows = status_of(pod).get("conditions") or ()
    return any(row.get("type") == "Ready" and row.get("status") == "True" for row in rows)


def _lets_unready_go(budget: Manifest) -> bool:
    if spec_of(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = status_of(budget)
    desired = status.get("desiredHealthy") or 0
    return (status.get("currentHealthy") or 0) >= desired > 0


def _tell_used_up(budget: Manifest, now: str) -> None:
    status = budget["status"]
    rows = status.get("conditions") or []
    old = next((each for each in rows if each.get("type") == "DisruptionAllowed"), None)
    since = old["lastTransitionTime"] if old and old.get("status") == "False" else now
    row: dict[str, Any] = {
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "InsufficientPods",
        "message": "",
        "lastTransitionTime": since,
        "observedGeneration": status.get("observedGeneration") or 0,
    }
    status["conditions"] = [row if each is old else each for each in rows] if old else [*rows, row]


def _with_target(rows: list[dict[str, Any]], now: str) -> list[dict[str, Any]]:
    """The conditions with the one that says why the pod ends."""
    row = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    return [*(each for each in rows if each.get("type") != "DisruptionTarget"), row]
