"""Services, Ingresses, volumes, autoscalers and disruption budgets: what their statuses and helpers say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.workloads.test_deployments import deployment
from tests.embedded.workloads.world import World
from trueup.embedded.workloads.kinds import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INGRESSES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
)
from trueup.model.manifest import Manifest, labels_of, name_of, uid_of

pytestmark = pytest.mark.looptime


def service(name: str = "web", **spec: Any) -> Manifest:
    body = {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": body}


def slices(world: World, name: str = "web") -> list[Manifest]:
    return [each for each in world.all(ENDPOINT_SLICES) if labels_of(each).get("kubernetes.io/service-name") == name]


def ready_addresses(world: World, name: str = "web") -> list[str]:
    found = [row for each in slices(world, name) for row in each.get("endpoints") or ()]
    return sorted(row["addresses"][0] for row in found if row["conditions"]["ready"])


async def test_a_service_knows_its_ready_pods(world: World) -> None:
    await world.apply(service())
    await world.settled()
    [empty] = slices(world)
    assert not empty.get("endpoints")
    assert not empty.get("ports")
    await world.apply(deployment())
    await world.pass_time(1)
    [found] = slices(world)
    assert uid_of(found) == uid_of(empty)
    addresses = sorted(pod["status"]["podIP"] for pod in world.all(PODS))
    assert ready_addresses(world) == addresses
    assert found["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert found["metadata"]["ownerReferences"][0]["uid"] == uid_of(world.get(SERVICES, "web"))
    [subset] = world.get(ENDPOINTS, "web")["subsets"]
    assert sorted(row["ip"] for row in subset["addresses"]) == addresses
    assert subset["ports"] == [{"port": 80, "protocol": "TCP"}]


async def test_pods_that_leave_or_are_not_ready_do_not_answer(world: World) -> None:
    await world.apply(service())
    await world.apply(deployment())
    await world.pass_time(1)
    await world.apply(deployment(image="web:unready", strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}))
    await world.pass_time(2)
    assert len(ready_addresses(world)) == 2
    [subset] = world.get(ENDPOINTS, "web")["subsets"]
    assert len(subset["notReadyAddresses"]) == 2
    await world.client.delete(DEPLOYMENTS, "default", "web", propagation="Background")
    await world.pass_time(2)
    assert ready_addresses(world) == []
    assert not world.get(ENDPOINTS, "web").get("subsets")


async def test_a_named_port_is_the_pods_own_number(world: World) -> None:
    named = deployment()
    named["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    await world.apply(named)
    await world.apply(service(ports=[{"name": "front", "port": 80, "targetPort": "http"}]))
    await world.pass_time(1)
    assert slices(world)[0]["ports"] == [{"name": "front", "port": 8080, "protocol": "TCP"}]


async def test_slices_hold_at_most_a_hundred_endpoints(world: World) -> None:
    await world.apply(service())
    await world.apply(deployment(replicas=120))
    await world.pass_time(2)
    assert sorted(len(each["endpoints"]) for each in slices(world)) == [20, 100]
    await world.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 5}})
    await world.pass_time(2)
    assert [len(each["endpoints"]) for each in slices(world)] == [5]


async def test_a_deleted_service_takes_its_endpoints_along(world: World) -> None:
    await world.apply(service())
    await world.settled()
    await world.client.delete(SERVICES, "default", "web")
    await world.settled()
    assert slices(world) == []
    assert "web" not in world.names(ENDPOINTS)


async def test_each_load_balancer_has_an_address_of_its_own(world: World) -> None:
    for name in ("a", "b"):
        await world.apply(service(name, type="LoadBalancer"))
    await world.settled()
    found = [world.get(SERVICES, name)["status"]["loadBalancer"]["ingress"][0]["ip"] for name in ("a", "b")]
    assert found == ["198.18.0.2", "198.18.0.3"]
    await world.apply(service("c", type="LoadBalancer", loadBalancerClass="example.com/other"))
    await world.settled()
    assert world.get(SERVICES, "c")["status"]["loadBalancer"] == {}
    await world.client.patch(SERVICES, "default", "a", {"spec": {"type": "ClusterIP"}})
    await world.settled()
    assert world.get(SERVICES, "a")["status"]["loadBalancer"] == {}


async def test_an_ingress_has_an_address(world: World) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    metadata = {"name": "web", "namespace": "default"}
    spec = {"defaultBackend": backend}
    await world.apply({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec})
    await world.settled()
    assert world.get(INGRESSES, "web")["status"]["loadBalancer"]["ingress"] == [{"ip": "198.18.0.1"}]


def claim(name: str = "data", size: str = "1Gi", **spec: Any) -> Manifest:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": body}


def volume(name: str, size: str) -> Manifest:
    spec = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": "/data"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


async def test_a_claim_is_bound_to_a_volume_made_for_it_which_goes_with_it(world: World) -> None:
    await world.apply(claim())
    await world.settled()
    found = world.get(PERSISTENT_VOLUME_CLAIMS, "data")
    assert found["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    [made] = world.all(PERSISTENT_VOLUMES)
    assert found["spec"]["volumeName"] == name_of(made)
    assert made["status"]["phase"] == "Bound"
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "default", "data")
    await world.settled()
    assert world.names(PERSISTENT_VOLUMES) == []


async def test_a_claim_takes_a_volume_that_is_large_enough_and_a_retained_one_is_released(world: World) -> None:
    await world.apply(volume("small", "500Mi"))
    await world.apply(volume("large", "10Gi"))
    await world.settled()
    await world.apply(claim())
    await world.settled()
    assert world.get(PERSISTENT_VOLUME_CLAIMS, "data")["spec"]["volumeName"] == "large"
    assert world.get(PERSISTENT_VOLUME_CLAIMS, "data")["status"]["capacity"] == {"storage": "10Gi"}
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "default", "data")
    await world.settled()
    phases = {name_of(each): each["status"]["phase"] for each in world.all(PERSISTENT_VOLUMES)}
    assert phases == {"small": "Available", "large": "Released"}


def autoscaler(least: int, most: int, target: str = "web") -> Manifest:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    spec = {"scaleTargetRef": reference, "minReplicas": least, "maxReplicas": most}
    metadata = {"name": "web", "namespace": "default"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def scaling(world: World, type_: str) -> tuple[str, str]:
    rows = world.get(HORIZONTAL_POD_AUTOSCALERS, "web")["status"]["conditions"]
    return next((row["status"], row["reason"]) for row in rows if row["type"] == type_)


async def test_an_autoscaler_keeps_a_deployment_within_its_bounds(world: World) -> None:
    await world.apply(deployment(replicas=1))
    await world.apply(autoscaler(2, 4))
    await world.pass_time(1)
    assert world.get(DEPLOYMENTS, "web")["spec"]["replicas"] == 2
    assert world.get(HORIZONTAL_POD_AUTOSCALERS, "web")["status"]["currentReplicas"] == 2
    await world.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 9}})
    await world.pass_time(1)
    assert world.get(DEPLOYMENTS, "web")["spec"]["replicas"] == 4
    await world.client.patch(DEPLOYMENTS, "default", "web", {"spec": {"replicas": 3}})
    await world.pass_time(1)
    assert world.get(DEPLOYMENTS, "web")["spec"]["replicas"] == 3
    assert scaling(world, "ScalingActive") == ("False", "FailedGetResourceMetric")


async def test_zero_replicas_switch_an_autoscaler_off(world: World) -> None:
    await world.apply(deployment(replicas=0))
    await world.apply(autoscaler(2, 4))
    await world.pass_time(1)
    assert world.get(DEPLOYMENTS, "web")["spec"]["replicas"] == 0
    assert scaling(world, "ScalingActive") == ("False", "ScalingDisabled")


async def test_an_autoscaler_names_a_target_that_is_not_there_and_finds_it_later(world: World) -> None:
    await world.apply(autoscaler(2, 4))
    await world.settled()
    assert scaling(world, "AbleToScale") == ("False", "FailedGetScale")
    await world.apply(deployment())
    await world.pass_time(1)
    assert scaling(world, "AbleToScale") == ("True", "SucceededGetScale")


BUDGETS = [
    ({"minAvailable": 2}, {"desiredHealthy": 2, "disruptionsAllowed": 1}),
    ({"minAvailable": "50%"}, {"desiredHealthy": 2, "disruptionsAllowed": 1}),
    ({"maxUnavailable": 1}, {"desiredHealthy": 2, "disruptionsAllowed": 1}),
    ({"maxUnavailable": 0}, {"desiredHealthy": 3, "disruptionsAllowed": 0}),
]


@pytest.mark.parametrize(("spec", "expected"), BUDGETS)
async def test_a_budget_says_how_many_pods_may_go(world: World, spec: dict[str, Any], expected: dict[str, int]) -> None:
    await world.apply(deployment())
    metadata = {"name": "web", "namespace": "default"}
    body = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    await world.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": body})
    await world.pass_time(1)
    found = world.get(POD_DISRUPTION_BUDGETS, "web")["status"]
    [row] = found.pop("conditions")
    assert found == {"currentHealthy": 3, "expectedPods": 3, "observedGeneration": 1, **expected}
    assert row["reason"] == ("SufficientPods" if expected["disruptionsAllowed"] else "InsufficientPods")
    await world.apply(deployment(replicas=0))
    await world.pass_time(2)
    assert world.get(POD_DISRUPTION_BUDGETS, "web")["status"]["disruptionsAllowed"] == 0


def storage_class(name: str, provisioner: str = "simulate.trueup.dev/volumes", **fields: Any) -> Manifest:
    body = {"provisioner": provisioner, **fields}
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}, **body}


def user_of(claim_name: str, name: str = "user") -> Manifest:
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim_name}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def unscheduled(world: World, name: str = "user") -> str:
    """Why a pod has no node."""
    pod = world.get(PODS, name)
    assert "nodeName" not in pod["spec"]
    [row] = (each for each in pod["status"].get("conditions", ()) if each["type"] == "PodScheduled")
    return str(row["message"])


LATE = "WaitForFirstConsumer"


async def test_a_claim_that_waits_for_its_first_consumer_is_bound_where_that_runs(world: World) -> None:
    await world.apply(storage_class("late", volumeBindingMode=LATE))
    await world.apply(claim(storageClassName="late"))
    await world.pass_time(5)
    assert world.get(PERSISTENT_VOLUME_CLAIMS, "data")["status"] == {"phase": "Pending"}
    assert world.all(PERSISTENT_VOLUMES) == []
    await world.apply(user_of("data"))
    await world.pass_time(5)
    pod, found = world.get(PODS, "user"), world.get(PERSISTENT_VOLUME_CLAIMS, "data")
    assert found["status"]["phase"] == "Bound"
    assert pod["status"]["phase"] == "Running"
    marks = found["metadata"]["annotations"]
    assert marks["volume.kubernetes.io/selected-node"] == pod["spec"]["nodeName"]
    assert marks["volume.kubernetes.io/storage-provisioner"] == "simulate.trueup.dev/volumes"


async def test_a_volume_that_can_be_used_on_one_node_only_decides_where_the_pod_goes(world: World) -> None:
    await world.apply(storage_class("local", "kubernetes.io/no-provisioner", volumeBindingMode=LATE))
    await world.apply(claim(storageClassName="local"))
    await world.apply(user_of("data"))
    await world.pass_time(5)
    said = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."
    assert unscheduled(world).startswith(said)
    there = volume("disk", "1Gi")
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["trueup-node-1"]}]}]
    there["spec"] |= {"storageClassName": "local", "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    await world.apply(there)
    await world.pass_time(5)
    assert world.get(PODS, "user")["spec"]["nodeName"] == "trueup-node-1"
    assert world.get(PERSISTENT_VOLUME_CLAIMS, "data")["spec"]["volumeName"] == "disk"


async def test_a_pod_waits_for_claims_that_are_missing_or_have_no_volume(world: World) -> None:
    await world.apply(storage_class("now", "kubernetes.io/no-provisioner"))
    await world.apply(user_of("data"))
    await world.pass_time(2)
    assert unscheduled(world) == '0/1 nodes are available: persistentvolumeclaim "data" not found. not found'
    await world.apply(claim(storageClassName="now"))
    await world.pass_time(2)
    assert unscheduled(world) == "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    free = volume("free", "1Gi")
    free["spec"]["storageClassName"] = "now"
    await world.apply(free)
    await world.apply(
        claim(storageClassName="now") | {"metadata": {"name": "data", "namespace": "default", "labels": {"a": "b"}}}
    )
    await world.pass_time(5)
    assert world.get(PODS, "user")["status"]["phase"] == "Running"
