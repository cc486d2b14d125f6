"""Waiting for health: done, failed early, timed out; each says which objects."""

from __future__ import annotations

from trueup.controllers.waits import HealthWait, WaitState, judge_wait
from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.refs import ObjectRef

WEB = ObjectRef("apps", "Deployment", "shop", "web")
DB = ObjectRef("apps", "StatefulSet", "shop", "db")
WAIT = HealthWait(refs=(WEB, DB), started=100.0, deadline=400.0)


def verdict(status: Kstatus, message: str = "") -> Verdict:
    return Verdict(status, Health.PROGRESSING, message)


def test_all_current_is_done() -> None:
    current = verdict(Kstatus.CURRENT)
    outcome = judge_wait(WAIT, {WEB: current, DB: current}, 101.5)
    assert outcome.state is WaitState.DONE
    assert outcome.message == "health check passed in 1.5s"


def test_one_failure_ends_the_wait_at_once() -> None:
    outcome = judge_wait(WAIT, {WEB: verdict(Kstatus.FAILED, "exceeded its deadline"), DB: None}, 110)
    assert outcome.state is WaitState.FAILED
    assert "[Deployment/shop/web status: 'Failed': exceeded its deadline]" in outcome.message


def test_what_was_never_seen_is_waited_for_until_the_deadline() -> None:
    verdicts = {WEB: verdict(Kstatus.CURRENT), DB: None}
    assert judge_wait(WAIT, verdicts, 399.9).state is WaitState.WAITING
    outcome = judge_wait(WAIT, verdicts, 400)
    assert outcome.state is WaitState.TIMED_OUT
    assert outcome.message == (
        "health check failed after 5m0s: timeout waiting for: [StatefulSet/shop/db status: 'NotFound']"
    )


def test_a_long_list_names_ten_and_counts_the_rest() -> None:
    refs = tuple(ObjectRef("", "ConfigMap", "shop", f"c{i}") for i in range(25))
    outcome = judge_wait(HealthWait(refs=refs, started=0, deadline=1), {}, 2)
    assert outcome.message.endswith("and 15 more]")
