"""An App among another's objects is changed by rights on itself alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.api.support import serving
from tests.server.test_matrix import NoCluster, a_world
from trueup.cluster.resource import Resource
from trueup.model.manifest import Manifest
from trueup.server.access.policy import policy_of
from trueup.server.live.far import Far
from trueup.server.live.objects import Objects, operations
from trueup.server.live.place import Reaches
from trueup.server.world.operations import Apps

POLICY = "p, ann, applications, *, ns:team-a/*, allow"
WHERE = "group=argoproj.io&kind=Application&namespace=argocd&name=bank"
PARENT = "/api/trueup/v1/apps/Kustomization/team-a/web/object"


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"spec": {"project": "bank"}}), ("DELETE", None)])
async def test_rights_on_the_parent_change_no_app_below_it(method: str, body: object) -> None:
    """Else whoever may patch a parent's objects could move a child into a project of others, or write its status."""
    apps = Apps(a_world())
    async with serving(operations(Objects(apps, reaches(apps, Untouched())), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        answer = await served.client.request(method, f"{PARENT}?{WHERE}", json=body, headers={"X-User": "ann"})
        problem = await answer.json()
    assert (answer.status, problem["reason"]) == (403, "Forbidden")
    assert "as an App" in problem["hint"]


async def test_the_app_itself_is_no_object_to_patch_either() -> None:
    apps = Apps(a_world())
    where = "group=kustomize.toolkit.fluxcd.io&kind=Kustomization&namespace=team-a&name=web"
    async with serving(operations(Objects(apps, reaches(apps, Untouched())), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        answer = await served.client.patch(f"{PARENT}?{where}", json={"status": {}}, headers={"X-User": "ann"})
    assert answer.status == 403


class Untouched:
    """A client of our own cluster that nobody may use."""

    impersonates = False

    def of(self, caller: object) -> Any:
        del caller
        return self

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked of the cluster")


def reaches(apps: Apps, cluster: Any = None, far: Far | None = None) -> Reaches:
    return Reaches(cluster or NoCluster(), far, apps.is_app)


FAR = "kind=Secret&namespace=team-a&name=keys"


def far_apps() -> Apps:
    """`web` has its objects in another cluster. Our own is `NoCluster`: it fails whoever asks it."""
    world = a_world()
    known = world.app("Kustomization", "team-a", "web")
    assert known is not None
    spec = {**known.obj["spec"], "kubeConfig": {"secretRef": {"name": "there"}}}
    metadata = {**known.obj["metadata"], "resourceVersion": "1000"}
    world.seen(known.ref, {**known.obj, "metadata": metadata, "spec": spec})
    return Apps(world)


async def test_where_nobody_looks_there_the_answer_says_which_cluster_has_it() -> None:
    apps = far_apps()
    async with serving(operations(Objects(apps, reaches(apps)), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        answer = await served.client.get(f"{PARENT}?{FAR}", headers={"X-User": "ann"})
        problem = await answer.json()
    assert (answer.status, problem["reason"]) == (422, "OtherCluster")
    assert "kubeconfig there" in problem["detail"]


class OneObject:
    """A cluster of one Deployment, that was made anew since somebody looked."""

    impersonates = False

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.patched: list[Manifest] = []

    def of(self, caller: object) -> OneObject:
        del caller
        return self

    @property
    def discovery(self) -> OneObject:
        return self

    async def resource(self, group: str, version: str, kind: str) -> Resource:
        return Resource(group=group, version=version, kind=kind, plural="things", namespaced=kind != "ClusterRole")

    async def get(self, resource: Resource, name: str, namespace: str) -> Manifest:
        metadata = {"name": name, "namespace": namespace, "uid": "anew", "resourceVersion": "9"}
        return {"apiVersion": "apps/v1", "kind": resource.kind, "metadata": metadata}

    async def delete(self, resource: Resource, name: str, namespace: str, *, uid: str, **_: object) -> None:
        self.deleted.append(uid)

    async def merge_patch(
        self, resource: Resource, name: str, namespace: str, patch: Manifest, **_: object
    ) -> Manifest:
        self.patched.append(patch)
        return await self.get(resource, name, namespace)


def with_a_deployment() -> Apps:
    world = a_world()
    known = world.app("Kustomization", "team-a", "web")
    assert known is not None
    role = "_reader_rbac.authorization.k8s.io_ClusterRole"
    entries = [{"id": "team-a_web_apps_Deployment", "v": "v1"}, {"id": role, "v": "v1"}]
    metadata = {**known.obj["metadata"], "resourceVersion": "1000"}
    world.seen(known.ref, {**known.obj, "metadata": metadata, "status": {"inventory": {"entries": entries}}})
    return Apps(world)


async def test_a_delete_that_names_a_uid_leaves_what_took_its_name_alone() -> None:
    apps, cluster = with_a_deployment(), OneObject()
    where = f"{PARENT}?group=apps&kind=Deployment&namespace=team-a&name=web"
    async with serving(operations(Objects(apps, reaches(apps, cluster)), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        refused = await served.client.delete(f"{where}&uid=before", headers={"X-User": "ann"})
        assert (refused.status, cluster.deleted) == (412, [])
        answer = await served.client.delete(f"{where}&uid=anew", headers={"X-User": "ann"})
        assert (answer.status, cluster.deleted) == (202, ["anew"])


@pytest.mark.parametrize(
    ("given", "sent"),
    [('"9"', {"resourceVersion": "9"}), ("*", {"resourceVersion": "9"}), ('"8", "9"', {"resourceVersion": "9"})],
)
async def test_what_was_asked_of_a_version_is_sent_with_it(given: str, sent: dict[str, str]) -> None:
    apps, cluster = with_a_deployment(), OneObject()
    where = f"{PARENT}?group=apps&kind=Deployment&namespace=team-a&name=web"
    async with serving(operations(Objects(apps, reaches(apps, cluster)), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        headers = {"X-User": "ann", "If-Match": given}
        async with served.client.patch(where, json={"spec": {"replicas": 2}}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        async with served.client.patch(
            where, json={"spec": {}}, headers={"X-User": "ann", "If-Match": '"8"'}
        ) as answer:
            assert answer.status == 412
    assert [patch["metadata"] for patch in cluster.patched] == [{"resourceVersion": "9"}]


async def test_rights_in_a_namespace_are_none_on_what_is_in_no_namespace() -> None:
    """The action that a policy allows is made of what the call names: it must name the object as it is."""
    apps, cluster = with_a_deployment(), OneObject()
    rights = (
        "p, ann, applications, get, ns:team-a/*, allow\np, ann, applications, delete/*/*/team-a/*, ns:team-a/*, allow"
    )
    role = f"{PARENT}?group=rbac.authorization.k8s.io&kind=ClusterRole&name=reader"
    async with serving(operations(Objects(apps, reaches(apps, cluster)), apps)) as served:
        served.authority.update(policy_of({"policy.csv": rights}), {})
        statuses = []
        for place in (
            f"{role}&namespace=team-a",
            role,
            f"{PARENT}?group=apps&kind=Deployment&namespace=team-a&name=web",
        ):
            async with served.client.delete(place, headers={"X-User": "ann"}) as answer:
                statuses.append(answer.status)
        assert (statuses, cluster.deleted) == ([404, 403, 202], ["anew"])
