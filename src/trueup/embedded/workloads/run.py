"""All controllers of the embedded Kubernetes together: what its server runs beside the API."""

from __future__ import annotations

from trueup.embedded.api.client import Client
from trueup.embedded.collector import all as collector
from trueup.embedded.workloads import daemonsets, disruption, replicasets, statefulsets, volumes
from trueup.embedded.workloads import nodes as simulated_nodes
from trueup.embedded.workloads.autoscaling import Autoscalers
from trueup.embedded.workloads.clock import Clock
from trueup.embedded.workloads.controller import Controller
from trueup.embedded.workloads.deployments import controller as deployments
from trueup.embedded.workloads.jobs import cronjobs, jobs
from trueup.embedded.workloads.network import ingresses
from trueup.embedded.workloads.network.services import Services
from trueup.embedded.workloads.pods.kubelet import Kubelet
from trueup.embedded.workloads.pods.scheduler import Scheduler
from trueup.embedded.workloads.runtime import Runtime

VERSION = "v1.37.2"


def controllers(*, nodes: int, version: str = VERSION) -> tuple[Controller, ...]:
    """Every controller, in the order in which they are told of what exists."""
    return (
        simulated_nodes.controller(nodes, version),
        Scheduler().controller(),
        Kubelet().controller(),
        replicasets.CONTROLLER,
        deployments.CONTROLLER,
        statefulsets.CONTROLLER,
        daemonsets.CONTROLLER,
        *jobs.CONTROLLERS,
        cronjobs.CONTROLLER,
        Services().controller(),
        ingresses.CONTROLLER,
        *volumes.CONTROLLERS,
        Autoscalers().controller(),
        disruption.CONTROLLER,
    )


def make_runtime(client: Client, *, clock: Clock, nodes: int = 1, root_ca: str = "", version: str = VERSION) -> Runtime:
    """Its `run` ends when it is cancelled. `root_ca` is the PEM certificate that namespaces get as `kube-root-ca.crt`."""
    runtime = Runtime(client, clock)
    runtime.add(*collector.controllers(runtime, root_ca), *controllers(nodes=nodes, version=version))
    return runtime
