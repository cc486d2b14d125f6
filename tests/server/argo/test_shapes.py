"""Trees, states, actions and log lines in Argo CD's shapes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.server.argo.kit import application
from trueup.apps.comparison import Comparison, FieldRow, ObjectComparison
from trueup.apps.livetree import LiveNode
from trueup.apps.objects.actions import Action, Parameter
from trueup.apps.objects.podlogs import LogLine, chooser
from trueup.model.health import Health
from trueup.model.refs import ObjectRef
from trueup.model.sight import Sight
from trueup.server.api.refusals import BadQuery
from trueup.server.argo.objects import LogQuery, action_row, encode_line, log_options, read_patch
from trueup.server.argo.trees import commit_of, managed_row, manifests_answer, tree_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEB = LiveNode(
    ref=ObjectRef("apps", "Deployment", "shop", "web"), version="v1", managed=True, uid="d", health=Health.HEALTHY
)
POD = LiveNode(
    ref=ObjectRef("", "Pod", "shop", "web-1"),
    version="v1",
    uid="p",
    resource_version="7",
    health=Health.DEGRADED,
    message="it crashes",
    sight=Sight(created=NOON, images=("web:1",), ready=0, wanted=1, reason="CrashLoopBackOff", restarts=3, node="n1"),
)


def test_a_tree_has_parents_health_and_facts_of_pods() -> None:
    tree = tree_of([POD, WEB], lambda node: WEB if node is POD else None)
    pod, web = tree["nodes"]
    assert web == {
        "group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "d",
        "health": {"status": "Healthy"},
    }  # fmt: skip
    assert pod["parentRefs"] == [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "d"}
    ]
    assert pod["health"] == {"status": "Degraded", "message": "it crashes"}
    assert pod["createdAt"] == "2026-03-01T12:00:00Z"
    assert {one["name"]: one["value"] for one in pod["info"]} == {
        "Status Reason": "CrashLoopBackOff",
        "Node": "n1",
        "Containers": "0/1",
        "Restart Count": "3",
    }
    assert "group" not in pod


def compared(action: str, before: object, after: object, fields: tuple[FieldRow, ...] = ()) -> ObjectComparison:
    return ObjectComparison(
        ref=ObjectRef("", "ConfigMap", "shop", "c"),
        version="v1",
        action=action,
        before=before,
        after=after,
        fields=fields,
    )  # type: ignore[call-arg, arg-type, unused-ignore]


def test_states_are_json_texts_and_null_where_there_is_none() -> None:
    live, wanted = {"data": {"a": "1"}, "metadata": {"resourceVersion": "5"}}, {"data": {"a": "2"}}
    changed = managed_row(compared("update", live, wanted, (FieldRow(path="data.a"),)))
    assert (json.loads(changed["liveState"]), json.loads(changed["targetState"])) == (live, wanted)
    assert (changed["modified"], changed["resourceVersion"]) == (True, "5")
    assert managed_row(compared("create", None, wanted))["liveState"] == "null"
    assert managed_row(compared("prune", live, None))["targetState"] == "null"
    assert "modified" not in managed_row(compared("unchanged", live, live))


def test_manifests_are_what_is_declared_at_a_commit() -> None:
    wanted = {"kind": "ConfigMap", "data": {"a": "2"}}
    comparison = Comparison(
        app=ObjectRef("argoproj.io", "Application", "argocd", "web"),
        revision="main@abc",
        full_revision="main@sha1:" + "a" * 40,
        at=NOON,
        objects=(compared("", None, wanted), compared("prune", wanted, None)),
    )
    answer = manifests_answer(application("web", status={"sourceType": "Directory"}), comparison)
    assert [json.loads(one) for one in answer["manifests"]] == [wanted]
    assert (answer["revision"], answer["sourceType"], answer["namespace"]) == ("a" * 40, "Directory", "shop")
    assert commit_of("1.2.3") == "1.2.3"


def test_a_line_of_a_log_says_when_and_of_which_pod() -> None:
    line = LogLine(pod="web-1", container="web", text="héllo", at=NOON)
    assert json.loads(encode_line(line)) == {
        "result": {
            "content": "héllo",
            "timeStamp": "2026-03-01T12:00:00Z",
            "timeStampStr": "2026-03-01T12:00:00Z",
            "podName": "web-1",
            "last": False,
        }
    }


@pytest.mark.parametrize(
    ("query", "line", "there"),
    [
        (LogQuery(filter="a.b"), "a.b", True),
        (LogQuery(filter="a.b"), "axb", False),
        (LogQuery(filter="ERR"), "err", True),
        (LogQuery(filter="ERR", match_case=True), "err", False),
        (LogQuery(filter="!err"), "err", False),
        (LogQuery(filter="!err"), "fine", True),
        (LogQuery(), "anything", True),
    ],
)
def test_a_filter_is_a_text_and_not_a_pattern(query: LogQuery, line: str, there: bool) -> None:
    assert chooser(log_options(query))(line) is there


def test_an_action_says_what_it_takes_and_whether_it_would_do_anything() -> None:
    scale = Action(name="scale", title="Scale", parameters=(Parameter(name="replicas", type="integer", default="2"),))
    assert action_row(scale)["params"] == [{"name": "replicas", "type": "integer", "default": "2"}]
    assert action_row(Action(name="pause", title="Pause", disabled=True))["disabled"] is True


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "[" * 100_000])
def test_a_patch_that_is_none_is_refused(body: str) -> None:
    with pytest.raises(BadQuery):
        read_patch(body)
