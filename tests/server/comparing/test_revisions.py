"""What two revisions declare differently, and plans that a client has already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from tests.server.api.support import serving
from tests.server.test_matrix import a_world
from trueup.apps.comparison import Commits, CommitsWish, CompareWish, Comparison, Impact, ImpactWish, ObjectComparison
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.refs import ObjectRef
from trueup.server.access.policy import policy_of
from trueup.server.comparing import operations as comparing
from trueup.server.comparing import revisions
from trueup.server.comparing.revisions import differences
from trueup.server.world.operations import Apps

APP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "team-a", "web")
POLICY = "p, ann, applications, get, ns:team-a/*, allow"
URL = "/api/trueup/v1/apps/Kustomization/team-a/web"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def declared(kind: str, name: str, origin: str = "", **spec: Any) -> ObjectComparison:
    ref = ObjectRef("", kind, "team-a", name)
    after = {"kind": kind, "metadata": {"name": name}, "spec": spec}
    return ObjectComparison(ref=ref, version="v1", action="declared", after=after, origin=origin)


def made(revision: str, *objects: ObjectComparison, hooks: tuple[ObjectComparison, ...] = ()) -> Comparison:
    return Comparison(
        app=APP,
        revision=revision,
        full_revision=f"{revision}@sha1:1",
        at=NOON,
        objects=objects,
        hooks=hooks,
        notices=("one notice",),
    )


MAIN = made(
    "main",
    declared("Service", "web", port=80),
    declared("Pod", "web", "pod.yaml:1", containers=[{"name": "a", "image": "web:1"}, {"name": "b", "image": "b:1"}]),
    declared("Secret", "gone", "old.yaml:1"),
)
FEATURE = made(
    "feature",
    declared("ConfigMap", "new", "new.yaml:1"),
    declared("Service", "web", port=80),
    declared("Pod", "web", "pod.yaml:1", containers=[{"name": "a", "image": "web:2"}, {"name": "b", "image": "b:1"}]),
    hooks=(declared("Job", "migrate"),),
)


def test_each_object_is_added_changed_field_by_field_or_removed() -> None:
    found = differences(MAIN, FEATURE)
    assert [(one.ref.name, one.action, one.origin) for one in found.items] == [
        ("new", "added", "new.yaml:1"),
        ("web", "changed", "pod.yaml:1"),
        ("migrate", "added", ""),
        ("gone", "removed", "old.yaml:1"),
    ]
    (field,) = found.items[1].fields
    assert (field.path, field.before, field.after) == ("spec.containers[name=a].image", '"web:1"', '"web:2"')
    assert (found.equal, found.notices) == (1, ("one notice",))
    assert (found.before.revision, found.after.full_revision) == ("main", "feature@sha1:1")
    assert differences(MAIN, MAIN).items == ()


class OneController:
    def __init__(self) -> None:
        self.asked: list[CompareWish] = []
        self.at = NOON

    async def compare(self, wish: CompareWish) -> Comparison:
        self.asked.append(wish)
        self.at += timedelta(seconds=1)
        return structs.replace(FEATURE if wish.revision == "refs/pull/1/head" else MAIN, at=self.at)

    async def impact(self, wish: ImpactWish) -> Impact:
        raise NotImplementedError

    async def commits(self, wish: CommitsWish) -> Commits:
        raise NotImplementedError

    async def probe(self, wish: ProbeWish) -> Probe:
        raise NotImplementedError


async def test_what_is_followed_is_compared_with_a_pull_request_and_the_cluster_is_not_asked() -> None:
    apps, controller = Apps(a_world()), OneController()
    async with serving(revisions.operations(revisions.Revisions(apps, controller), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        async with served.client.get(f"{URL}/diff?to=refs/pull/1/head", headers={"X-User": "ann"}) as answer:
            body = await answer.json()
        async with served.client.get(f"{URL}/diff?to=x", headers={"X-User": "bob"}) as answer:
            assert answer.status == 404, "it is not there for whoever may not see the App"
    assert [one["action"] for one in body["items"]] == ["added", "changed", "added", "removed"]
    assert (body["before"]["fullRevision"], body["after"]["revision"]) == ("main@sha1:1", "feature")
    assert [(wish.revision, wish.dry_run) for wish in controller.asked] == [("", False), ("refs/pull/1/head", False)]


async def test_a_plan_that_is_the_same_as_before_is_not_sent_again() -> None:
    apps, controller = Apps(a_world()), OneController()
    async with serving(comparing.operations(comparing.Plans(apps, controller), apps)) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        for path in ("/plan", "/desired"):
            async with served.client.get(URL + path, headers={"X-User": "ann"}) as answer:
                etag = answer.headers["ETag"]
            headers = {"X-User": "ann", "If-None-Match": etag}
            async with served.client.get(URL + path, headers=headers) as answer:
                assert answer.status == 304
            async with served.client.get(f"{URL}{path}?revision=refs/pull/1/head", headers=headers) as answer:
                assert answer.status == 200
