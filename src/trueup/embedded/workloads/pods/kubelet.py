"""The simulated kubelet: begins pods that were placed, moves them by their plan, and takes away those that were deleted.

All that must survive is in the pods. Memory holds addresses in use, who waits for which ConfigMap or Secret, and since when a
status is as it is, to the microsecond; after a restart the pod's own times, in seconds, stand in for those.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.clock import read_time
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import CONFIG_MAPS, NODES, PODS, SECRETS
from trueup.embedded.workloads.nodes import LABEL, host_ip
from trueup.embedded.workloads.pods.addresses import Addresses
from trueup.embedded.workloads.pods.containers import Known
from trueup.embedded.workloads.pods.outcome import plan_of
from trueup.embedded.workloads.pods.references import complaint, needs_of
from trueup.embedded.workloads.pods.status import Place, advance, begin, end
from trueup.embedded.workloads.podstate import ENDED, phase_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Delete, Say, Work, Write, status_write
from trueup.model.manifest import (
    Manifest,
    is_deleting,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)

COMPONENT = "kubelet"
STOPPING = timedelta(milliseconds=100)
"""How long a simulated process takes to end when it is told to."""


class Kubelet:
    """One for all simulated nodes."""

    def __init__(self) -> None:
        self._addresses = Addresses()
        self._since: dict[str, tuple[object, datetime]] = {}
        self._lacking: dict[tuple[Resource, str, str], set[Key]] = {}

    def controller(self) -> Controller:
        return Controller(
            name="kubelet",
            decide=self.decide,
            triggers=(
                Trigger(PODS, self._remember),
                Trigger(PODS, itself),
                Trigger(NODES, _pods_of_lost_node),
                Trigger(CONFIG_MAPS, self._waiting_for),
                Trigger(SECRETS, self._waiting_for),
            ),
            workers=64,
        )

    def decide(self, view: View, key: Key) -> Work:
        pod = view.get(PODS, *key)
        if pod is None or not (node_name := spec_of(pod).get("nodeName")):
            return NOTHING
        node = view.get(NODES, "", node_name)
        if node is None:
            # As the real garbage collector of pods: what ran on a node that is gone is gone as well.
            return _remove(pod) if status_of(pod).get("startTime") or is_deleting(pod) else NOTHING
        if LABEL not in labels_of(node):
            return NOTHING
        now = view.now
        if is_deleting(pod):
            return self._stop(pod, now)
        place = self._place(pod, str(node_name))
        if not status_of(pod).get("startTime"):
            return Work(status_write(PODS, pod, begin(pod, place, now)))
        plan = plan_of(pod)
        moved = advance(Known(pod, plan, self._since_when(pod, now), now), place, self._lack(view, pod))
        writes: list[Write] = list(status_write(PODS, pod, moved.status))
        writes += [Say(pod, reason, message, COMPONENT, type_) for type_, reason, message in moved.said if writes]
        writes += [Say(pod, "SimulationRuleIgnored", text, COMPONENT, "Warning") for text in plan.problems if writes]
        return Work(tuple(writes), moved.again_at)

    def _stop(self, pod: Manifest, now: datetime) -> Work:
        due = self._since_when(pod, now) + STOPPING
        if phase_of(pod) not in ENDED and now < due:
            return Work((), due)
        finalizers = metadata_of(pod).get("finalizers")
        if finalizers and phase_of(pod) not in ENDED and status_of(pod).get("startTime"):
            return Work(status_write(PODS, pod, end(pod, now)))
        if finalizers and not metadata_of(pod).get("deletionGracePeriodSeconds"):
            return NOTHING  # whoever set the finalizer decides now
        return _remove(pod)

    def _place(self, pod: Manifest, node: str) -> Place:
        host = host_ip(node)
        return Place(host, host if spec_of(pod).get("hostNetwork") else self._addresses.give(uid_of(pod)))

    def _since_when(self, pod: Manifest, now: datetime) -> datetime:
        """When the pod came to be as it is."""
        uid, state = uid_of(pod), (metadata_of(pod).get("deletionTimestamp"), status_of(pod))
        known = self._since.get(uid)
        if known is not None and known[0] == state:
            return known[1]
        fresh = now if known is not None else read_time(status_of(pod).get("startTime")) or now
        self._since[uid] = (state, fresh)
        return fresh

    def _lack(self, view: View, pod: Manifest) -> tuple[str, str] | None:
        if phase_of(pod) != "Pending":
            return None
        namespace = namespace_of(pod)
        for need in needs_of(pod):
            found = view.get(need.resource, namespace, need.name)
            if found is not None and (not need.item or _holds(found, need.item)):
                continue
            self._lacking.setdefault((need.resource, namespace, need.name), set()).add(Key(namespace, name_of(pod)))
            return complaint(need, namespace, exists=found is not None)
        return None

    def _waiting_for(self, _: View, happened: Happened) -> Iterable[Key]:
        if happened.new is None:
            return ()
        return self._lacking.pop((happened.resource, *happened.key), ())

    def _remember(self, _: View, happened: Happened) -> Iterable[Key]:
        """Keeps memory in step with the pods there are."""
        uid = uid_of(happened.newest)
        if happened.new is None:
            self._addresses.take_back(uid)
            self._since.pop(uid, None)
            return
        address = status_of(happened.new).get("podIP")
        if address and not spec_of(happened.new).get("hostNetwork"):
            self._addresses.keep(uid, str(address))
        if happened.old is None and not status_of(happened.new).get("startTime"):
            self._since[uid] = (None, datetime.min)  # seen from the beginning: times need not be guessed
        yield from ()


def _holds(obj: Manifest, item: str) -> bool:
    return any(item in (obj.get(field) or {}) for field in ("data", "binaryData", "stringData"))


def _remove(pod: Manifest) -> Work:
    return Work((Delete(PODS, namespace_of(pod), name_of(pod), uid_of(pod), "", 0),))


def _pods_of_lost_node(view: View, happened: Happened) -> Iterable[Key]:
    if happened.new is not None:
        return ()
    return [
        Key(namespace_of(pod), name_of(pod))
        for pod in view.list(PODS)
        if spec_of(pod).get("nodeName") == happened.key.name
    ]
