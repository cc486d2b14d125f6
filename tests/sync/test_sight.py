"""What people see of a live object at a glance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trueup.model.refs import ObjectRef
from trueup.model.sight import Sight
from trueup.sync.sight import _READERS, sight_of


def obj(api_version: str, kind: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, **parts}


TEMPLATE = {"spec": {"initContainers": [{"image": "init:1"}], "containers": [{"image": "web:2"}, {"image": "web:2"}]}}


def test_a_workload_shows_its_images_once_and_how_many_are_ready() -> None:
    seen = sight_of(
        obj("apps/v1", "Deployment", spec={"replicas": 3, "template": TEMPLATE}, status={"readyReplicas": 2})
    )
    assert (seen.images, seen.ready, seen.wanted) == (("init:1", "web:2"), 2, 3)


def test_a_workload_that_says_nothing_of_replicas_wants_one() -> None:
    seen = sight_of(obj("apps/v1", "StatefulSet", spec={"template": TEMPLATE}))
    assert (seen.ready, seen.wanted) == (0, 1)
    assert sight_of(obj("apps/v1", "Deployment", spec={"replicas": 0})).wanted == 0


def test_a_daemon_set_wants_as_many_as_are_scheduled() -> None:
    seen = sight_of(obj("apps/v1", "DaemonSet", status={"desiredNumberScheduled": 5, "numberReady": 4}))
    assert (seen.ready, seen.wanted) == (4, 5)


def test_a_pod_that_crashes_says_why_how_often_and_where() -> None:
    statuses = [
        {"name": "web", "ready": False, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        {"name": "side", "ready": True, "restartCount": 1, "state": {"running": {}}},
    ]
    spec = {"nodeName": "node-1", "containers": [{"image": "web:2"}, {"image": "side:1"}]}
    seen = sight_of(obj("v1", "Pod", spec=spec, status={"phase": "Running", "containerStatuses": statuses}))
    assert (seen.phase, seen.reason, seen.restarts, seen.node) == ("Running", "CrashLoopBackOff", 8, "node-1")
    assert (seen.ready, seen.wanted, seen.images) == (1, 2, ("web:2", "side:1"))


def test_what_every_pod_goes_through_is_no_reason() -> None:
    init = [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]
    main = [{"state": {"waiting": {"reason": "PodInitializing"}}}]
    seen = sight_of(obj("v1", "Pod", status={"initContainerStatuses": init, "containerStatuses": main}))
    assert seen.reason == ""


def test_a_pod_that_was_evicted_says_so() -> None:
    assert sight_of(obj("v1", "Pod", status={"phase": "Failed", "reason": "Evicted"})).reason == "Evicted"


def test_a_job_shows_how_it_ended() -> None:
    status = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    seen = sight_of(obj("batch/v1", "Job", spec={"completions": 2, "template": TEMPLATE}, status=status))
    assert (seen.ready, seen.wanted, seen.phase) == (1, 2, "Complete")


def test_a_suspended_cron_job_says_so_and_shows_its_images() -> None:
    seen = sight_of(obj("batch/v1", "CronJob", spec={"suspend": True, "jobTemplate": {"spec": {"template": TEMPLATE}}}))
    assert (seen.phase, seen.images) == ("Suspended", ("init:1", "web:2"))


def test_an_ingress_leads_to_services_under_its_names() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    spec = {
        "rules": [{"host": "shop.example.com", "http": {"paths": [{"backend": backend}]}}],
        "defaultBackend": backend,
    }
    status = {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}, {"hostname": "lb.example.com"}]}}
    seen = sight_of(obj("networking.k8s.io/v1", "Ingress", spec=spec, status=status))
    assert seen.hosts == ("shop.example.com", "lb.example.com")
    assert seen.addresses == ("10.0.0.7",)
    assert seen.targets == (ObjectRef("", "Service", "shop", "web"),)


def test_an_endpoint_slice_leads_from_a_service_to_its_pods() -> None:
    target = {"kind": "Pod", "name": "web-a", "namespace": "shop"}
    endpoints = [
        {"targetRef": target, "conditions": {"ready": True}},
        {"targetRef": {**target, "name": "web-b"}, "conditions": {"ready": False}},
    ]
    seen = sight_of(obj("discovery.k8s.io/v1", "EndpointSlice", endpoints=endpoints))
    assert seen.targets == (ObjectRef("", "Pod", "shop", "web-a"), ObjectRef("", "Pod", "shop", "web-b"))
    assert (seen.ready, seen.wanted) == (1, 2)


def test_a_route_leads_to_its_backends_in_other_namespaces_too() -> None:
    spec = {
        "hostnames": ["a.example.com"],
        "rules": [{"backendRefs": [{"name": "web"}, {"name": "db", "namespace": "x"}]}],
    }
    seen = sight_of(obj("gateway.networking.k8s.io/v1", "HTTPRoute", spec=spec))
    assert seen.hosts == ("a.example.com",)
    assert seen.targets == (ObjectRef("", "Service", "shop", "web"), ObjectRef("", "Service", "x", "db"))


def test_a_headless_service_has_no_address() -> None:
    assert sight_of(obj("v1", "Service", spec={"clusterIPs": ["None"]})).addresses == ()
    seen = sight_of(obj("v1", "Service", spec={"clusterIPs": ["10.0.0.1"], "type": "ClusterIP"}))
    assert (seen.addresses, seen.phase) == (("10.0.0.1",), "ClusterIP")


def test_an_autoscaler_names_what_it_scales() -> None:
    scales = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    seen = sight_of(obj("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": scales}))
    assert seen.targets == (ObjectRef("apps", "Deployment", "shop", "web"),)


def test_owners_and_age_are_read_of_every_kind() -> None:
    metadata = {"name": "x", "creationTimestamp": "2026-11-23T10:00:00Z", "ownerReferences": [{"uid": "u1"}]}
    seen = sight_of({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata})
    assert seen == Sight(created=datetime(2026, 11, 23, 10, tzinfo=UTC), owners=("u1",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["replicas", "template", "spec", "containers", "image", "rules", "http", "paths", "backend", "service", "state",
         "waiting", "reason", "name", "conditions", "loadBalancer", "ingress", "targetRef", "containerStatuses"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(group_kind=st.sampled_from(sorted(_READERS)), spec=JSON, status=JSON, rest=JSON)
def test_no_shape_of_an_object_is_a_fault(group_kind: Any, spec: Any, status: Any, rest: Any) -> None:
    api_version = f"{group_kind.group}/v1" if group_kind.group else "v1"
    sight_of(obj(api_version, group_kind.kind, spec=spec, status=status, endpoints=rest))


INGRESS = {
    "rules": [
        {"host": "shop.example.com", "http": {"paths": [{"path": "/"}, {"path": "/api/*"}]}},
        {"host": "plain.example.com"},
        {"host": "*.example.com"},
        {"http": {"paths": [{}]}},
    ],
    "tls": [{"hosts": ["*.example.com"]}],
}
BALANCED = {"loadBalancer": {"ingress": [{"ip": "10.0.0.7"}]}}


def test_an_ingress_tells_where_a_browser_gets_in() -> None:
    ingress = obj("networking.k8s.io/v1", "Ingress", spec=INGRESS, status=BALANCED)
    assert sight_of(ingress).urls == (
        "https://shop.example.com/",
        "https://shop.example.com/api/",
        "https://plain.example.com/",
        "http://10.0.0.7/",
    )
    secured = {**INGRESS, "tls": [{"secretName": "for all of them"}]}
    assert all(url.startswith("https://") for url in sight_of({**ingress, "spec": secured}).urls)


def test_any_object_may_name_addresses_and_an_ingress_may_say_that_its_own_are_none() -> None:
    annotations = {
        "link.argocd.argoproj.io/b": "Shop|https://b",
        "link.argocd.argoproj.io/a": "https://a",
        "argocd.argoproj.io/ignore-default-links": "true",
        "other": "https://x",
    }
    for kind, spec in (("ConfigMap", {}), ("Ingress", INGRESS)):
        live = obj("networking.k8s.io/v1" if spec else "v1", kind, spec=spec)
        live["metadata"]["annotations"] = annotations
        assert sight_of(live).urls == ("https://a", "Shop|https://b")
