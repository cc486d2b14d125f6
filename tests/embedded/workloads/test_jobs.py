"""Jobs and CronJobs on all controllers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.embedded.workloads.world import World
from trueup.embedded.workloads.clock import stamp
from trueup.embedded.workloads.jobs.tally import tally
from trueup.embedded.workloads.kinds import CRON_JOBS, JOBS, PODS
from trueup.model.manifest import Manifest, name_of

pytestmark = pytest.mark.looptime


def job(name: str = "j", image: str = "job:1", annotations: dict[str, str] | None = None, **spec: Any) -> Manifest:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}
    template = {"metadata": {"annotations": annotations or {}}, "spec": pod}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template, **spec}}


def status(world: World, name: str = "j") -> dict[str, Any]:
    return world.get(JOBS, name).get("status", {})


def conditions(world: World, name: str = "j") -> list[tuple[str, str, str]]:
    return [(each["type"], each["status"], each["reason"]) for each in status(world, name).get("conditions", ())]


async def test_a_job_runs_its_pod_and_completes(world: World) -> None:
    await world.apply(job())
    await world.pass_time(0.5)
    assert status(world)["active"] == 1
    assert status(world)["ready"] == 0
    await world.pass_time(3)
    assert conditions(world) == [
        ("SuccessCriteriaMet", "True", "CompletionsReached"),
        ("Complete", "True", "CompletionsReached"),
    ]
    found = {key: value for key, value in status(world).items() if key in ("succeeded", "ready", "terminating")}
    assert found == {"succeeded": 1, "ready": 0, "terminating": 0}
    assert status(world)["uncountedTerminatedPods"] == {}
    [pod] = world.all(PODS)
    assert pod["status"]["phase"] == "Succeeded"
    assert "finalizers" not in pod["metadata"]


async def test_many_completions_run_as_many_at_a_time_as_asked(world: World) -> None:
    most = 0

    def look(_: Any) -> None:
        nonlocal most
        most = max(most, sum(pod.get("status", {}).get("phase") in ("Running", "Pending") for pod in world.all(PODS)))

    world.store.listen(look)
    await world.apply(job(completions=7, parallelism=3))
    await world.pass_time(20)
    assert status(world)["succeeded"] == 7
    assert len(world.all(PODS)) == 7
    assert most == 3


async def test_an_indexed_job_gives_each_pod_its_number(world: World) -> None:
    await world.apply(job(completions=4, parallelism=2, completionMode="Indexed"))
    await world.pass_time(20)
    assert status(world)["completedIndexes"] == "0-3"
    found = sorted(
        each["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for each in world.all(PODS)
    )
    assert found == ["0", "1", "2", "3"]
    assert all(name_of(pod).startswith("j-") for pod in world.all(PODS))


async def test_a_failing_job_tries_again_later_and_then_gives_up(world: World) -> None:
    await world.apply(job(image="job:crash", backoffLimit=2))
    await world.pass_time(5)
    assert status(world)["failed"] == 1
    await world.pass_time(10)
    assert status(world)["failed"] == 2
    await world.pass_time(60)
    assert status(world)["failed"] == 3
    assert conditions(world) == [
        ("FailureTarget", "True", "BackoffLimitExceeded"),
        ("Failed", "True", "BackoffLimitExceeded"),
    ]
    assert len(world.all(PODS)) == 3


ON_42 = {"onExitCodes": {"operator": "In", "values": [42]}}
EXIT = {"simulate.trueup.dev/exit-code": "42"}


async def test_a_policy_may_fail_the_job_at_an_exit_code(world: World) -> None:
    policy = {"rules": [{"action": "FailJob", **ON_42}]}
    await world.apply(job(image="job:crash", annotations=EXIT, backoffLimit=6, podFailurePolicy=policy))
    await world.pass_time(30)
    assert conditions(world) == [
        ("FailureTarget", "True", "PodFailurePolicy"),
        ("Failed", "True", "PodFailurePolicy"),
    ]
    [pod] = world.names(PODS)
    said = f"Container c for pod default/{pod} failed with exit code 42 matching FailJob rule at index 0"
    assert status(world)["conditions"][1]["message"] == said
    assert status(world)["failed"] == 1


async def test_a_policy_may_ignore_failures_which_are_replaced_without_being_counted(world: World) -> None:
    policy = {"rules": [{"action": "Ignore", **ON_42}]}
    await world.apply(job(image="job:crash", annotations=EXIT, backoffLimit=0, podFailurePolicy=policy))
    await world.pass_time(5)
    assert len(world.all(PODS)) == 1  # an excused failure is waited for like any other
    await world.pass_time(45)
    assert conditions(world) == []
    assert "failed" not in status(world)
    assert len(world.all(PODS)) == 3


def ended(phase: str, at: datetime) -> Manifest:
    container = {"name": "c", "state": {"terminated": {"finishedAt": stamp(at)}}}
    metadata = {"name": "p", "uid": stamp(at)}
    return {"kind": "Pod", "metadata": metadata, "status": {"phase": phase, "containerStatuses": [container]}}


@pytest.mark.parametrize(
    ("ends", "waits"),
    [
        ([], None),
        (["Failed"], 10),
        (["Failed", "Failed", "Failed"], 40),
        (["Failed", "Failed", "Succeeded"], None),
        (["Failed", "Failed", "Succeeded", "Failed"], 10),
    ],
)
def test_failures_make_the_next_pod_wait_until_one_succeeds(ends: list[str], waits: int | None) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    pods = [ended(phase, start + timedelta(minutes=minute)) for minute, phase in enumerate(ends)]
    last = start + timedelta(minutes=len(ends) - 1)
    assert tally(job(), pods).back_off_end == (None if waits is None else last + timedelta(seconds=waits))


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "Count", **ON_42},
        {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [42]}},
        {"action": "Ignore", "onExitCodes": {"containerName": "other", "operator": "In", "values": [42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ],
)
async def test_failures_that_no_rule_excuses_are_counted(world: World, rule: dict[str, Any]) -> None:
    given = job(image="job:crash", annotations=EXIT, backoffLimit=0, podFailurePolicy={"rules": [rule]})
    given["spec"]["template"]["spec"]["containers"].append({"name": "other", "image": "job:1"})
    await world.apply(given)
    await world.pass_time(30)
    assert ("Failed", "True", "BackoffLimitExceeded") in conditions(world)


async def test_a_policy_may_go_by_a_condition_of_the_pod(world: World) -> None:
    rules = [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
    slow = {"simulate.trueup.dev/outcome": "crash", "simulate.trueup.dev/after": "10s"}
    slow |= {"simulate.trueup.dev/duration": "1h"}
    await world.apply(job(annotations=slow, podFailurePolicy={"rules": rules}))
    await world.pass_time(5)
    [pod] = world.all(PODS)
    row = {"type": "DisruptionTarget", "status": "True", "reason": "Test", "lastTransitionTime": world.now()}
    patch = {"status": {"conditions": [*pod["status"]["conditions"], row]}}
    await world.client.patch(PODS, "default", name_of(pod), patch, "status")
    await world.pass_time(20)
    assert ("Failed", "True", "PodFailurePolicy") in conditions(world)
    assert "has condition DisruptionTarget matching FailJob rule" in status(world)["conditions"][-1]["message"]


async def test_a_job_over_its_deadline_fails_and_its_pods_end(world: World) -> None:
    await world.apply(job(annotations={"simulate.trueup.dev/duration": "1h"}, activeDeadlineSeconds=30))
    await world.pass_time(20)
    assert status(world)["active"] == 1
    await world.pass_time(20)
    assert ("Failed", "True", "DeadlineExceeded") in conditions(world)
    assert status(world).get("active", 0) == 0


async def test_a_pod_that_somebody_deletes_is_counted_as_failed_and_replaced(world: World) -> None:
    await world.apply(job(annotations={"simulate.trueup.dev/duration": "1m"}))
    await world.pass_time(2)
    [pod] = world.names(PODS)
    await world.client.delete(PODS, "default", pod)
    await world.pass_time(120)
    assert (status(world)["failed"], status(world)["succeeded"]) == (1, 1)
    assert pod not in world.names(PODS)


async def test_a_suspended_job_has_no_pods_until_it_is_resumed(world: World) -> None:
    await world.apply(job(suspend=True))
    await world.pass_time(2)
    assert world.names(PODS) == []
    assert conditions(world) == [("Suspended", "True", "JobSuspended")]
    assert "startTime" not in status(world)
    await world.client.patch(JOBS, "default", "j", {"spec": {"suspend": False}})
    await world.pass_time(5)
    assert conditions(world)[0] == ("Suspended", "False", "JobResumed")
    assert conditions(world)[-1][0] == "Complete"


async def test_a_deleted_job_takes_its_pods_along(world: World) -> None:
    await world.apply(job(annotations={"simulate.trueup.dev/duration": "1h"}))
    await world.pass_time(2)
    await world.client.delete(JOBS, "default", "j", propagation="Background")
    await world.pass_time(2)
    assert world.names(PODS) == []


async def test_pods_of_a_job_deleted_as_an_owner_of_orphans_keep_no_finalizer(world: World) -> None:
    await world.apply(job(annotations={"simulate.trueup.dev/duration": "1h"}))
    await world.pass_time(2)
    await world.client.delete(JOBS, "default", "j", propagation="Orphan")
    await world.pass_time(2)
    [pod] = world.all(PODS)
    assert "finalizers" not in pod["metadata"]


async def test_a_count_survives_a_restart_at_any_moment(bare: World) -> None:
    async with bare.controllers():
        await bare.settled()
        await bare.apply(job(completions=5, parallelism=5))
        await bare.pass_time(1)
    for _ in range(30):
        async with bare.controllers():
            for _ in range(7):
                await bare.pass_time(0)
    async with bare.controllers():
        await bare.pass_time(10)
        assert status(bare)["succeeded"] == 5
        assert len(bare.all(PODS)) == 5


def cron_job(schedule: str = "*/10 * * * *", annotations: dict[str, str] | None = None, **spec: Any) -> Manifest:
    template = {"spec": job(annotations=annotations)["spec"]}
    metadata = {"name": "c", "namespace": "default"}
    body = {"schedule": schedule, "jobTemplate": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": body}


async def test_a_cron_job_starts_jobs_on_time_and_keeps_three(world: World) -> None:
    await world.apply(cron_job())
    await world.pass_time(3500)
    times = [
        each["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] for each in world.all(JOBS)
    ]
    assert len(times) == 3
    assert all(time.endswith("0:00Z") for time in times)
    found = world.get(CRON_JOBS, "c")["status"]
    assert found["lastScheduleTime"] == max(times)
    assert "active" not in found
    assert found["lastSuccessfulTime"] > max(times)


async def test_a_cron_job_forbids_two_at_a_time_or_replaces_the_first(world: World) -> None:
    long = {"simulate.trueup.dev/duration": "25m"}
    await world.apply(cron_job(annotations=long, concurrencyPolicy="Forbid"))
    await world.pass_time(1300)
    assert len(world.all(JOBS)) == 1
    await world.client.delete(CRON_JOBS, "default", "c", propagation="Background")
    await world.pass_time(10)
    assert world.names(JOBS) == []
    await world.apply(cron_job(annotations=long, concurrencyPolicy="Replace"))
    await world.pass_time(1300)
    [only] = world.names(JOBS)
    assert world.get(CRON_JOBS, "c")["status"]["active"][0]["name"] == only


async def test_a_suspended_cron_job_starts_nothing(world: World) -> None:
    await world.apply(cron_job(suspend=True))
    await world.pass_time(3600)
    assert world.names(JOBS) == []


async def test_a_cron_job_that_slept_starts_once_for_all_it_missed(bare: World) -> None:
    async with bare.controllers():
        await bare.settled()
        await bare.apply(cron_job())
        await bare.pass_time(1)
    await bare.pass_time_alone(7200)
    async with bare.controllers():
        await bare.pass_time(5)
        assert len(bare.all(JOBS)) == 1


INDEXED = {"completions": 4, "parallelism": 4, "completionMode": "Indexed"}


def crashing(indexes: str) -> dict[str, str]:
    """Annotations by which the pods of these indexes crash."""
    return {"simulate.trueup.dev/outcome": "crash", "simulate.trueup.dev/indexes": indexes}


def tries(world: World, index: str) -> list[str]:
    """What the pods of an index say of their failures before."""
    found = (pod["metadata"]["annotations"] for pod in world.all(PODS))
    mine = (each for each in found if each["batch.kubernetes.io/job-completion-index"] == index)
    return sorted(each["batch.kubernetes.io/job-index-failure-count"] for each in mine)


async def test_each_index_has_tries_of_its_own(world: World) -> None:
    await world.apply(job(annotations=crashing("1,3"), backoffLimitPerIndex=1, **INDEXED))
    await world.pass_time(8)
    assert status(world)["completedIndexes"] == "0,2"
    assert status(world)["failedIndexes"] == ""
    assert conditions(world) == []
    await world.pass_time(60)
    assert status(world)["failedIndexes"] == "1,3"
    assert (tries(world, "0"), tries(world, "1"), tries(world, "3")) == (["0"], ["0", "1"], ["0", "1"])
    assert conditions(world) == [("FailureTarget", "True", "FailedIndexes"), ("Failed", "True", "FailedIndexes")]
    assert (status(world)["succeeded"], status(world)["failed"]) == (2, 4)
    assert not any(pod["metadata"].get("finalizers") for pod in world.all(PODS))


async def test_an_index_waits_for_its_next_try_while_others_go_on(world: World) -> None:
    annotations = crashing("0")
    await world.apply(job(annotations=annotations, backoffLimitPerIndex=2, **(INDEXED | {"parallelism": 2})))
    await world.pass_time(9)
    assert status(world)["completedIndexes"] == "1-3"
    assert tries(world, "0") == ["0"]
    await world.pass_time(6)
    assert tries(world, "0") == ["0", "1"]


async def test_too_many_failed_indexes_end_the_job(world: World) -> None:
    few = INDEXED | {"parallelism": 1}
    await world.apply(job(annotations=crashing("0-1"), backoffLimitPerIndex=0, maxFailedIndexes=1, **few))
    await world.pass_time(20)
    assert conditions(world)[-1] == ("Failed", "True", "MaxFailedIndexesExceeded")
    assert status(world)["failedIndexes"] == "0,1"


async def test_a_policy_may_fail_an_index_at_once(world: World) -> None:
    policy = {"rules": [{"action": "FailIndex", **ON_42}]}
    annotations = crashing("2") | EXIT
    await world.apply(job(annotations=annotations, backoffLimitPerIndex=5, podFailurePolicy=policy, **INDEXED))
    await world.pass_time(20)
    assert status(world)["failedIndexes"] == "2"
    assert conditions(world)[-1] == ("Failed", "True", "FailedIndexes")
    assert tries(world, "2") == ["0"]


@pytest.mark.parametrize(
    ("rules", "done", "number"),
    [
        ([{"succeededCount": 1}], "0", 0),
        ([{"succeededIndexes": "0,1"}], "0,1", 0),
        ([{"succeededIndexes": "3"}, {"succeededIndexes": "1-3", "succeededCount": 2}], "0-2", 1),
    ],
)
async def test_a_policy_may_be_content_with_less_than_everything(
    world: World, rules: list[dict[str, Any]], done: str, number: int
) -> None:
    await world.apply(job(successPolicy={"rules": rules}, **(INDEXED | {"parallelism": 1})))
    await world.pass_time(30)
    assert conditions(world) == [
        ("SuccessCriteriaMet", "True", "SuccessPolicy"),
        ("Complete", "True", "SuccessPolicy"),
    ]
    assert status(world)["conditions"][1]["message"] == f"Matched rules at index {number}"
    assert status(world)["completedIndexes"] == done


async def test_a_policy_that_is_met_stops_the_pods_that_still_run(world: World) -> None:
    given = job(successPolicy={"rules": [{"succeededIndexes": "0"}]}, annotations=crashing("1-3"), **INDEXED)
    given["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"  # so that they try again and again
    await world.apply(given)
    await world.pass_time(60)
    assert conditions(world)[-1] == ("Complete", "True", "SuccessPolicy")
    assert "active" not in status(world)
    assert status(world)["completedIndexes"] == "0"
