"""What a person may decide of an App, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.api.support import Served, serving
from tests.server.argo.kit import application
from tests.server.test_matrix import a_world, kustomization
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, ref_of
from trueup.server.access.policy import policy_of
from trueup.server.acting.apps import Acting, operations
from trueup.server.acting.decided import fresh, says_the_same, with_decided
from trueup.server.world.operations import Apps

POLICY = """
p, ann, applications, *, ns:team-a/*, allow
p, ann, applications, *, shop/*, allow
"""


class Cluster:
    """One object, and who writes it: as an API server, refusing old versions."""

    def __init__(self, live: Manifest) -> None:
        self.live = live
        self.written: list[Manifest] = []
        self.deleted: list[str] = []
        self.others = 0
        """How often somebody else writes between a look and a write."""

    @property
    def discovery(self) -> Cluster:
        return self

    def of(self, caller: object) -> Cluster:
        del caller
        return self

    async def resource(self, *_: str) -> None:
        return None

    async def get(self, *_: object) -> Manifest:
        return self.live

    async def replace(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        if self.others:
            self.others -= 1
            newer = str(int(self.live["metadata"]["resourceVersion"]) + 1)
            self.live = {**self.live, "metadata": {**self.live["metadata"], "resourceVersion": newer}}
        if manifest["metadata"]["resourceVersion"] != self.live["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        if not dry_run:
            self.written.append(manifest)
        return manifest

    async def create(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        self.written.append(manifest)
        return manifest

    async def merge_patch(self, _resource: object, _name: str, _namespace: str, body: Any, *, manager: str) -> Manifest:
        self.written.append(body)
        return self.live

    async def delete(self, *_: object, uid: str, propagation: str) -> None:
        self.deleted.append(uid)


@pytest.fixture
def cluster() -> Cluster:
    live = kustomization("team-a")
    live["status"] = {"inventory": {"entries": [{"id": "team-a_web_apps_Deployment", "v": "v1"}]}}
    live["metadata"]["finalizers"] = ["finalizers.fluxcd.io"]
    return Cluster(live)


@pytest.fixture
async def served(cluster: Cluster) -> AsyncIterator[Served]:
    world = a_world()
    world.seen(ref_of(cluster.live), cluster.live)
    apps = Apps(world)
    async with serving(operations(Acting(world, apps, cluster), apps)) as served:  # type: ignore[arg-type]
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        yield served


APP = "/api/trueup/v1/apps/Kustomization/team-a/web"
ANN = {"X-User": "ann"}


async def test_a_status_that_a_client_writes_is_not_taken_for_it_says_what_is_pruned(
    served: Served, cluster: Cluster
) -> None:
    forged = kustomization("team-a")
    forged["spec"]["interval"] = "2m"
    forged["status"] = {"inventory": {"entries": [{"id": "kube-system_dns_apps_Deployment", "v": "v1"}]}}
    forged["metadata"] |= {"finalizers": [], "ownerReferences": [{"uid": "x"}], "uid": "another"}
    async with served.client.put(APP, json=forged, headers=ANN) as answer:
        assert answer.status == 200, await answer.text()
    (written,) = cluster.written
    assert written["spec"]["interval"] == "2m"
    assert written["status"] == cluster.live["status"]
    assert written["metadata"] == cluster.live["metadata"]


async def test_a_resource_that_is_made_has_only_what_people_decide(served: Served, cluster: Cluster) -> None:
    made = kustomization("team-a") | {"status": {"inventory": {"entries": []}}}
    made["metadata"] = {"name": "new", "namespace": "team-a", "labels": {"a": "b"}, "finalizers": ["x"], "uid": "y"}
    async with served.client.post("/api/trueup/v1/apps", json=made, headers=ANN) as answer:
        assert answer.status == 201, await answer.text()
    (written,) = cluster.written
    assert set(written) == {"apiVersion", "kind", "metadata", "spec"}
    assert written["metadata"] == {"name": "new", "namespace": "team-a", "labels": {"a": "b"}}


async def test_a_status_that_is_written_meanwhile_is_no_conflict_for_a_person(served: Served, cluster: Cluster) -> None:
    cluster.others = 2
    wanted = kustomization("team-a")
    del wanted["metadata"]["resourceVersion"]
    async with served.client.put(APP, json=wanted, headers=ANN) as answer:
        assert answer.status == 200, await answer.text()
    assert cluster.written[0]["metadata"]["resourceVersion"] == "3"


@pytest.mark.parametrize("by", ["body", "header"])
async def test_who_names_a_version_decides_on_that_one_alone(served: Served, cluster: Cluster, by: str) -> None:
    wanted, headers = kustomization("team-a"), dict(ANN)
    wanted["metadata"]["resourceVersion"] = "7" if by == "body" else ""
    if by == "header":
        headers["If-Match"] = '"7"'
    async with served.client.put(APP, json=wanted, headers=headers) as answer:
        assert answer.status == 412
    assert not cluster.written


async def test_a_refused_creation_says_in_the_audit_log_what_was_to_be_made(served: Served) -> None:
    for who, status in (("ann", 400), ("stranger", 404)):
        bare = {key: value for key, value in kustomization("team-a").items() if key != "spec"}
        async with served.client.post("/api/trueup/v1/apps", json=bare, headers={"X-User": who}) as answer:
            assert answer.status == status, await answer.text()
        told = served.diary.entries[-1]
        assert (told.target, told.result) == ("Kustomization/team-a/web", "refused")


async def test_a_resource_without_a_spec_is_refused_by_what_it_lacks(served: Served, cluster: Cluster) -> None:
    bare = {key: value for key, value in kustomization("team-a").items() if key != "spec"}
    async with served.client.put(APP, json=bare, headers=ANN) as answer:
        assert (answer.status, (await answer.json())["field"]) == (400, "spec")
    assert not cluster.written


async def test_a_dry_run_writes_nothing(served: Served, cluster: Cluster) -> None:
    async with served.client.put(APP + "?dryRun=true", json=kustomization("team-a"), headers=ANN) as answer:
        assert answer.status == 200, await answer.text()
    assert not cluster.written
    told = served.diary.entries[-1]
    assert (told.before, told.after, told.message) == ("", "", "only tried: nothing was changed")


async def test_a_delete_carries_the_uid_of_what_was_looked_at_and_keeps_objects_when_asked(
    served: Served, cluster: Cluster
) -> None:
    async with served.client.delete(APP + "?keepObjects=true", headers=ANN) as answer:
        assert answer.status == 202, await answer.text()
    assert cluster.written == [{"spec": {"deletionPolicy": "Orphan"}, "metadata": {"resourceVersion": "1"}}]
    assert cluster.deleted == ["team-a"]


async def test_a_delete_that_names_a_uid_leaves_another_of_that_name_alone(served: Served, cluster: Cluster) -> None:
    async with served.client.delete(APP + "?keepObjects=true&uid=another", headers=ANN) as answer:
        assert answer.status == 412, await answer.text()
    assert (cluster.written, cluster.deleted) == ([], [])
    async with served.client.delete(APP + "?uid=team-a", headers=ANN) as answer:
        assert answer.status == 202, await answer.text()
    assert cluster.deleted == ["team-a"]


async def test_an_application_moves_only_into_a_project_that_its_mover_may_change(
    served: Served, cluster: Cluster
) -> None:
    cluster.live = application("web", project="shop")
    moved = application("web", project="bank")
    for one in (cluster.live, moved):
        one["metadata"]["resourceVersion"] = "1"
    async with served.client.post("/api/trueup/v1/apps", json=moved, headers=ANN) as answer:
        assert answer.status == 404, "a project that is not theirs is not there"
    assert not cluster.written


def test_labels_that_are_left_out_stay() -> None:
    live = application("web", labels={"tier": "front"})
    wanted = application("web")
    del wanted["metadata"]["labels"]
    assert with_decided(live, wanted)["metadata"]["labels"] == {"tier": "front"}
    assert says_the_same(live, wanted)
    assert not says_the_same(live, application("web", labels={"tier": "back"}))


def test_an_applications_operation_and_status_are_never_a_clients() -> None:
    live = application("web", status={"health": {"status": "Healthy"}})
    forged = application("web", project="bank", status={"health": {"status": "Degraded"}}, operation={"sync": {}})
    forged["metadata"] |= {"uid": "another", "finalizers": ["resources-finalizer.argocd.argoproj.io"]}
    made = with_decided(live, forged)
    assert made["spec"]["project"] == "bank"
    assert made["status"] == live["status"]
    assert "operation" not in made
    assert made["metadata"]["uid"] == live["metadata"]["uid"]
    assert made["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"], "those are its user's"
    assert "status" not in fresh(forged)
