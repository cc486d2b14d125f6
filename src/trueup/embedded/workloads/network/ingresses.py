"""Ingresses: the address of the one simulated ingress controller, which takes every class."""

from __future__ import annotations

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.kinds import INGRESSES
from trueup.embedded.workloads.network.addresses import INGRESS_ADDRESS
from trueup.embedded.workloads.objects import dig
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work, status_write
from trueup.model.manifest import is_deleting, status_of


def decide(view: View, key: Key) -> Work:
    ingress = view.get(INGRESSES, *key)
    if ingress is None or is_deleting(ingress) or dig(ingress, "status", "loadBalancer", "ingress"):
        return NOTHING
    status = {**status_of(ingress), "loadBalancer": {"ingress": [{"ip": INGRESS_ADDRESS}]}}
    return Work(status_write(INGRESSES, ingress, status))


CONTROLLER = Controller(name="ingresses", decide=decide, triggers=(Trigger(INGRESSES, itself),))
