"""The past through the API: the timeline of what one may see, an App as it stood, and its manifests of then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.records.kit import GUESTBOOK, QUICK, SHOP, START, manifest, record
from tests.server.api.support import Served, serving
from tests.server.test_matrix import application, kustomization
from trueup.dialects.registry import all_dialects
from trueup.model.change import Action, Change
from trueup.model.manifest import ref_of
from trueup.model.refs import ObjectRef
from trueup.records.audit.checkpoints import load_signer
from trueup.records.audit.entry import AuditEntry, AuditResult
from trueup.records.audit.log import DatabaseAuditLog
from trueup.records.history import History
from trueup.records.record import RecordKind
from trueup.records.recorder import DatabaseRecorder
from trueup.server.access.policy import policy_of
from trueup.server.comparing.asking import Controllers
from trueup.server.internal import Internal, add_internal
from trueup.server.keeping import past, then, timeline
from trueup.server.sharedhistory import SharedHistory, answering
from trueup.server.world.operations import Apps
from trueup.server.world.world import World

POLICY = "p, ann, applications, get, ns:shop/*, allow\np, boss, applications, get, */*, allow\np, boss, applications, get, *, allow"
POLICY += "\np, carol, applications, get, argocd/*, allow"
ANN, BOSS = {"X-User": "ann"}, {"X-User": "boss"}
WEB = ObjectRef("apps", "Deployment", "shop", "web")
BASE = "/api/trueup/v1"
APP = f"{BASE}/apps/Kustomization/shop/web"


def change(action: Action) -> Change:
    return Change(ref=WEB, version="v1", action=action)


def fill(folder: Path) -> str:
    url = f"sqlite:///{folder}/records.db"
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        for one in (
            record(1, changes=(change(Action.CREATED),), manifests=(manifest("web", replicas=1),)),
            record(2, GUESTBOOK),
            record(4, changes=(change(Action.CONFIGURED),), manifests=(manifest("web", replicas=3),)),
            record(5, kind=RecordKind.FAILURE, result="failed"),
        ):
            recorder.put(one)
    with DatabaseAuditLog(url, folder, load_signer(folder / "key.pem")) as log:
        entry = {"actor": "malee", "target": str(SHOP)}
        log.put(AuditEntry(at=START + timedelta(minutes=3), action="apps.sync", **entry))
        log.put(AuditEntry(at=START + timedelta(minutes=4), action="controller.sync", **entry))
        log.put(AuditEntry(at=START + timedelta(minutes=6), action="apps.pin", **entry, result=AuditResult.REFUSED))
        log.put(AuditEntry(at=START + timedelta(minutes=7), action="accounts.update", actor="x", target="y"))
        assert log.flush()
    return url


@asynccontextmanager
async def the_past(url: str, created: datetime = START) -> AsyncIterator[Served]:
    world = World(all_dialects(), lambda: START)
    for obj in (kustomization("shop"), application("argocd")):
        obj["metadata"]["name"] = "guestbook" if obj["kind"] == "Application" else "web"
        obj["metadata"]["creationTimestamp"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
        world.seen(ref_of(obj), obj)
    apps = Apps(world)
    async with the_records(url) as opened, served_past(apps, url, opened) as served:
        yield served


@pytest.fixture(params=["its own database", "the controller's"], autouse=True)
def whose_records(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of this holds as well where the controller is asked for its records."""
    before = OVER_THE_DOOR[0]
    OVER_THE_DOOR[0] = request.param == "the controller's"
    yield
    OVER_THE_DOOR[0] = before


OVER_THE_DOOR = [False]


@asynccontextmanager
async def the_records(url: str) -> AsyncIterator[Callable[[str], History]]:
    if not OVER_THE_DOOR[0]:
        yield History
        return
    app = web.Application()
    add_internal(app, Internal(a_token, lambda _: None, history=answering(url)))
    async with TestServer(app) as server:
        asks = Controllers([str(server.make_url("/"))], a_token).history
        loop = asyncio.get_running_loop()
        yield lambda _: SharedHistory(asks, loop)


async def a_token() -> str:
    return "t" * 43


