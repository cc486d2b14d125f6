"""Services: their EndpointSlices and Endpoints, and the address of a LoadBalancer.

Which Services select a pod, and which pods a Service selects, is asked at every change of a pod; `LabelIndex` answers it
without looking at every other object of the namespace.
"""

from __future__ import annotations

from collections.abc import Iterable

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from trueup.embedded.workloads.network.addresses import load_balancer_status, vacant
from trueup.embedded.workloads.network.endpoints import endpoints_write, groups_of, is_managed, slice_writes
from trueup.embedded.workloads.network.labelindex import LabelIndex
from trueup.embedded.workloads.objects import dig, selects_pods
from trueup.embedded.workloads.podstate import is_ready, phase_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Say, Work, Write, delete_of, status_write
from trueup.model.manifest import Manifest, is_deleting, labels_of, spec_of, status_of, uid_of


class Services:
    """The Service controller. Its memory is an index, built anew from the objects there are."""

    def __init__(self) -> None:
        self._pods = LabelIndex()
        self._services = LabelIndex()

    def controller(self) -> Controller:
        return Controller(
            name="services",
            decide=self.decide,
            triggers=(
                Trigger(SERVICES, self._service),
                Trigger(PODS, self._selecting),
                Trigger(ENDPOINT_SLICES, its_controller("", "Service")),
                Trigger(ENDPOINTS, itself),
            ),
            workers=1,  # so that no two Services are given one address
        )

    def decide(self, view: View, key: Key) -> Work:
        service = view.get(SERVICES, *key)
        if service is None:
            # Endpoints have no owner reference: they are known by their name.
            left = view.get(ENDPOINTS, *key)
            is_ours = left is not None and "endpoints.kubernetes.io/managed-by" in labels_of(left)
            return Work((delete_of(ENDPOINTS, left),)) if left is not None and is_ours else NOTHING
        if is_deleting(service):
            return NOTHING
        writes: tuple[Write, ...] = ()
        selector = spec_of(service).get("selector")
        if selector and spec_of(service).get("type") != "ExternalName":
            groups = groups_of(service, self._selected(view, key.namespace, selector))
            slices = [each for each in view.owned_by(ENDPOINT_SLICES, uid_of(service)) if is_managed(each)]
            writes += slice_writes(service, groups, slices)
            writes += endpoints_write(service, groups, view.get(ENDPOINTS, *key))
        return Work((*writes, *_balance(view, service)))

    def _selected(self, view: View, namespace: str, selector: dict[str, str]) -> Iterable[Manifest]:
        view.catch_up(PODS)
        for key in self._pods.having(namespace, next(iter(selector.items()))):
            pod = view.get(PODS, *key)
            if pod is not None and selects_pods(selector, pod):
                yield pod

    def _service(self, _: View, happened: Happened) -> Iterable[Key]:
        selector = spec_of(happened.new).get("selector") if happened.new is not None else None
        # One label of the selector is enough to find the few Services that are worth a comparison.
        self._services.set(happened.key, dict([next(iter(selector.items()))]) if selector else {})
        return (happened.key,)

    def _selecting(self, view: View, happened: Happened) -> Iterable[Key]:
        """The Services that select a pod whose address, readiness or labels changed."""
        new, old = happened.new, happened.old
        self._pods.set(happened.key, labels_of(new) if new is not None else {})
        if new is not None and old is not None and _face(new) == _face(old):
            return
        for manifest in (new, old):
            for label in labels_of(manifest).items() if manifest is not None else ():
                for key in self._services.having(happened.key.namespace, label):
                    service = view.get(SERVICES, *key)
                    if service is not None and selects_pods(spec_of(service).get("selector"), manifest or {}):
                        yield key


def _balance(view: View, service: Manifest) -> tuple[Write, ...]:
    """A LoadBalancer gets an address that nothing else has; any other Service gives its one back."""
    spec = spec_of(service)
    is_ours = spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")
    has = dig(service, "status", "loadBalancer", "ingress")
    if not is_ours:
        is_left = bool(has) and spec.get("type") != "LoadBalancer"
        return status_write(SERVICES, service, {**status_of(service), "loadBalancer": {}}) if is_left else ()
    if has:
        return ()
    address = str(spec.get("loadBalancerIP") or vacant(view.list(SERVICES)))
    status = {**status_of(service), "loadBalancer": load_balancer_status(address)}
    said = Say(service, "EnsuredLoadBalancer", "Ensured load balancer", "service-controller")
    return (*status_write(SERVICES, service, status), said)


def _face(pod: Manifest) -> tuple[object, ...]:
    return (
        labels_of(pod),
        status_of(pod).get("podIP"),
        is_ready(pod),
        is_deleting(pod),
        phase_of(pod) in ("Succeeded", "Failed"),
    )
