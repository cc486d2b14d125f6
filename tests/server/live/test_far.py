"""Objects in another cluster: every call is the controller's to carry out, none of it is ours, and rights are decided before."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, TypeVar

from tests.server.api.support import Served, serving
from tests.server.live.test_objects import PARENT, far_apps, reaches
from trueup.apps.events import EventRow
from trueup.apps.objects.asks import (
    Act,
    AllEvents,
    Change,
    Done,
    EventRows,
    EventsOf,
    EventsSeen,
    LogsOf,
    LogsSeen,
    LogsWish,
    ObjectsWish,
    Remove,
    See,
    Seen,
    Told,
)
from trueup.apps.objects.podlogs import LogLine
from trueup.model.refs import ObjectRef
from trueup.server.access.policy import policy_of
from trueup.server.api.operation import Operation
from trueup.server.api.refusals import Unavailable
from trueup.server.live import logs, objects, treeevents
from trueup.server.live.place import Reaches
from trueup.server.world.operations import Apps
from trueup.server.world.trees import Trees

T = TypeVar("T", bound=Told)

SECRET = ObjectRef("", "Secret", "team-a", "keys")
WEB = ObjectRef("apps", "Deployment", "team-a", "web")
AT_SECRET = "kind=Secret&namespace=team-a&name=keys"
AT_WEB = "group=apps&kind=Deployment&namespace=team-a&name=web"
APP = "/api/trueup/v1/apps/Kustomization/team-a/web"
LOOKS = "p, ann, applications, get, ns:team-a/*, allow\n"
ALL = LOOKS + "p, ann, applications, *, ns:team-a/*, allow\np, ann, logs, get, ns:team-a/*, allow\n"


def manifest(ref: ObjectRef, **more: Any) -> dict[str, Any]:
    version = f"{ref.group}/v1" if ref.group else "v1"
    metadata = {"name": ref.name, "namespace": ref.namespace, "uid": "u", "resourceVersion": "7"}
    return {"apiVersion": version, "kind": ref.kind, "metadata": metadata, **more}


class OneController:
    """Carries everything out, and remembers what it was."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.failing: Exception | None = None

    async def objects(self, wish: ObjectsWish, answer: type[T]) -> T:
        self.asked.append(wish.ask)
        if self.failing is not None:
            raise self.failing
        told = self._told(wish.ask)
        assert isinstance(told, answer)
        return told

    def _told(self, ask: Any) -> Told:
        match ask:
            case See(ref=ref):
                return Seen(ref=ref, manifest=manifest(ref, data={"a": "Yg=="}))
            case Change(ref=ref):
                before = manifest(ref, data={"a": "Yg=="})
                return Done(ref=ref, before=before, after=manifest(ref, data={"a": "Yw=="}))
            case Remove(ref=ref):
                return Done(ref=ref, before=manifest(ref, data={"a": "Yg=="}))
            case Act(ref=ref, action=action):
                return Done(ref=ref, before=manifest(ref), after=manifest(ref), message=f"{action}: done")
            case EventsOf() | AllEvents() as one:
                event = manifest(ObjectRef("", "Event", "team-a", "e"), involvedObject={"kind": "Secret"})
                at = datetime(2026, 3, 1, tzinfo=UTC)
                rows = [
                    EventRow(at=at, warning=True, reason="R", ref=ref, message=str(ref), count=1, component="")
                    for ref in (SECRET, ObjectRef("", "Pod", "team-a", "of-others"))
                ]
                return EventsSeen(items=(event,)) if isinstance(one, EventsOf) else EventRows(items=tuple(rows))
            case LogsOf():
                return LogsSeen(sources=2)
        raise AssertionError(ask)

    async def log_lines(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        self.asked.append(wish)
        yield [LogLine(pod="web-1", container="main", text="hello")]
        raise Unavailable("the controller cannot be asked: gone")


class NoEvents:
    """Our own cluster: there are no Events of the App itself."""

    impersonates = False

    def of(self, caller: object) -> Any:
        del caller
        return self

    @property
    def discovery(self) -> Any:
        return self

    async def resource(self, *_: str) -> None: ...

    async def list_page(self, *_: object, **__: object) -> Any:
        class Page(list[Any]):
            continue_token = ""

        return Page()


def table(apps: Apps, where: Reaches) -> list[Operation]:
    return [
        *objects.operations(objects.Objects(apps, where), apps),
        *logs.operations(logs.PodLogs(apps, where), apps),
        *treeevents.operations(treeevents.TreeEvents(apps, Trees(), where), apps),
    ]


async def asked(served: Served, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    sent = {"X-User": "ann", **headers}
    async with served.client.request(method, path, json=body, headers=sent) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if "json" in answer.content_type else text


async def test_everything_is_asked_of_the_controller_and_nothing_of_our_cluster() -> None:
    apps, controller = far_apps(), OneController()
    async with serving(table(apps, reaches(apps, far=controller))) as served:
        served.authority.update(policy_of({"policy.csv": ALL}), {})
        status, seen = await asked(served, "GET", f"{PARENT}?{AT_SECRET}")
        assert status == 200
        assert seen["manifest"]["data"]["a"].startswith("hmac:")
        _, seen = await asked(served, "GET", f"{PARENT}?{AT_WEB}")
        assert "restart" in [one["name"] for one in seen["actions"]]
        body = {"spec": {"replicas": 2}}
        status, _ = await asked(served, "PATCH", f"{PARENT}?{AT_WEB}&dryRun=true", body, **{"If-Match": '"7"'})
        assert status == 200
        status, _ = await asked(served, "DELETE", f"{PARENT}?{AT_WEB}&uid=u&propagation=orphan&force=true")
        assert status == 202
        status, done = await asked(served, "POST", f"{PARENT}/actions?{AT_WEB}", {"action": "restart"})
        assert (status, done["message"]) == (202, "restart: done")
        status, _ = await asked(served, "GET", f"{APP}/events?{AT_SECRET}")
        assert status == 200
    assert controller.asked == [
        See(ref=SECRET),
        See(ref=WEB),
        Change(ref=WEB, patch=body, if_match='"7"', dry_run=True),
        Remove(ref=WEB, propagation="Orphan", force=True, uid="u"),
        Act(ref=WEB, action="restart"),
        EventsOf(ref=SECRET),
    ]


async def test_who_may_not_is_refused_before_anybody_is_asked() -> None:
    apps, controller = far_apps(), OneController()
    async with serving(table(apps, reaches(apps, far=controller))) as served:
        served.authority.update(policy_of({"policy.csv": LOOKS}), {})
        assert (await asked(served, "PATCH", f"{PARENT}?{AT_WEB}", {}))[0] == 403
        assert (await asked(served, "DELETE", f"{PARENT}?{AT_WEB}"))[0] == 403
        assert (await asked(served, "POST", f"{PARENT}/actions?{AT_WEB}", {"action": "restart"}))[0] == 403
        assert (await asked(served, "GET", f"{APP}/logs"))[0] in (403, 404)
        assert (await asked(served, "GET", f"{PARENT}?{AT_WEB}", None, **{"X-User": "stranger"}))[0] == 404
    assert controller.asked == []


async def test_what_was_changed_there_is_told_to_the_audit_log_masked() -> None:
    apps, controller = far_apps(), OneController()
    async with serving(table(apps, reaches(apps, far=controller))) as served:
        served.authority.update(policy_of({"policy.csv": ALL}), {})
        await asked(served, "PATCH", f"{PARENT}?{AT_SECRET}", {"data": {"a": "Yw=="}})
        await asked(served, "DELETE", f"{PARENT}?{AT_SECRET}")
    changed, deleted = served.diary.entries
    assert (changed.target, deleted.target, deleted.after) == (str(SECRET), str(SECRET), "")
    assert "hmac:" in changed.before
    assert changed.before != changed.after
    assert "Yg==" not in changed.before + changed.after + deleted.before


async def test_a_masked_value_is_not_sent_there_either() -> None:
    apps, controller = far_apps(), OneController()
    async with serving(table(apps, reaches(apps, far=controller))) as served:
        served.authority.update(policy_of({"policy.csv": ALL}), {})
        status, _ = await asked(served, "PATCH", f"{PARENT}?{AT_SECRET}", {"data": {"a": "hmac:1234"}})
    assert (status, controller.asked) == (400, [])


async def test_logs_are_a_stream_and_what_breaks_it_is_said_in_it() -> None:
    apps, controller = far_apps(), OneController()
    async with serving(table(apps, reaches(apps, far=controller))) as served:
        served.authority.update(policy_of({"policy.csv": ALL}), {})
        status, text = await asked(served, "GET", f"{APP}/logs?{AT_WEB}&filter=hel&follow=true")
        assert status == 200
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        assert [line["text"] for event in events for line in event.get("lines", ())] == [
            "hello",
            "the controller cannot be asked: gone",
        ]
        status, text = await asked(served, "GET", f"{APP}/logs?download=true")
        assert text.startswith("[web-1/main] hello\n")
    found, stream, whole, _ = controller.asked
    assert found == LogsOf(ref=WEB)
    assert (stream.of, stream.options.pattern, stream.options.follow) == (found, "hel", True)
    assert whole == LogsOf()


async def test_events_of_the_tree_come_from_both_clusters_and_one_that_is_away_hides_no_other() -> None:
    apps, controller = far_apps(), OneController()
    path = f"{APP}/tree/kubernetes-events"
    async with serving(table(apps, reaches(apps, NoEvents(), far=controller))) as served:
        served.authority.update(policy_of({"policy.csv": ALL}), {})
        status, told = await asked(served, "GET", path)
        assert (status, told) == (200, {"items": [], "notes": []}), "none of them is known to be the App's"
        controller.failing = Unavailable("the cluster there does not answer")
        status, told = await asked(served, "GET", path)
        assert (status, told["notes"]) == (200, ["the cluster there does not answer"])


async def test_with_kubernetes_own_rights_nobody_is_known_there_and_that_is_said() -> None:
    apps = far_apps()
    async with serving(table(apps, reaches(apps, NoEvents()))) as served:
        served.authority.update(policy_of({"policy.csv": ALL}), {})
        for method, path, body in (
            ("GET", f"{PARENT}?{AT_WEB}", None),
            ("PATCH", f"{PARENT}?{AT_WEB}", {}),
            ("DELETE", f"{PARENT}?{AT_WEB}", None),
            ("POST", f"{PARENT}/actions?{AT_WEB}", {"action": "restart"}),
            ("GET", f"{APP}/events?{AT_WEB}", None),
            ("GET", f"{APP}/logs", None),
        ):
            status, problem = await asked(served, method, path, body)
            assert (status, problem["reason"]) == (422, "OtherCluster"), path
            assert "where your Kubernetes rights are not known" in problem["detail"]
        _, told = await asked(served, "GET", f"{APP}/tree/kubernetes-events")
        assert "where your Kubernetes rights are not known" in told["notes"][0]