@asynccontextmanager
async def served_past(apps: Apps, url: str, opened: Callable[[str], History]) -> AsyncIterator[Served]:
    kept, line = past.Past(apps, url, opened), timeline.Timeline(apps, url, opened)
    operations = [
        *past.operations(kept, apps),
        *then.operations(then.Then(kept, apps), apps),
        *timeline.operations(line),
    ]
    async with serving(operations) as served:
        served.authority.update(policy_of({"policy.csv": POLICY}), {})
        yield served
    kept.close()
    line.close()


async def get(served: Served, path: str, headers: dict[str, str], status: int = 200, **query: str) -> Any:
    async with served.client.get(path, headers=headers, params=query) as answer:
        body = await answer.json()
        assert answer.status == status, body
        return body


def told(page: Any) -> list[tuple[str, str]]:
    return [(row["app"]["name"], row["reason"] if row["kind"] == "action" else row["message"]) for row in page["items"]]


async def test_records_and_what_people_did_stand_on_one_line(tmp_path: Path) -> None:
    async with the_past(fill(tmp_path)) as served:
        page = await get(served, f"{BASE}/timeline", ANN)
        assert told(page) == [("web", "sync 5"), ("web", "sync 4"), ("web", "apps.sync"), ("web", "sync 1")]
        assert page["items"][2]["by"] == "malee"
        assert (page["next"], page["notes"]) == ("", [])


async def test_only_of_what_one_may_see(tmp_path: Path) -> None:
    async with the_past(fill(tmp_path)) as served:
        everything = await get(served, f"{BASE}/timeline", BOSS)
        assert ("guestbook", "sync 2") in told(everything)
        one = await get(served, f"{BASE}/timeline", BOSS, search="name:guestbook")
        assert told(one) == [("guestbook", "sync 2")]
        assert told(await get(served, f"{BASE}/timeline", {"X-User": "stranger"})) == []
        await get(served, f"{APP}/then", {"X-User": "stranger"}, status=404)


async def test_what_was_before_an_application_was_made_is_told_to_those_of_no_single_project(tmp_path: Path) -> None:
    """It may have been another project's: its name is all that records know."""
    carol, app = {"X-User": "carol"}, f"{BASE}/apps/Application/argocd/guestbook"
    url = fill(tmp_path)
    with DatabaseRecorder(url, limits=QUICK) as recorder:
        recorder.put(record(8, GUESTBOOK, changes=(change(Action.CREATED),), manifests=(manifest("web", replicas=2),)))
    with DatabaseAuditLog(url, tmp_path, load_signer(tmp_path / "key.pem")) as log:
        log.put(AuditEntry(at=START + timedelta(minutes=2), action="apps.sync", actor="old", target=str(GUESTBOOK)))
        log.put(AuditEntry(at=START + timedelta(minutes=9), action="apps.sync", actor="new", target=str(GUESTBOOK)))
        assert log.flush()
    async with the_past(url, created=START + timedelta(minutes=7)) as served:
        assert told(await get(served, f"{BASE}/timeline", carol)) == [
            ("guestbook", "apps.sync"),
            ("guestbook", "sync 8"),
        ]
        assert len(told(await get(served, f"{BASE}/timeline", BOSS, search="name:guestbook"))) == 4
        rows = (await get(served, f"{app}/history", carol))["items"]
        assert [row["message"] for row in rows] == ["sync 8"]
        older = (await get(served, f"{app}/history", BOSS))["items"][-1]
        assert older["message"] == "sync 2"
        for path in ("", "/manifests"):
            await get(served, f"{app}/history/{older['id']}{path}", carol, status=404)
            await get(served, f"{app}/history/{older['id']}{path}", BOSS)
        then_ = await get(served, f"{app}/then", carol, at=(START + timedelta(minutes=3)).isoformat())
        assert then_["sync"] is None
        assert (await get(served, f"{app}/then", BOSS, at=(START + timedelta(minutes=3)).isoformat()))["sync"]
        assert told(await get(served, f"{BASE}/timeline", ANN, kind="sync")) == [("web", "sync 4"), ("web", "sync 1")]


