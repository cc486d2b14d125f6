"""The simulated nodes: as many as asked for, made when they are missing. Their heartbeat is not simulated: idle costs nothing."""

from __future__ import annotations

import platform
from typing import Any

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.clock import stamp
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.kinds import NODES
from trueup.embedded.workloads.objects import condition_is, mapping_of, rows_of
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Work, delete_of, patch_of, status_write
from trueup.model.manifest import Manifest, is_deleting, labels_of

PREFIX = "trueup-node-"
_CORDONED = "node.kubernetes.io/unschedulable"
LABEL = "simulate.trueup.dev/node"
_CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "10000"}
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def node_names(count: int) -> list[str]:
    return [f"{PREFIX}{number}" for number in range(1, count + 1)]


def host_ip(name: str) -> str:
    """The node's address: `172.18.0.2` for the first."""
    number = int(name.removeprefix(PREFIX)) if name.removeprefix(PREFIX).isdigit() else 0
    return f"172.18.{number // 250}.{number % 250 + 1}"


def new_node(name: str) -> Manifest:
    """A node as a kubelet registers it."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine,
        LABEL: "true",
    }
    number = name.removeprefix(PREFIX)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
        "spec": {"providerID": f"simulated://trueup/{number}"},
    }


def node_status(node: Manifest, now: str, version: str) -> dict[str, Any]:
    """A ready node with room for everything."""
    name = str(node["metadata"]["name"])
    return {
        "capacity": dict(_CAPACITY),
        "allocatable": dict(_CAPACITY),
        "conditions": [
            {
                "type": type_,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
                "reason": reason,
                "message": message,
            }
            for type_, status, reason, message in _CONDITIONS
        ],
        "addresses": [{"type": "InternalIP", "address": host_ip(name)}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "kernelVersion": "simulated",
            "osImage": "simulated by Trueup",
            "containerRuntimeVersion": "simulated://trueup",
            "kubeletVersion": version,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": mapping_of(node, "metadata", "labels").get("kubernetes.io/arch", ""),
        },
    }


def _taints(node: Manifest) -> list[dict[str, Any]]:
    """The taints with that of a cordoned node, exactly when it is cordoned: the node controller's work."""
    others = [each for each in rows_of(node, "spec", "taints") if each.get("key") != _CORDONED]
    cordoned = [each for each in rows_of(node, "spec", "taints") if each.get("key") == _CORDONED]
    if not mapping_of(node, "spec").get("unschedulable"):
        return others
    return rows_of(node, "spec", "taints") if cordoned else [*others, {"key": _CORDONED, "effect": "NoSchedule"}]


def controller(count: int, version: str) -> Controller:
    """Makes the nodes, and makes them again when somebody deletes them; says once that each is ready."""
    names = frozenset(node_names(count))

    def decide(view: View, key: Key) -> Work:
        node = view.get(NODES, "", key.name)
        if key.name not in names:  # one of ours from a run with more nodes goes; a stranger's stays
            is_surplus = node is not None and LABEL in labels_of(node) and not is_deleting(node)
            return Work((delete_of(NODES, node),)) if node is not None and is_surplus else NOTHING
        if node is None:
            return Work((Create(NODES, new_node(key.name)),))
        if (taints := _taints(node)) != rows_of(node, "spec", "taints"):
            return Work((patch_of(NODES, node, {"spec": {"taints": taints or None}}),))
        if condition_is(node, "Ready"):
            return NOTHING
        return Work(status_write(NODES, node, node_status(node, stamp(view.now), version)))

    keys = tuple(Key("", name) for name in sorted(names))
    return Controller(name="nodes", decide=decide, triggers=(Trigger(NODES, itself),), start=keys)
