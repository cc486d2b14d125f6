"""Logs of simulated pods: the lines asked for, following until the container ends, evictions and tokens as kubectl uses them."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.kubectl import Kubectl

PATIENCE = 30.0


@pytest.fixture
async def server(embedded_cluster: EmbeddedCluster, namespace_name: str) -> AsyncIterator[Server]:
    async with Server(embedded_cluster.kubeconfig) as found:
        await found.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_name}})
        yield found


async def make_pod(server: Server, namespace: str, name: str, phase: str, **spec: Any) -> None:
    """A pod that has come to a phase."""
    annotations = spec.pop("annotations", {})
    containers = spec.pop("containers", [{"name": "c", "image": "i"}])
    pod = {
        "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations},
        "spec": {"containers": containers, **spec},
    }
    deadline = time.monotonic() + PATIENCE
    while (made := await server.send("POST", f"/api/v1/namespaces/{namespace}/pods", pod))[0] != 201:
        assert time.monotonic() < deadline, made  # its service account comes first
        await asyncio.sleep(0.05)
    await until(server, namespace, name, lambda status: status.get("phase") == phase)


async def until(server: Server, namespace: str, name: str, condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        _, pod = await server.send("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")
        if condition(pod.get("status") or {}):
            return
        assert time.monotonic() < deadline, pod
        await asyncio.sleep(0.05)


async def log_of(server: Server, namespace: str, name: str, query: str = "") -> tuple[int, Any]:
    return await server.send("GET", f"/api/v1/namespaces/{namespace}/pods/{name}/log?{query}")


async def test_the_lines_that_are_asked_for_are_shown(server: Server, namespace_name: str) -> None:
    await make_pod(server, namespace_name, "a", "Running")
    _, text = await log_of(server, namespace_name, "a")
    lines = text.splitlines()
    assert lines[0] == "simulated container c (i) starts"
    assert (await log_of(server, namespace_name, "a", "tailLines=1"))[1].splitlines() == lines[-1:]
    assert (await log_of(server, namespace_name, "a", "tailLines=0"))[1] == ""
    assert (await log_of(server, namespace_name, "a", "limitBytes=9"))[1] == "simulated"
    assert (await log_of(server, namespace_name, "a", "sinceSeconds=3600"))[1] == text
    assert (await log_of(server, namespace_name, "a", "sinceTime=2999-01-01T00:00:00Z"))[1] == ""
    stamped = (await log_of(server, namespace_name, "a", "timestamps=true"))[1].splitlines()
    assert [line.split(" ", 1)[1] for line in stamped] == lines
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line) for line in stamped)


async def test_a_followed_log_goes_on_until_the_container_ends(server: Server, namespace_name: str) -> None:
    await make_pod(
        server,
        namespace_name,
        "job",
        "Running",
        annotations={"simulate.trueup.dev/duration": "2s"},
        restartPolicy="Never",
    )
    async with asyncio.timeout(PATIENCE):
        _, text = await log_of(server, namespace_name, "job", "follow=true")
    assert text.splitlines()[-1] == "done, exit code 0"
    await until(server, namespace_name, "job", lambda status: status.get("phase") in ("Succeeded", "Failed"))
    assert (await log_of(server, namespace_name, "job"))[1] == text


async def test_a_followed_log_ends_with_its_pod(server: Server, namespace_name: str) -> None:
    await make_pod(server, namespace_name, "a", "Running")
    following = asyncio.create_task(log_of(server, namespace_name, "a", "follow=true"))
    await asyncio.sleep(0)
    path = f"/api/v1/namespaces/{namespace_name}/pods/a"
    await server.send("DELETE", path, {"gracePeriodSeconds": 0})
    async with asyncio.timeout(PATIENCE):
        status, _ = await following
    assert status in (200, 404)


async def test_a_crashed_containers_last_log_is_the_previous_one(server: Server, namespace_name: str) -> None:
    await make_pod(server, namespace_name, "ill", "Running", containers=[{"name": "c", "image": "web:crash"}])
    await until(
        server,
        namespace_name,
        "ill",
        lambda status: (status.get("containerStatuses") or [{}])[0].get("lastState", {}).get("terminated"),
    )
    assert (
        "crashes (simulated by rule), exit code 1" in (await log_of(server, namespace_name, "ill", "previous=true"))[1]
    )


async def test_a_container_that_never_ran_says_what_it_waits_for(server: Server, namespace_name: str) -> None:
    await make_pod(server, namespace_name, "stuck", "Pending", containers=[{"name": "c", "image": "web:broken"}])
    await until(
        server,
        namespace_name,
        "stuck",
        lambda status: (
            (status.get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {}).get("reason")
            in ("ErrImagePull", "ImagePullBackOff")
        ),
    )
    status, answer = await log_of(server, namespace_name, "stuck")
    assert status == 400
    assert answer["message"] in (
        'container "c" in pod "stuck" is waiting to start: image can\'t be pulled',
        'container "c" in pod "stuck" is waiting to start: trying and failing to pull image',
    )


async def test_a_budget_lets_one_pod_go_at_a_time(server: Server, namespace_name: str) -> None:
    deployment = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    await server.send("POST", f"/apis/apps/v1/namespaces/{namespace_name}/deployments", deployment)
    budgets = f"/apis/policy/v1/namespaces/{namespace_name}/poddisruptionbudgets"
    await server.send("POST", budgets, budget)
    await _allows(server, f"{budgets}/web", 1)
    _, pods = await server.send("GET", f"/api/v1/namespaces/{namespace_name}/pods?labelSelector=app=web")
    first, second = (each["metadata"]["name"] for each in pods["items"])
    path = f"/api/v1/namespaces/{namespace_name}/pods"
    assert (await server.send("POST", f"{path}/{first}/eviction", {"metadata": {"name": first}}))[0] == 201
    status, answer = await server.send("POST", f"{path}/{second}/eviction", {"metadata": {"name": second}})
    assert status == 429
    assert answer["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert answer["details"]["causes"][0]["reason"] == "DisruptionBudget"
    await _allows(server, f"{budgets}/web", 1)  # when another pod has taken the first one's place
    assert "disruptedPods" not in (await server.send("GET", f"{budgets}/web"))[1]["status"]
    assert (await server.send("POST", f"{path}/{second}/eviction", {"metadata": {"name": second}}))[0] == 201


async def _allows(server: Server, path: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := (await server.send("GET", path))[1].get("status", {})).get("disruptionsAllowed") != count:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def test_a_token_is_accepted_until_what_it_is_bound_to_is_gone(server: Server, namespace_name: str) -> None:
    await make_pod(server, namespace_name, "a", "Running")
    accounts = f"/api/v1/namespaces/{namespace_name}/serviceaccounts"
    body = {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "a"}}}
    status, answer = await server.send("POST", f"{accounts}/default/token", body)
    assert status == 201
    review = {"spec": {"token": answer["status"]["token"]}}
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    _, reviewed = await server.send("POST", reviews, review)
    assert reviewed["status"]["authenticated"] is True
    assert reviewed["status"]["user"]["username"] == f"system:serviceaccount:{namespace_name}:default"
    await server.send("DELETE", f"/api/v1/namespaces/{namespace_name}/pods/a", {"gracePeriodSeconds": 0})
    deadline = time.monotonic() + PATIENCE
    while (await server.send("POST", reviews, review))[1]["status"].get("authenticated"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@pytest.mark.real
async def test_kubectl_shows_logs_and_tokens(
    server: Server, namespace_name: str, kubectl: Kubectl, embedded_cluster: EmbeddedCluster
) -> None:
    await make_pod(server, namespace_name, "a", "Running")
    run = ("-n", namespace_name)
    logs = (await kubectl.run(embedded_cluster.kubeconfig, *run, "logs", "a")).check().stdout
    assert logs.startswith("simulated container c (i) starts\n")
    tail = (await kubectl.run(embedded_cluster.kubeconfig, *run, "logs", "a", "--tail=1", "--since=1h")).check()
    assert tail.stdout == logs.splitlines(keepends=True)[-1]
    previous = await kubectl.run(embedded_cluster.kubeconfig, *run, "logs", "a", "--previous")
    assert 'previous terminated container "c" in pod "a" not found' in previous.stderr
    following = await kubectl.start(embedded_cluster.kubeconfig, *run, "logs", "-f", "a")
    await server.send("DELETE", f"/api/v1/namespaces/{namespace_name}/pods/a", {"gracePeriodSeconds": 0})
    async with asyncio.timeout(PATIENCE):
        await following.communicate()
    token = (await kubectl.run(embedded_cluster.kubeconfig, *run, "create", "token", "default")).check().stdout
    assert token.count(".") == 2
