"""What is done with an App's objects by a client of their cluster, and what is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from trueup.apps.objects.asks import Act, Change, LogsOf, Remove
from trueup.apps.objects.belonging import Ours
from trueup.apps.objects.podlogs import LogOptions
from trueup.apps.objects.reach import ANYTHING, TRIES, Allowed, Near
from trueup.apps.objects.refusals import AnApp, NoLogs, NoSuchObject, OtherVersion
from trueup.cluster.client import KubeClient
from trueup.cluster.resource import Resource
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
APP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "app")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
SET = ObjectRef("apps", "ReplicaSet", "shop", "web-1")
POD = ObjectRef("", "Pod", "shop", "web-1-a")
ROLE = ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "shop")
JOBS = ObjectRef("batch", "CronJob", "shop", "nightly")


def an_object(ref: ObjectRef, owner: ObjectRef | None = None, owner_uid: str = "", **more: Any) -> Manifest:
    version = f"{ref.group}/v1" if ref.group else "v1"
    metadata: dict[str, Any] = {"name": ref.name, "uid": f"uid of {ref.name}", "resourceVersion": "7"}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    if owner is not None:
        row = {"apiVersion": f"{owner.group}/v1", "kind": owner.kind, "name": owner.name, "controller": True}
        metadata["ownerReferences"] = [row | {"uid": owner_uid or f"uid of {owner.name}"}]
    return {"apiVersion": version, "kind": ref.kind, "metadata": metadata, **more}


class Cluster:
    """Objects in memory; remembers what was written."""

    def __init__(self, *objects: Manifest, forbidden: frozenset[str] = frozenset()) -> None:
        self._objects = {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in objects
        }
        self._forbidden = forbidden
        self.conflicts = 0
        """How many patches come too late."""
        self.written: list[tuple[Any, ...]] = []

    @property
    def discovery(self) -> Cluster:
        return self

    async def resource(self, group: str, version: str, kind: str) -> Resource:
        namespaced = kind != "ClusterRole"
        return Resource(
            group=group, version=version or "v1", kind=kind, plural=kind.lower() + "s", namespaced=namespaced
        )

    async def get(self, resource: Resource, name: str, namespace: str) -> Manifest | None:
        if resource.kind in self._forbidden:
            raise ApiError(403, "Forbidden", f"you may not get {resource.kind}")
        return self._objects.get((resource.kind, namespace, name))

    async def list_all(self, resource: Resource, namespace: str, *, label_selector: str) -> list[Manifest]:
        assert label_selector == "app=web"
        return [one for (kind, there, _), one in self._objects.items() if (kind, there) == (resource.kind, namespace)]

    async def merge_patch(
        self, resource: Resource, name: str, namespace: str, body: dict[str, Any], *, manager: str, dry_run: bool
    ) -> Manifest:
        assert manager == "trueup-server"
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "the object has been modified")
        self.written.append(("patch", resource.kind, namespace, name, body, dry_run))
        return self._objects[resource.kind, namespace, name]

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        *,
        uid: str,
        propagation: str = "",
        resource_version: str = "",
        **_: object,
    ) -> None:
        self.written.append(("delete", resource.kind, namespace, name, uid, propagation, resource_version))

    async def create(self, manifest: Manifest, *, manager: str) -> Manifest:
        assert manager == "trueup-server"
        self.written.append(("create", manifest["kind"]))
        return manifest

    async def lines(self, path: str, *, query: dict[str, str] | None = None) -> AsyncGenerator[bytes, None]:
        yield f"{path} {(query or {})['container']}".encode()


CONTAINERS = {"containers": [{"name": "main"}, {"name": "side"}], "initContainers": [{"name": "before"}]}
SELECTOR = {"selector": {"matchLabels": {"app": "web"}}}
WHOLE = (
    an_object(WEB, spec=SELECTOR),
    an_object(SET, WEB),
    an_object(POD, SET, spec=CONTAINERS),
    an_object(ROLE),
    an_object(JOBS, spec={"jobTemplate": {"spec": {}}}),
)


def near(cluster: Cluster, *, allowed: Allowed = ANYTHING, discreet: bool = False) -> Near:
    ours = Ours(app=APP, versions={WEB: "v1", ROLE: "v1", JOBS: "v1"})
    return Near(cast("KubeClient", cluster), ours, lambda: NOON, allowed=allowed, discreet=discreet)


async def test_what_hangs_below_is_the_apps_and_nothing_else_is() -> None:
    stranger = ObjectRef("", "ConfigMap", "shop", "of-others")
    impostor = ObjectRef("", "Pod", "shop", "impostor")
    cluster = Cluster(*WHOLE, an_object(stranger), an_object(impostor, SET, owner_uid="of one before"))
    reach = near(cluster)
    assert (await reach.see(POD)).manifest["kind"] == "Pod"
    for ref in (stranger, impostor, ObjectRef("", "Secret", "shop", "none")):
        with pytest.raises(NoSuchObject):
            await reach.see(ref)
        for ask in (
            Change(ref=ref, patch={}),
            Remove(ref=ref, propagation="Background"),
            Act(ref=ref, action="restart"),
        ):
            with pytest.raises(NoSuchObject):
                await doing(reach, ask)
        with pytest.raises(NoSuchObject):
            await reach.events(ref)
        with pytest.raises(NoSuchObject):
            await reach.logs(LogsOf(ref=ref), LogOptions())
    assert cluster.written == []


async def doing(reach: Near, ask: Change | Remove | Act) -> None:
    match ask:
        case Change():
            await reach.change(ask)
        case Remove():
            await reach.remove(ask)
        case Act():
            await reach.act(ask)


async def test_a_change_is_made_of_what_the_caller_read_or_not_at_all() -> None:
    cluster = Cluster(*WHOLE)
    reach = near(cluster)
    with pytest.raises(OtherVersion):
        await reach.change(Change(ref=WEB, patch={"spec": {}}, if_match='"6"'))
    assert cluster.written == []
    for if_match in ('"7"', '"6", "7"', "*"):
        await reach.change(Change(ref=WEB, patch={"spec": {}}, if_match=if_match, dry_run=True))
        assert cluster.written.pop()[4:] == ({"spec": {}, "metadata": {"resourceVersion": "7"}}, True)
    await reach.change(Change(ref=WEB, patch={"spec": {}}))
    assert cluster.written.pop()[4:] == ({"spec": {}}, False)


async def test_only_the_one_that_was_meant_is_deleted() -> None:
    cluster = Cluster(*WHOLE)
    reach = near(cluster)
    for wrong in (
        Remove(ref=POD, propagation="Background", uid="of one before"),
        Remove(ref=POD, propagation="Background", if_match='"6"'),
    ):
        with pytest.raises(OtherVersion):
            await reach.remove(wrong)
    assert cluster.written == []
    done = await reach.remove(Remove(ref=POD, propagation="Orphan"))
    assert cluster.written == [("delete", "Pod", "shop", "web-1-a", "uid of web-1-a", "Orphan", "")]
    assert (done.before["kind"], done.after) == ("Pod", None)
    await reach.remove(Remove(ref=POD, propagation="Background", if_match='"7"'))
    assert cluster.written[-1][-1] == "7", "whoever said a version means it until the API server has it"


async def test_an_object_without_a_namespace_is_in_none_that_is_said() -> None:
    """Else rights in a namespace (`delete/*/*/shop/*`) would be rights on it, and where only some namespaces are managed it could be
    written all the same."""

    def only_shop(ref: ObjectRef) -> None:
        if ref.namespace != "shop":
            raise ApiError(403, "Forbidden", f"{ref} is not managed")

    cluster = Cluster(*WHOLE)
    reach = near(cluster, allowed=Allowed(write=only_shop))
    pretended = ObjectRef(ROLE.group, ROLE.kind, "shop", ROLE.name)
    with pytest.raises(NoSuchObject):
        await reach.see(pretended)
    for ask in (Change(ref=pretended, patch={}), Remove(ref=pretended, propagation="Background")):
        with pytest.raises(NoSuchObject):
            await doing(reach, ask)
    assert (await reach.see(ROLE)).ref == ROLE
    for ask in (Change(ref=ROLE, patch={}), Remove(ref=ROLE, propagation="Background")):
        with pytest.raises(ApiError, match="is not managed"):
            await doing(reach, ask)
    assert cluster.written == []
    await reach.act(Act(ref=JOBS, action="create-job"))
    assert cluster.written == [("create", "Job")]


async def test_an_app_among_the_objects_is_changed_as_an_app_where_it_is_one() -> None:
    cluster = Cluster(*WHOLE)
    reach = near(cluster, allowed=Allowed(is_app=lambda ref: ref.kind == "Deployment"))
    for ask in (Change(ref=WEB, patch={}), Remove(ref=WEB, propagation="Background")):
        with pytest.raises(AnApp):
            await doing(reach, ask)
    assert cluster.written == []


async def test_what_a_person_may_not_see_does_not_exist_and_what_the_app_may_not_is_said() -> None:
    cluster = Cluster(*WHOLE, forbidden=frozenset({"ReplicaSet"}))
    with pytest.raises(NoSuchObject):
        await near(cluster, discreet=True).see(POD)
    with pytest.raises(ApiError, match="may not get ReplicaSet"):
        await near(cluster).see(POD)


async def test_logs_are_of_all_containers_or_of_one_and_of_none_there_are_none() -> None:
    reach = near(Cluster(*WHOLE))
    for of, wanted in (
        (LogsOf(ref=POD), {"main", "side", "before"}),
        (LogsOf(ref=WEB, container="side"), {"side"}),
        (LogsOf(container="main"), {"main"}),
    ):
        found = await reach.logs(of, LogOptions())
        lines = [line for some in [one async for one in found.lines] for line in some]
        assert (found.sources, {line.container for line in lines}) == (len(wanted), wanted)
    with pytest.raises(NoLogs):
        await reach.logs(LogsOf(ref=WEB, container="none"), LogOptions())


async def test_an_action_is_done_though_the_workload_is_written_to_meanwhile_and_given_up_in_the_end() -> None:
    cluster = Cluster(*WHOLE)
    cluster.conflicts = TRIES - 1
    done = await near(cluster).act(Act(ref=WEB, action="restart"))
    assert (done.message, len(cluster.written)) == ("restart: done", 1)
    cluster.conflicts = TRIES
    with pytest.raises(ApiError, match="has been modified"):
        await near(cluster).act(Act(ref=WEB, action="restart"))
