"""The client of in-process controllers: the same rules as over HTTP, the same errors, and nothing missed between list and watch."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from trueup.embedded.api.local import LocalClient
from trueup.embedded.server import Cluster, Settings, running
from trueup.embedded.storage.keys import Resource
from trueup.model.apierror import ApiError

MAPS, DEPLOYMENTS = Resource("", "configmaps"), Resource("apps", "deployments")
HPAS = Resource("autoscaling", "horizontalpodautoscalers")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    settings = Settings(data_dir=tmp_path, kubeconfig=tmp_path / "kubeconfig", in_memory=True, workloads=False)
    async with contextlib.AsyncExitStack() as stack:
        yield await stack.enter_async_context(running(settings))


@pytest.fixture
def client(cluster: Cluster) -> LocalClient:
    return cluster.client("kube-controller-manager")


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def deployment(name: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


async def test_what_it_writes_is_defaulted_owned_and_watched(client: LocalClient) -> None:
    watch = client.watch(DEPLOYMENTS)
    made = await client.create(DEPLOYMENTS, deployment("web"))
    assert made["spec"]["replicas"] == 1
    assert made["metadata"]["managedFields"][0]["manager"] == "kube-controller-manager"
    assert [event.record.manifest for event in watch.ready()] == [client.get(DEPLOYMENTS, "default", "web")]


async def test_a_status_update_leaves_the_spec_and_its_generation(client: LocalClient) -> None:
    made = await client.create(DEPLOYMENTS, deployment("web"))
    changed = made | {"status": {"replicas": 3}, "spec": made["spec"] | {"replicas": 9}}
    after = await client.update(DEPLOYMENTS, changed, "status")
    assert (after["status"]["replicas"], after["spec"]["replicas"], after["metadata"]["generation"]) == (3, 1, 1)


async def test_a_stale_update_conflicts_and_the_same_again_is_no_write(client: LocalClient) -> None:
    made = await client.create(MAPS, config_map("a", k="v"))
    await client.update(MAPS, made | {"data": {"k": "w"}})
    with pytest.raises(ApiError) as refused:
        await client.update(MAPS, made | {"data": {"k": "x"}})
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    version = client.resource_version
    await client.patch(MAPS, "default", "a", {"data": {"k": "w"}})
    assert client.resource_version == version


async def test_deletes_hold_their_preconditions_and_write_down_the_propagation(client: LocalClient) -> None:
    made = await client.create(MAPS, config_map("a"))
    with pytest.raises(ApiError):
        await client.delete(MAPS, "default", "a", uid="another")
    await client.delete(MAPS, "default", "a", uid=made["metadata"]["uid"], propagation="Foreground")
    waiting = client.get(MAPS, "default", "a")
    assert waiting is not None
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    await client.update(MAPS, waiting | {"metadata": waiting["metadata"] | {"finalizers": []}})
    assert client.get(MAPS, "default", "a") is None
    with pytest.raises(ApiError) as refused:
        await client.delete(MAPS, "default", "a")
    assert refused.value.is_not_found


async def test_kinds_are_found_by_what_owner_references_say(client: LocalClient) -> None:
    found = client.by_kind("autoscaling/v1", "HorizontalPodAutoscaler")
    assert found is not None
    assert (found.resource, found.api_version, found.namespaced) == (HPAS, "autoscaling/v2", True)
    assert client.by_kind("nobody.example.com/v1", "Thing") is None
    served = {each.resource for each in client.served()}
    assert {MAPS, DEPLOYMENTS, HPAS} <= served
    assert Resource("authorization.k8s.io", "subjectaccessreviews") not in served


async def test_a_namespace_goes_when_finalized(client: LocalClient) -> None:
    namespaces = Resource("", "namespaces")
    made = await client.create(namespaces, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gone"}})
    await client.delete(namespaces, "", "gone")
    ending = client.get(namespaces, "", "gone")
    assert ending is not None
    assert ending["status"]["phase"] == "Terminating"
    with pytest.raises(ApiError) as refused:
        await client.create(MAPS, config_map("late") | {"metadata": {"name": "late", "namespace": "gone"}})
    assert refused.value.reason == "Forbidden"
    await client.update(namespaces, ending | {"spec": {}}, "finalize")
    assert client.get(namespaces, "", "gone") is None
    assert made["spec"]["finalizers"] == ["kubernetes"]
