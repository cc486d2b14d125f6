"""Services: their EndpointSlices and Endpoints, and the address of a LoadBalancer. `decide` gathers, the rest is pure."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, Trigger, its_controller, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from trueup.embedded.workloads.network.addresses import load_balancer_status, vacant
from trueup.embedded.workloads.network.endpoints import endpoints_write, groups_of, is_managed, slice_writes
from trueup.embedded.workloads.objects import dig, selects_pods
from trueup.embedded.workloads.podstate import is_ready, phase_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Say, Work, Write, delete_of, status_write
from trueup.model.manifest import Manifest, is_deleting, labels_of, name_of, spec_of, status_of, uid_of


def decide(view: View, key: Key) -> Work:
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
        pods = (pod for pod in view.list(PODS, key.namespace) if selects_pods(selector, pod))
        groups = groups_of(service, pods)
        slices = [each for each in view.owned_by(ENDPOINT_SLICES, uid_of(service)) if is_managed(each)]
        writes += slice_writes(service, groups, slices)
        writes += endpoints_write(service, groups, view.get(ENDPOINTS, *key))
    return Work((*writes, *_balance(view, service)))


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


def _selecting(view: View, happened: Happened) -> Iterable[Key]:
    """The Services that select a pod whose address, readiness or labels changed."""
    new, old = happened.new, happened.old
    if new is not None and old is not None and _face(new) == _face(old):
        return
    for service in view.list(SERVICES, happened.key.namespace):
        selector = spec_of(service).get("selector")
        if any(selects_pods(selector, pod) for pod in (new, old) if pod is not None):
            yield Key(happened.key.namespace, name_of(service))


def _face(pod: Manifest) -> tuple[object, ...]:
    return (
        labels_of(pod),
        status_of(pod).get("podIP"),
        is_ready(pod),
        is_deleting(pod),
        phase_of(pod) in ("Succeeded", "Failed"),
    )


CONTROLLER = Controller(
    name="services",
    decide=decide,
    triggers=(
        Trigger(SERVICES, itself),
        Trigger(PODS, _selecting),
        Trigger(ENDPOINT_SLICES, its_controller("", "Service")),
        Trigger(ENDPOINTS, itself),
    ),
    workers=1,  # so that no two Services are given one address
)