async def test_pages_of_it_are_together_the_whole(tmp_path: Path) -> None:
    async with the_past(fill(tmp_path)) as served:
        whole = told(await get(served, f"{BASE}/timeline", BOSS))
        for limit in (1, 2, 3):
            seen: list[tuple[str, str]] = []
            after = ""
            for _ in range(9):
                page = await get(served, f"{BASE}/timeline", BOSS, limit=str(limit), after=after)
                seen += told(page)
                if not (after := page["next"]):
                    break
            assert seen == whole


async def test_it_is_cut_to_a_time_and_to_kinds(tmp_path: Path) -> None:
    async with the_past(fill(tmp_path)) as served:
        since, until = (START + timedelta(minutes=number) for number in (3, 5))
        page = await get(served, f"{BASE}/timeline", ANN, since=since.isoformat(), until=until.isoformat())
        assert told(page) == [("web", "sync 4"), ("web", "apps.sync")]
        assert told(await get(served, f"{BASE}/timeline", ANN, kind="action")) == [("web", "apps.sync")]
        assert told(await get(served, f"{BASE}/timeline", ANN, kind="failure")) == [("web", "sync 5")]
        problem = await get(served, f"{BASE}/timeline", ANN, status=400, kind="sink")
        assert "sync" in problem["hint"]
        for wrong in ("x", "1", "1~x", "~1.2"):
            await get(served, f"{BASE}/timeline", ANN, status=400, after=wrong)


async def test_an_app_is_told_as_it_stood(tmp_path: Path) -> None:
    async with the_past(fill(tmp_path)) as served:
        then_ = await get(served, f"{APP}/then", ANN, at=(START + timedelta(minutes=3)).isoformat())
        (web,) = then_["objects"]
        assert web["ref"]["name"] == "web"
        assert then_["sync"]["revision"] == f"main@sha1:{1:040x}"
        query = {"kind": "Deployment", "group": "apps", "namespace": "shop", "name": "web"}
        shown = await get(served, f"{APP}/history/{web['record']}/manifest", ANN, **query)
        assert shown["desired"]["spec"] == {"replicas": 1}
        assert shown["action"] == "created"
        now = await get(served, f"{APP}/then", ANN)
        assert now["objects"][0]["record"] > web["record"]
        await get(served, f"{APP}/then", ANN, status=400, at="2026-01-31T12:00:00")
        await get(served, f"{APP}/history/{web['record']}/manifest", ANN, status=404, **(query | {"name": "db"}))


async def test_two_moments_stand_beside_each_other(tmp_path: Path) -> None:
    async with the_past(fill(tmp_path)) as served:
        before, after = ((START + timedelta(minutes=number)).isoformat() for number in (1, 4))
        found = await get(served, f"{APP}/then/comparison", ANN, before=before, after=after)
        assert [(row["ref"]["name"], row["action"]) for row in found["items"]] == [("web", "changed")]
        same = await get(served, f"{APP}/then/comparison", ANN, before=after)
        assert (same["items"], same["equal"]) == ([], 1)


async def test_without_a_database_it_says_what_to_do() -> None:
    async with the_past("") as served:
        for path in (f"{BASE}/timeline", f"{APP}/then"):
            problem = await get(served, path, ANN, status=503)
            assert "--database" in problem["hint"]


async def test_what_the_controller_answers_is_what_its_records_say(tmp_path: Path) -> None:
    url = fill(tmp_path)
    OVER_THE_DOOR[0] = True
    async with the_records(url) as opened:
        with History(url) as own:

            def both(shared: History) -> None:
                one = own.list(SHOP)[0].id
                assert shared.list(SHOP, kinds=[RecordKind.SYNC], limit=2) == own.list(
                    SHOP, kinds=[RecordKind.SYNC], limit=2
                )
                assert (shared.record(one), shared.record(10_000)) == (own.record(one), None)
                assert shared.moments(SHOP) == own.moments(SHOP)
                assert [*shared.activity(START)] == [*own.activity(START)]
                for each in own.list(SHOP):
                    assert shared.manifests(each.id) == own.manifests(each.id)

            await asyncio.to_thread(both, opened(url))
