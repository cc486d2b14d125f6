"""Questions to controllers over real HTTP: the door that controllers open, and whoever asks at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import structs

from trueup.apps.comparison import (
    ChartWish,
    CommitRow,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    Impact,
    ImpactWish,
    ObjectComparison,
)
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.errors import Terminal, Transient, TrueupError
from trueup.model.refs import ObjectRef
from trueup.model.releaserecord import ChartAbout, Maintainer
from trueup.server.api.refusals import Refused, Unavailable
from trueup.server.comparing import asking
from trueup.server.comparing.asking import ControllerRefused, Controllers
from trueup.server.internal import Internal, add_internal

APP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "web")
SOURCE = ObjectRef("source.toolkit.fluxcd.io", "GitRepository", "shop", "repo")
WISH = CompareWish(app=APP, revision="refs/pull/7/head", prune=False)
COMPARISON = Comparison(
    app=APP, revision="feature@1", full_revision="feature@sha1:1", at=datetime(2026, 3, 1, tzinfo=UTC), objects=()
)
COMMITS = Commits(
    url="https://git.example.com/shop.git",
    items={
        f"main@sha1:{'a' * 40}": CommitRow(
            commit="a" * 40,
            author="Malee",
            email="malee@example.com",
            at=datetime(2026, 3, 1, tzinfo=UTC),
            message="raise replicas",
            signed=False,
        )
    },
)
IMPACT = Impact(source=SOURCE, revision="feature@1", full_revision="feature@sha1:1", concerned=(APP,))


class Gone(Terminal):
    reason = "NotFound"


class TooMany(Transient):
    reason = "TooManyRequests"


async def token() -> str:
    return "t" * 43


def no_trees(since: str) -> AsyncGenerator[bytes] | None:
    return None


Compare = Callable[[CompareWish], Awaitable[Comparison]]


def saying(said: TrueupError | Comparison, heard: list[CompareWish] | None = None) -> Compare:
    async def compare(wish: CompareWish) -> Comparison:
        if heard is not None:
            heard.append(wish)
        if isinstance(said, TrueupError):
            raise said
        return said

    return compare


async def impact(wish: ImpactWish) -> Impact:
    assert wish == ImpactWish(source=SOURCE, revision="feature")
    return IMPACT


async def commits(wish: CommitsWish) -> Commits:
    assert wish.revisions == (f"main@sha1:{'a' * 40}",)
    return COMMITS


async def probe(wish: ProbeWish) -> Probe:
    return Probe(reachable=True, branches=(wish.secret,), charts={"app": ("1.0.0",)})


async def chart(wish: ChartWish) -> ChartAbout:
    return ChartAbout(description=f"{wish.version} of source {wish.source}", maintainers=(Maintainer(name="Malee"),))


@asynccontextmanager
async def door(compare: Compare) -> AsyncIterator[str]:
    app = web.Application()
    add_internal(app, Internal(token, no_trees, compare, impact, commits, probe=probe, chart=chart))
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_a_question_and_its_answer_pass_the_door_as_they_are() -> None:
    heard: list[CompareWish] = []
    async with door(saying(COMPARISON, heard)) as url:
        assert await Controllers([url], token).compare(WISH) == COMPARISON
        assert await Controllers([url], token).impact(ImpactWish(source=SOURCE, revision="feature")) == IMPACT
        asked = CommitsWish(app=WISH.app, revisions=(f"main@sha1:{'a' * 40}",))
        assert await Controllers([url], token).commits(asked) == COMMITS
        found = await Controllers([url], token).probe(ProbeWish(secret="repo-1"))
        assert found == Probe(reachable=True, branches=("repo-1",), charts={"app": ("1.0.0",)})
        about = await Controllers([url], token).chart(ChartWish(app=WISH.app, version="1.0.0", source=1))
        assert about == ChartAbout(description="1.0.0 of source 1", maintainers=(Maintainer(name="Malee"),))
    assert heard == [WISH]


async def test_the_controller_that_serves_the_app_is_found_among_others() -> None:
    async with door(saying(Gone("no App"))) as first, door(saying(COMPARISON)) as second:
        assert await Controllers(["http://127.0.0.1:1", first, second], token).compare(WISH) == COMPARISON


async def test_a_refusal_comes_in_the_controllers_own_words_and_ends_the_search() -> None:
    heard: list[CompareWish] = []
    async with (
        door(saying(Gone("no App"))) as first,
        door(saying(TooMany("too many"))) as busy,
        door(saying(COMPARISON, heard)) as last,
    ):
        with pytest.raises(ControllerRefused, match="too many") as refusal:
            await Controllers([first, busy, last], token).compare(WISH)
    assert (refusal.value.status, refusal.value.reason, heard) == (429, "TooManyRequests", [])


async def test_a_controller_that_is_away_is_503_and_says_what_to_do() -> None:
    with pytest.raises(Unavailable) as refusal:
        await Controllers(["http://127.0.0.1:1"], token).compare(WISH)
    assert (refusal.value.status, refusal.value.hint) == (503, "is a controller running?")


async def test_whoever_does_not_know_the_token_learns_nothing_and_is_told_so() -> None:
    async def other() -> str:
        return "u" * 43

    async def none() -> str:
        return ""

    heard: list[CompareWish] = []
    async with door(saying(COMPARISON, heard)) as url:
        for wrong in (other, none):
            with pytest.raises(Refused):
                await Controllers([url], wrong).compare(WISH)
    assert heard == []


async def test_what_is_no_answer_of_ours_is_not_taken_for_one() -> None:
    async def foreign(_: web.Request) -> web.Response:
        return web.json_response({"hello": "world"})

    app = web.Application()
    app.router.add_post("/{path:.*}", foreign)
    async with TestServer(app) as server:
        with pytest.raises(Unavailable, match="no answer of ours"):
            await Controllers([str(server.make_url("/"))], token).compare(WISH)


async def test_an_answer_that_comes_in_many_pieces_is_read_whole() -> None:
    many = tuple(
        ObjectComparison(
            ref=ObjectRef("", "ConfigMap", "shop", f"c{number}"), version="v1", action="unchanged", message="x" * 500
        )
        for number in range(5_000)
    )
    large = structs.replace(COMPARISON, objects=many)
    async with door(saying(large)) as url:
        assert len((await Controllers([url], token).compare(WISH)).objects) == 5_000


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LARGEST", 10_000)
    many = (ObjectComparison(ref=APP, version="v1", action="unchanged", message="x" * 20_000),)
    async with door(saying(structs.replace(COMPARISON, objects=many))) as url:
        with pytest.raises(Unavailable, match="larger than 10000"):
            await Controllers([url], token).compare(WISH)
