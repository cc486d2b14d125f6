"""Around the actions on releases: their bound, the index of records, and where a chart is in a source."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.snapshots import MemorySnapshot
from trueup.controllers.memory import AppMemory
from trueup.controllers.releases.chartroot import chart_root
from trueup.controllers.releases.charts import differs
from trueup.controllers.releases.chartvalues import ValuesFrom, ValuesMissing, gather_values
from trueup.controllers.releases.index import RecordRow, ReleaseIndex, reduce_record
from trueup.controllers.releases.running import AT_WORK, RunningActions
from trueup.controllers.releases.wanting import versioned
from trueup.controllers.values import ValueStore
from trueup.dialects.flux.helmrelease import read_helm_release
from trueup.model.errors import BuildFailed
from trueup.model.refs import ObjectRef
from trueup.model.releaserecord import ChartMetadata
from trueup.model.revision import parse_revision

WEB = ObjectRef("helm.toolkit.fluxcd.io", "HelmRelease", "shop", "web")
API = ObjectRef("helm.toolkit.fluxcd.io", "HelmRelease", "shop", "api")


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("found", [None, {"data": {"other": "a: 1"}}, {"data": {"values.yaml": "a: 1"}}])
async def test_an_optional_entry_of_values_may_miss_its_object_or_its_key(
    optional: bool, found: dict[str, Any] | None
) -> None:
    async def get(ref: ObjectRef) -> dict[str, Any] | None:
        return found

    said = {"valuesFrom": [{"kind": "ConfigMap", "name": "a", "optional": optional}]}
    chart = {"spec": {"chart": "web", "sourceRef": {"kind": "GitRepository", "name": "shop"}}}
    release = read_helm_release(
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"interval": "1m", "chart": chart, **said},
        }
    ).release
    assert release is not None
    reading = gather_values(release, ValuesFrom(ValueStore(get), b"key"), fresh=True)
    if found == {"data": {"values.yaml": "a: 1"}}:
        assert [layer.text for layer in (await reading).values.layers] == ["a: 1"]
    elif optional:
        gathered = await reading
        assert (gathered.values.layers, list(gathered.seen)) == ((), [ObjectRef("", "ConfigMap", "shop", "a")])
    else:
        with pytest.raises(ValuesMissing, match="valuesFrom needs it"):
            await reading


@pytest.mark.parametrize(
    ("kind", "revision", "version"),
    [
        ("OCIRepository", f"stable@sha256:{'a' * 64}", "1.2.0-rc.1+aaaaaaaaaaaa"),
        ("ExternalArtifact", f"sha256:{'b' * 64}", "1.2.0-rc.1+bbbbbbbbbbbb"),
        ("ExternalArtifact", "1.2.0", "v1.2-rc.1+build"),
        ("HelmChart", f"sha256:{'b' * 64}", "v1.2-rc.1+build"),
    ],
)
def test_another_artifact_is_another_release_though_its_chart_says_the_same_version(
    kind: str, revision: str, version: str
) -> None:
    spec = {"interval": "1m", "chartRef": {"kind": kind, "name": "app"}}
    metadata = {"name": "web", "namespace": "shop"}
    release = read_helm_release(
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}
    ).release
    assert release is not None
    found = versioned(ChartMetadata(name="app", version="v1.2-rc.1+build"), parse_revision(revision), release)
    assert found.version == version


@pytest.mark.parametrize(
    ("wanted", "differs_from_live"),
    [
        ({"chart": "web", "valuesFiles": ["a.yaml"]}, False),
        ({"chart": "web"}, True),
        ({"chart": "web", "valuesFiles": ["b.yaml"]}, True),
        ({"chart": "web", "valuesFiles": ["a.yaml"], "verify": {"provider": "cosign"}}, True),
    ],
)
def test_a_helmchart_differs_where_we_said_more_before_and_not_where_others_do(
    wanted: dict[str, Any], differs_from_live: bool
) -> None:
    ours = {"f:spec": {"f:chart": {}, "f:valuesFiles": {}}, "f:metadata": {"f:labels": {"f:a": {}}}}
    rows = [
        {"manager": "helm-controller", "operation": "Apply", "fieldsV1": ours},
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
    ]
    live = {
        "metadata": {"labels": {"a": "1", "theirs": "2"}, "managedFields": rows},
        "spec": {"chart": "web", "valuesFiles": ["a.yaml"], "suspend": True},
    }
    assert differs({"metadata": {"labels": {"a": "1"}}, "spec": wanted}, live, "helm-controller") is differs_from_live
    assert differs({"metadata": {}, "spec": live["spec"]}, live, "helm-controller")


async def test_actions_that_wait_hold_no_slot_and_those_that_work_are_bounded() -> None:
    running = RunningActions(lambda _: None)
    at_work, most, go_on = 0, 0, asyncio.Event()

    async def act() -> None:
        nonlocal at_work, most
        async with running.slot() as slot:
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1
            async with slot.away():
                await go_on.wait()
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1

    async with asyncio.TaskGroup() as group:
        runs = group.create_task(running.run())
        await asyncio.sleep(0)
        memories = [AppMemory(ObjectRef("g", "HelmRelease", "shop", f"web-{n}")) for n in range(5 * AT_WORK)]
        for memory in memories:
            running.start(memory, act())
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(running) == 5 * AT_WORK, "all of them wait"
        go_on.set()
        while len(running):  # noqa: ASYNC110 its end is what is waited for
            await asyncio.sleep(0)
        runs.cancel()
    assert most <= AT_WORK
    assert all(memory.stirred is None for memory in memories)


async def test_an_action_that_is_cancelled_gives_its_slot_back_and_wakes_its_app() -> None:
    woken: list[ObjectRef] = []
    running = RunningActions(woken.append)
    ended: list[str] = []

    async def act() -> None:
        async with running.slot() as slot, slot.away():
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        runs = group.create_task(running.run())
        await asyncio.sleep(0)
        for _ in range(2 * AT_WORK):
            running.start(AppMemory(WEB), act(), lambda: ended.append("x"))
            await asyncio.sleep(0)
            running.cancel(WEB)
            while running.is_running(WEB):  # noqa: ASYNC110 as above
                await asyncio.sleep(0)
        runs.cancel()
    assert len(woken) == len(ended) == 2 * AT_WORK


def record(name: str, version: int, resource_version: int, status: str = "deployed") -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{version}", "namespace": "shop", "resourceVersion": str(resource_version),
            "labels": {"owner": "helm", "status": status},
        }
    }  # fmt: skip


def ref(name: str, version: int) -> ObjectRef:
    return ObjectRef("", "Secret", "shop", f"sh.helm.release.v1.{name}.v{version}")


def test_only_what_somebody_else_wrote_is_news_and_only_to_who_keeps_the_release() -> None:
    told: list[tuple[ObjectRef, str]] = []
    index = ReleaseIndex(lambda app, status: told.append((app, status)))
    index.keep(WEB, "shop", "web")
    index.wrote(record("web", 1, 10))
    index.seen(ref("web", 1), None, RecordRow("deployed", "10"), None)
    index.seen(ref("other", 1), None, RecordRow("deployed", "11"), None)
    assert told == []
    assert index.newest("shop", "web") == "1:10"
    index.seen(ref("web", 2), None, RecordRow("pending-upgrade", "12"), None)
    index.seen(ref("web", 1), None, RecordRow("deployed", "9"), None)
    assert told == [(WEB, "pending-upgrade")], "an event that is older than our own write is none"
    index.seen(ref("web", 2), None, None, None)
    assert told[-1] == (WEB, "")
    index.removed(ref("web", 1))
    index.seen(ref("web", 1), None, None, None)
    assert len(told) == 2, "we deleted it ourselves"
    assert index.newest("shop", "web") == ""


def test_a_release_has_one_keeper_and_an_app_that_leaves_is_told_nothing() -> None:
    told: list[ObjectRef] = []
    index = ReleaseIndex(lambda app, _: told.append(app))
    index.keep(WEB, "shop", "web")
    index.keep(API, "shop", "web")
    index.leave(WEB)
    index.seen(ref("web", 1), None, RecordRow("deployed", "1"), None)
    assert told == [API]
    index.keep(API, "shop", "api")
    index.seen(ref("web", 1), None, RecordRow("deployed", "2"), None)
    assert told == [API]


def test_other_secrets_of_helms_are_no_records() -> None:
    assert reduce_record({"metadata": {"name": "something", "labels": {"owner": "helm"}}}) is None
    assert reduce_record(record("web", 1, 5, "failed")) == RecordRow("failed", "5")


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ({"Chart.yaml": "", "web/Chart.yaml": ""}, ""),
        ({"web/Chart.yaml": "", "web/charts/a/Chart.yaml": "", "README.md": ""}, "web"),
    ],
)
def test_a_chart_is_at_the_root_or_in_the_folder_of_its_name(files: dict[str, Any], root: str) -> None:
    assert chart_root(MemorySnapshot(files)) == root


@pytest.mark.parametrize("files", [{"README.md": ""}, {"a/Chart.yaml": "", "b/Chart.yaml": ""}])
def test_a_source_that_is_no_chart_is_told_so(files: dict[str, Any]) -> None:
    with pytest.raises(BuildFailed, match=r"Chart\.yaml"):
        chart_root(MemorySnapshot(files))
