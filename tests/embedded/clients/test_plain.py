"""What is left out of a comparison, and what a comparison tells."""

from __future__ import annotations

import pytest

from tests.embedded.clients import compare
from tests.embedded.clients.compare import differences
from tests.embedded.clients.plain import plain, plain_answer
from tests.embedded.clients.topic import Answer, Show, Step, Topic, load_topics, recorded


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("web-7d4b9c8f6d-x2x7k   1/1   Running   0     12s", "web-HASH-RAND  1/1  Running  0  AGE"),
        ("agent-q8zkd   1/1   Running   1 (5s ago)   2m3s", "agent-RAND  1/1  Running  1 (AGE ago)  AGE"),
        ('  creationTimestamp: "2026-11-23T10:51:48Z"', '  creationTimestamp: "TIME"'),
        ("CreationTimestamp:  Mon, 23 Nov 2026 10:51:48 +0000", "CreationTimestamp:  TIME"),
        ('  resourceVersion: "4711"', '  resourceVersion: "RV"'),
        ("uid: 0b4e1c8e-6c5a-4b0e-9d0f-3f1d8f4b2a10", "uid: UID"),
        ("    pod-template-hash: 7d4b9c8f6d", "    pod-template-hash: HASH"),
        (
            "service/web   ClusterIP   10.96.4.12   <none>   80/TCP   7s",
            "service/web  ClusterIP  IP  <none>  80/TCP  AGE",
        ),
        ("Node:  trueup-node-1/172.18.0.2", "Node:  NODE/IP"),
        ("--- /tmp/LIVE-123/v1.ConfigMap.a.b\t2026-11-23 10:51:48.1 +0000", "--- LIVE/v1.ConfigMap.a.b"),
    ],
)
def test_what_differs_from_run_to_run_is_left_out(said: str, left: str) -> None:
    assert plain(said) == [left]


@pytest.mark.parametrize(
    "line",
    [
        "    terminationGracePeriodSeconds: 30",
        "      containerPort: 80",
        "nginx:1.27",
        "deployment.apps/web created",
        "  replicas: 2",
        "error: timed out waiting for the condition on deployments/web",
        "    port: 5432",
        "shop.example.com/v1",
    ],
)
def test_all_else_stays(line: str) -> None:
    assert plain(line) == [line]


def test_a_line_that_clients_log_by_chance_is_dropped() -> None:
    logged = 'E1123 10:51:48.123456   12 request.go:1198] "Unexpected error" err="context canceled"'
    assert plain(f"one\n{logged}\ntwo") == ["one", "two"]


def test_a_set_has_each_line_once_in_order_and_a_code_has_none() -> None:
    assert plain_answer("c", Show.SET, 1, "b\na\nb\n", "e\n") == Answer("c", 1, ["a", "b"], ["e"])
    assert plain_answer("c", Show.CODE, 1, "b\n", "e\n") == Answer("c", 1)
    assert plain_answer("c", Show.LAST, 0, "a\nb\n", "") == Answer("c", 0, ["b"], [])


RECORD = [Answer("kubectl get pods", 0, ["one"])]
SAME, OTHER = RECORD, [Answer("kubectl get pods", 1, ["two"])]


def _topic(differs: str = "") -> Topic:
    return Topic("t", [Step(run="kubectl get pods", differs=differs)], name="t")


def test_a_difference_is_told_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "recorded", lambda _: RECORD)
    assert differences(_topic(), SAME) == []
    (told,) = differences(_topic(), OTHER)
    assert "-exit 0" in told
    assert "+two" in told


def test_a_known_difference_must_still_be_one_with_us_and_none_on_the_real_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "recorded", lambda _: RECORD)
    assert differences(_topic("we simulate"), OTHER) == []
    assert "remove `differs`: we simulate" in differences(_topic("we simulate"), SAME)[0]
    assert differences(_topic("we simulate"), SAME, of_the_real_one=True) == []
    assert "+two" in differences(_topic("we simulate"), OTHER, of_the_real_one=True)[0]


def test_steps_that_were_never_recorded_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "recorded", lambda _: [])
    assert "--record t" in differences(_topic(), SAME)[0]


def test_a_step_is_one_of_run_start_and_finish() -> None:
    with pytest.raises(ValueError, match="one of"):
        Step(run="a", start="b")


def test_every_topic_is_recorded_step_by_step() -> None:
    for topic in load_topics():
        commands = [step.command for step in topic.steps if not step.start]
        assert [each.run for each in recorded(topic.name)] == commands, topic.name


def test_what_a_drain_says_of_several_pods_is_put_in_order() -> None:
    said = "Warning: ignoring x; deleting y\nerror: unable to drain due to error: [cannot b: q, cannot a: p], continuing command..."
    assert plain(said) == [
        "Warning: deleting y; ignoring x",
        "error: unable to drain due to error: [cannot a: p, cannot b: q], continuing command...",
    ]
