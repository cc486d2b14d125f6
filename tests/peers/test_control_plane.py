"""The real control plane does what tests rely on. Needs the built peers."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl
from tests.peers.kubelet import ContainerLog, Kubelet
from tests.peers.pins import KUBERNETES, read_pin

pytestmark = pytest.mark.real

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]},
        },
    },
}


async def test_kubectl_and_server_are_of_the_pinned_release(control_plane: ControlPlane, kubectl: Kubectl) -> None:
    said = json.loads((await kubectl.run(control_plane.kubeconfig, "version", "-o", "json")).check().stdout)
    pinned = read_pin(KUBERNETES).version
    assert said["clientVersion"]["gitVersion"] == pinned
    assert said["serverVersion"]["gitVersion"] == pinned
    assert (said["serverVersion"]["major"], said["serverVersion"]["minor"]) == tuple(pinned[1:].split(".")[:2])


async def test_an_applied_deployment_rolls_out_and_its_pods_go_with_it(
    control_plane: ControlPlane, kubectl: Kubectl, real_namespace: str
) -> None:
    await control_plane.nodes_ready()

    async def run(*arguments: str, input: str | None = None) -> str:  # noqa: A002
        done = await kubectl.run(control_plane.kubeconfig, "-n", real_namespace, *arguments, input=input)
        return done.check().stdout

    assert await run("apply", "-f", "-", input=json.dumps(DEPLOYMENT)) == "deployment.apps/web created\n"
    assert "successfully rolled out" in await run("rollout", "status", "deployment/web", "--timeout=30s")
    pods = json.loads(await run("get", "pods", "-o", "json"))["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    await run("delete", "deployment", "web", "--cascade=foreground", "--timeout=30s")
    assert json.loads(await run("get", "pods,replicasets", "-o", "json"))["items"] == []


async def test_another_user_may_do_only_what_rbac_says(
    control_plane: ControlPlane, kubectl: Kubectl, real_namespace: str
) -> None:
    jane = control_plane.kubeconfig_for("jane", "developers")
    refused = await kubectl.run(jane, "-n", real_namespace, "get", "pods")
    assert refused.returncode == 1
    assert 'User "jane" cannot list resource "pods"' in refused.stderr
    grant = ("create", "rolebinding", "view", "--clusterrole=view", "--group=developers", "-n", real_namespace)
    (await kubectl.run(control_plane.kubeconfig, *grant)).check()

    async def allowed() -> bool:  # the authorizer reads its watch cache
        return (await kubectl.run(jane, "-n", real_namespace, "get", "pods")).returncode == 0

    await control_plane.wait_until(allowed, "jane may list pods")


async def test_requests_are_counted(control_plane: ControlPlane) -> None:
    before = await control_plane.request_counts()
    for _ in range(3):
        await control_plane.get("/api/v1/namespaces/kube-public/configmaps")
    new = await control_plane.request_counts() - before
    assert sum(n for request, n in new.items() if (request.verb, request.resource) == ("LIST", "configmaps")) == 3


class TestFaults:
    """On a control plane of their own, so that no other test loses its server."""

    @pytest.fixture
    async def server(self) -> AsyncIterator[ControlPlane]:
        server = ControlPlane(controllers=False)
        await server.start()
        yield server
        await server.stop()

    async def test_what_was_written_is_there_after_the_api_server_was_killed(
        self, server: ControlPlane, kubectl: Kubectl
    ) -> None:
        url, pid = server.url, server.pid("kube-apiserver")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}}
        await server.send("POST", "/api/v1/namespaces", namespace)
        await server.kill_apiserver()
        refused = await kubectl.run(server.kubeconfig, "get", "ns", "kept")
        assert "connection refused" in refused.stderr or "was refused" in refused.stderr
        await server.start_apiserver()
        assert server.url == url
        assert server.pid("kube-apiserver") not in (None, pid)
        assert (await server.get("/api/v1/namespaces/kept"))["metadata"]["name"] == "kept"

    async def test_a_frozen_api_server_answers_nothing_until_it_goes_on(
        self, server: ControlPlane, kubectl: Kubectl
    ) -> None:
        async with server.frozen():
            with pytest.raises(TimeoutError):
                await kubectl.run(server.kubeconfig, "get", "ns", within=1)
        (await kubectl.run(server.kubeconfig, "get", "ns")).check()

    def test_stopping_leaves_no_file(self) -> None:
        server = ControlPlane(controllers=False)
        asyncio.run(server.start())
        folder = server.kubeconfig.parent
        assert folder.is_dir()
        asyncio.run(server.stop())
        assert not folder.exists()


async def test_kubectl_reads_logs_from_the_kubelet_of_a_simulated_node(kubectl: Kubectl) -> None:
    log = ContainerLog([("2026-01-02T03:04:05.5Z", "now")], [("2026-01-01T00:00:00Z", "before")])
    server = ControlPlane(nodes=1, kubelet=Kubelet(["default"], {"web": log}))
    await server.start()
    try:
        await server.nodes_ready()
        await server.service_account_ready("default")
        (await kubectl.run(server.kubeconfig, "run", "web", "--image=i")).check()
        running = ("wait", "pod/web", "--for=jsonpath={.status.phase}=Running", "--timeout=30s")
        (await kubectl.run(server.kubeconfig, *running)).check()
        said = await kubectl.run(server.kubeconfig, "logs", "web", "--timestamps")
        assert said.check().stdout == "2026-01-02T03:04:05.500000000Z now\n"
        assert (await kubectl.run(server.kubeconfig, "logs", "web", "--previous")).check().stdout == "before\n"
    finally:
        await server.stop()
