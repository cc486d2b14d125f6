"""The clock's door: ten minutes of the cluster's life at once, in their order, for administrators only."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trueup.cluster.client import KubeClient
from trueup.cluster.config import load_config
from trueup.embedded.driving import PATH
from trueup.embedded.server import Cluster, Settings, running
from trueup.embedded.workloads.clock import read_time_or_epoch
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, metadata_of, status_of

CRASHING: Manifest = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"containers": [{"name": "web", "image": "shop/web:crash"}]},
}
EVERY_MINUTE: Manifest = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "tick", "namespace": "default"},
    "spec": {
        "schedule": "* * * * *",
        "successfulJobsHistoryLimit": 100,
        "jobTemplate": {
            "spec": {
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "tick", "image": "shop/tick:1"}]}
                }
            }
        },
    },
}


def settings(folder: Path, **chosen: Any) -> Settings:
    return Settings(data_dir=folder / "data", kubeconfig=folder / "kubeconfig", drive_time=True, **chosen)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running(settings(tmp_path, in_memory=True)) as found:
        yield found


@pytest.fixture
async def admin(cluster: Cluster) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_config(cluster.settings.kubeconfig)) as client:
        yield client


async def advance(client: KubeClient, by: object) -> dict[str, str]:
    answer = await client.raw("POST", PATH, body=msgspec.json.encode({"advance": by}))
    return msgspec.json.decode(answer.body, type=dict[str, str])


async def objects(client: KubeClient, api_version: str, kind: str) -> list[Manifest]:
    group, _, version = api_version.rpartition("/")
    return await client.list_all(await client.discovery.resource(group, version, kind), "default")


async def test_a_pod_crashes_as_often_as_it_would_have(admin: KubeClient) -> None:
    await admin.create(CRASHING)
    await advance(admin, "10m")
    (pod,) = await objects(admin, "v1", "Pod")
    # After 0, 10, 30, 70, 150, 310 seconds, and then every five minutes: the seventh is still to come.
    assert status_of(pod)["containerStatuses"][0]["restartCount"] == 6


async def test_each_run_of_a_schedule_takes_place_at_its_time(admin: KubeClient) -> None:
    await admin.create(EVERY_MINUTE)
    await advance(admin, "5m")
    jobs = await objects(admin, "batch/v1", "Job")
    began = sorted(read_time_or_epoch(status_of(job)["startTime"]) for job in jobs)
    assert len(began) == 5
    assert {later - earlier for earlier, later in itertools.pairwise(began)} == {timedelta(minutes=1)}
    assert all(status_of(job)["succeeded"] == 1 for job in jobs[:-1])


async def test_new_objects_bear_the_time_to_which_the_clock_was_moved(admin: KubeClient) -> None:
    told = await advance(admin, "2h")
    assert told["advanced"] == "2h0m0s"
    made = read_time_or_epoch(metadata_of(await admin.create(CRASHING))["creationTimestamp"])
    assert timedelta() <= made - datetime.fromisoformat(told["now"]) < timedelta(seconds=30)


async def test_asking_tells_the_time_and_moves_nothing(admin: KubeClient) -> None:
    answer = await admin.raw("GET", PATH)
    assert msgspec.json.decode(answer.body)["advanced"] == "0s"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("-1s", "is not between 0s and"),
        ("8000h", "is not between 0s and"),
        ("soon", "'soon' is not a duration"),
        (10, "Expected `str`, got `int`"),
    ],
)
async def test_what_is_no_step_forward_is_refused(admin: KubeClient, asked: object, said: str) -> None:
    with pytest.raises(ApiError, match=said) as refused:
        await advance(admin, asked)
    assert refused.value.code == 400
    assert msgspec.json.decode((await admin.raw("GET", PATH)).body)["advanced"] == "0s"


async def test_only_who_may_post_there_moves_the_clock(admin: KubeClient) -> None:
    with pytest.raises(ApiError, match="cannot post path") as refused:
        await advance(admin.impersonate("mallory"), "10m")
    assert refused.value.code == 403


async def test_without_the_flag_there_is_no_door(tmp_path: Path) -> None:
    closed = Settings(data_dir=tmp_path / "data", kubeconfig=tmp_path / "kubeconfig", in_memory=True)
    async with running(closed), KubeClient(load_config(closed.kubeconfig)) as client:
        with pytest.raises(ApiError) as refused:
            await advance(client, "10m")
    assert refused.value.code == 404


async def test_a_clock_that_was_moved_is_moved_after_a_restart(tmp_path: Path) -> None:
    for expected in ("1h0m0s", "2h0m0s"):
        async with (
            running(settings(tmp_path)) as cluster,
            KubeClient(load_config(cluster.settings.kubeconfig)) as client,
        ):
            assert (await advance(client, "1h"))["advanced"] == expected
