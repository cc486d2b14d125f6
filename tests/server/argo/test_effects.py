"""What calls at Argo CD's paths do to a cluster: Applications, projects and single objects, on the embedded Kubernetes."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.embedded.fixtures import embedded_cluster
from tests.server.api.support import Served, serving
from tests.server.argo.kit import NoController, application, world_of
from tests.server.keeping.test_placekeeping import OneClient
from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.dialects.registry import crds
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, ref_of
from trueup.server.access.policy import policy_of
from trueup.server.argo.whole import operations
from trueup.server.world.trees import Trees
from trueup.server.world.world import World

__all__ = ["embedded_cluster"]

POLICY = """
p, role:shop, applications, *, default/*, allow
p, role:shop, projects, get, shop, allow
g, ann, role:shop
g, boss, role:admin
"""


class Argo:
    """The World is told what the cluster has before each call, as the server's watches would; not while `is_told` is false."""

    is_told = True

    def __init__(self, served: Served, client: KubeClient, world: World, namespace: str) -> None:
        self.served = served
        self.client = client
        self.world = world
        self.namespace = namespace

    async def ask(self, method: str, path: str, body: Any = None, who: str = "ann") -> tuple[int, Any]:
        if self.is_told:
            await self._tell()
        url = f"{self.served.url}/api/v1/{path}"
        async with self.served.client.request(method, url, json=body, headers={"X-User": who}) as answer:
            return answer.status, await answer.json()

    async def _tell(self) -> None:
        for obj in await self._all("argoproj.io", "Application"):
            self.world.seen(ref_of(obj), obj)
        self.world.projects.clear()
        for obj in await self._all("argoproj.io", "AppProject"):
            self.world.projects[obj["metadata"]["name"]] = obj

    async def live(self, group: str, kind: str, name: str) -> Manifest | None:
        return await self.client.get(await self._resource(group, kind), name, self.namespace)

    async def patched(self, patch: Manifest) -> None:
        """As the controller would."""
        resource = await self._resource("argoproj.io", "Application")
        await self.client.merge_patch(resource, "web", self.namespace, patch, manager="test")

    async def _all(self, group: str, kind: str) -> list[Manifest]:
        return await self.client.list_all(await self._resource(group, kind), self.namespace)

    async def _resource(self, group: str, kind: str) -> Any:
        return await self.client.discovery.resource(group, "v1alpha1" if group else "v1", kind)


async def served_kinds(client: KubeClient) -> None:
    for crd in crds():
        if crd["spec"]["group"] != "argoproj.io":
            continue
        try:
            await client.create(crd)
        except ApiError as error:
            if error.code != 409:
                raise
    client.discovery.doubt()


@pytest.fixture
async def argo(embedded_cluster: Any) -> AsyncIterator[Argo]:
    namespace = f"effects-{uuid.uuid4().hex[:8]}"
    async with KubeClient(load_config(embedded_cluster.kubeconfig)) as client:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        await served_kinds(client)
        world = world_of()
        world.control_namespace = namespace
        project = {"metadata": {"name": "shop", "namespace": namespace}, "spec": {"sourceRepos": ["*"]}}
        await client.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", **project})
        async with serving(operations(world, OneClient(client), Trees(), NoController())) as served:
            served.authority.update(policy_of({"policy.csv": POLICY}), {})
            yield Argo(served, client, world, namespace)


async def with_objects(argo: Argo) -> None:
    """An Application whose status says that a ConfigMap and a Secret are its own; another ConfigMap is nobody's."""
    for kind, name in (("ConfigMap", "settings"), ("Secret", "keys"), ("ConfigMap", "strange")):
        data = {"data": {"colour": "blue"}} if kind == "ConfigMap" else {"stringData": {"token": "canary"}}
        await argo.client.create(
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": argo.namespace}, **data}
        )
    made = application("web", project="default", namespace=argo.namespace)
    made["metadata"] = {"name": "web", "namespace": argo.namespace}
    await argo.client.create(made)
    rows = [
        {"kind": kind, "version": "v1", "namespace": argo.namespace, "name": name, "status": "Synced"}
        for kind, name in (("ConfigMap", "settings"), ("Secret", "keys"))
    ]
    await argo.patched({"status": {"sync": {"status": "Synced"}, "resources": rows}})


def at(argo: Argo, kind: str, name: str) -> str:
    return f"applications/web/resource?kind={kind}&version=v1&namespace={argo.namespace}&resourceName={name}"


async def test_an_application_is_changed_whole_by_its_spec_and_by_patches(argo: Argo) -> None:
    await with_objects(argo)
    _, web = await argo.ask("GET", "applications/web")
    status, spec = await argo.ask("PUT", "applications/web/spec", {**web["spec"], "revisionHistoryLimit": 3})
    assert (status, spec.get("revisionHistoryLimit")) == (200, 3), spec
    _, web = await argo.ask("GET", "applications/web")
    web["metadata"]["labels"] = {"team": "a"}
    status, put = await argo.ask("PUT", "applications/web", web)
    assert (status, put["metadata"]["labels"], put["status"]["sync"]) == (200, {"team": "a"}, {"status": "Synced"})
    patch = json.dumps([{"op": "replace", "path": "/spec/source/path", "value": "apps"}])
    status, _ = await argo.ask("PATCH", "applications/web", {"patch": patch, "patchType": "json"})
    live = await argo.live("argoproj.io", "Application", "web") or {}
    assert (status, live["spec"]["source"]["path"], live["metadata"]["labels"]) == (200, "apps", {"team": "a"})
    status, said = await argo.ask("PUT", "applications/web/spec", {**web["spec"], "project": "bank"})
    assert (status, "bank" in said["message"]) == (403, True)
    assert (await argo.ask("PUT", "applications/web/spec", web["spec"], "eve"))[0] == 403


async def test_an_objects_manifest_is_shown_masked_patched_and_deleted_when_it_is_the_applications(argo: Argo) -> None:
    await with_objects(argo)
    status, said = await argo.ask("GET", at(argo, "Secret", "keys"))
    assert (status, "Y2FuYXJ5" in said["manifest"], "canary" in said["manifest"]) == (200, False, False)
    assert json.loads(said["manifest"])["metadata"]["name"] == "keys"
    assert (await argo.ask("GET", at(argo, "ConfigMap", "strange")))[0] == 404
    patch = json.dumps({"data": {"colour": "green"}})
    status, said = await argo.ask(
        "POST", at(argo, "ConfigMap", "settings") + "&patchType=application/merge-patch%2Bjson", patch
    )
    assert (status, json.loads(said["manifest"])["data"]) == (200, {"colour": "green"})
    status, said = await argo.ask(
        "POST", at(argo, "ConfigMap", "settings") + "&patchType=application/json-patch%2Bjson", patch
    )
    assert (status, "merge-patch" in str(said)) == (400, True)
    assert (await argo.ask("DELETE", at(argo, "ConfigMap", "strange")))[0] == 404
    assert await argo.live("", "ConfigMap", "strange") is not None
    assert (await argo.ask("DELETE", at(argo, "ConfigMap", "settings") + "&force=true", who="eve"))[0] == 403
    assert (await argo.ask("DELETE", at(argo, "ConfigMap", "settings") + "&force=true"))[0] == 200
    assert await argo.live("", "ConfigMap", "settings") is None


async def test_an_operation_is_asked_for_and_terminated_in_the_resource(argo: Argo) -> None:
    await with_objects(argo)
    status, web = await argo.ask("POST", "applications/web/sync", {"dryRun": True})
    assert (status, web["operation"]["initiatedBy"]) == (200, {"username": "ann"})
    status, said = await argo.ask("POST", "applications/web/sync", {})
    assert (status, "already in progress" in said["message"]) == (400, True)
    state = {"phase": "Running", "operation": web["operation"], "startedAt": "2026-03-01T00:00:00Z"}
    await argo.patched({"status": {"operationState": state}, "operation": None})
    assert await argo.ask("DELETE", "applications/web/operation") == (200, {})
    live = await argo.live("argoproj.io", "Application", "web") or {}
    assert live["status"]["operationState"]["phase"] == "Terminating"
    await argo.patched({"status": {"operationState": {"phase": "Succeeded"}}})
    status, said = await argo.ask("DELETE", "applications/web/operation")
    assert (status, "Unable to terminate operation" in said["message"]) == (400, True)
    events = await argo.ask("GET", "applications/web/events")
    assert events == (200, {"metadata": {}, "items": []})
    assert (await argo.ask("GET", "applications/web/events", who="eve"))[0] == 403


async def test_what_was_made_a_moment_ago_is_there_though_the_watches_have_not_told_of_it(argo: Argo) -> None:
    argo.is_told = False
    body = application("web", project="default", namespace=argo.namespace)
    status, made = await argo.ask("POST", "applications", body)
    assert status == 200, made
    assert (await argo.ask("POST", "applications", body))[1]["metadata"]["uid"] == made["metadata"]["uid"]
    other = {**body, "spec": {**body["spec"], "revisionHistoryLimit": 3}}
    status, said = await argo.ask("POST", "applications", other)
    assert (status, "use upsert" in said["message"]) == (400, True)
    assert (await argo.ask("POST", "applications?upsert=true", other))[1]["spec"]["revisionHistoryLimit"] == 3
    project = {"project": {"metadata": {"name": "new"}, "spec": {"description": "a"}}}
    assert [(await argo.ask("POST", "projects", project, "boss"))[0] for _ in range(2)] == [200, 200]


async def test_an_application_goes_with_or_without_what_it_made(argo: Argo) -> None:
    await with_objects(argo)
    status, said = await argo.ask("DELETE", "applications/web?cascade=false&propagationPolicy=foreground")
    assert (status, "cascading" in str(said)) == (400, True)
    assert (await argo.ask("DELETE", "applications/web?cascade=false"))[0] == 200
    assert await argo.live("argoproj.io", "Application", "web") is None
    assert await argo.live("", "ConfigMap", "settings") is not None


async def test_a_project_is_made_changed_and_deleted_by_whom_may_and_nobodys_change_is_lost(argo: Argo) -> None:
    body = {"project": {"metadata": {"name": "bank"}, "spec": {"sourceRepos": ["https://git.example.com/*"]}}}
    assert (await argo.ask("POST", "projects", body))[0] == 403
    status, made = await argo.ask("POST", "projects", body, "boss")
    assert (status, made["spec"]["sourceRepos"]) == (200, ["https://git.example.com/*"])
    assert (await argo.ask("POST", "projects", body, "boss"))[0] == 200
    other = {"project": {"metadata": {"name": "bank"}, "spec": {"sourceRepos": ["*"]}}}
    status, said = await argo.ask("POST", "projects", other, "boss")
    assert (status, "upsert" in said["message"]) == (400, True)
    assert (await argo.ask("POST", "projects", {**other, "upsert": True}, "boss"))[0] == 200
    live = await argo.live("argoproj.io", "AppProject", "bank") or {}
    assert live["spec"]["sourceRepos"] == ["*"]
    stale = {"project": {**made, "spec": {"sourceRepos": ["https://late.example.com/*"]}}}
    assert (await argo.ask("PUT", "projects/bank", stale, "boss"))[0] == 409
    assert (await argo.ask("GET", "projects/bank", who="ann"))[0] == 403
    _, detailed = await argo.ask("GET", "projects/shop/detailed")
    assert detailed["project"]["metadata"]["name"] == "shop"
    assert await argo.ask("GET", "projects/shop/syncwindows") == (200, {"windows": []})
    project = await argo.live("argoproj.io", "AppProject", "shop") or {}
    about = {"kind": "AppProject", "name": "shop", "namespace": argo.namespace, "uid": project["metadata"]["uid"]}
    metadata = {"name": "shop.1", "namespace": argo.namespace}
    event = {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, "message": "changed"}
    await argo.client.create(event)
    status, events = await argo.ask("GET", "projects/shop/events")
    assert (status, [one["message"] for one in events["items"]]) == (200, ["changed"])
    assert (await argo.ask("GET", "projects/bank/events"))[0] == 403
    assert (await argo.ask("DELETE", "projects/shop"))[0] == 403
    assert (await argo.ask("DELETE", "projects/bank", who="boss"))[0] == 200
    assert await argo.live("argoproj.io", "AppProject", "bank") is None
    assert (await argo.ask("GET", "projects/bank", who="boss"))[0] == 404
