"""What is done with objects elsewhere, and their logs, over real HTTP: the controllers' door, and the server that asks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from trueup.apps.objects.asks import Act, Change, Done, LogsOf, LogsWish, ObjectsWish, See, Seen, Told
from trueup.apps.objects.podlogs import AT_ONCE_SIZE, LONGEST, LogLine, LogOptions
from trueup.apps.objects.refusals import NoSuchObject, NotAtWork
from trueup.model.errors import Terminal, Transient, TrueupError
from trueup.model.refs import ObjectRef
from trueup.server.api.refusals import Unanswered, Unavailable
from trueup.server.comparing.asking import ControllerRefused, Controllers
from trueup.server.internal import MOST_LOGS, Internal, add_internal

APP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "web")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
MANIFEST = {"kind": "Deployment", "metadata": {"name": "web"}}
SEE = ObjectsWish(app=APP, ask=See(ref=WEB))
ACT = ObjectsWish(app=APP, ask=Act(ref=WEB, action="restart"))
FOLLOW = LogsWish(app=APP, of=LogsOf(ref=WEB), options=LogOptions(follow=True))


class NoApp(Terminal):
    reason = "NotFound"


class Away(Transient):
    reason = "ClusterUnreachable"


async def token() -> str:
    return "t" * 43


Do = Callable[[ObjectsWish], Awaitable[Told]]
Follow = Callable[[LogsWish], Awaitable[AsyncGenerator[list[LogLine], None]]]


@asynccontextmanager
async def door(do: Do | None = None, follow: Follow | None = None, heartbeat: float = 5.0) -> AsyncIterator[str]:
    app = web.Application(client_max_size=1024)
    add_internal(
        app, Internal(token, lambda _: None, objects=do, logs=follow), heartbeat_seconds=heartbeat, slow_seconds=0.2
    )
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


class Controller:
    """Says the same to whatever is asked, and remembers it."""

    def __init__(self, said: TrueupError | Told) -> None:
        self.said = said
        self.heard: list[ObjectsWish] = []

    async def __call__(self, wish: ObjectsWish) -> Told:
        self.heard.append(wish)
        if isinstance(self.said, TrueupError):
            raise self.said
        return self.said


class Pods:
    """Logs that go on until the reader goes."""

    def __init__(self, *batches: list[LogLine], endless: bool = True) -> None:
        self._batches = batches
        self._endless = endless
        self.wishes: list[LogsWish] = []
        self.open = 0
        self.given = 0
        self.closed = asyncio.Event()

    async def __call__(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        self.wishes.append(wish)
        return self._lines()

    async def _lines(self) -> AsyncGenerator[list[LogLine], None]:
        self.open += 1
        try:
            for batch in self._batches:
                self.given += 1
                yield batch
            if self._endless:
                await asyncio.Event().wait()
        finally:
            self.open -= 1
            self.closed.set()


def a_line(text: str) -> LogLine:
    return LogLine(pod="web-1", container="main", text=text)


async def test_wishes_of_every_kind_and_their_answers_pass_the_door_as_they_are() -> None:
    seen, done = Seen(ref=WEB, manifest=MANIFEST), Done(ref=WEB, before=MANIFEST, message="restart: done")
    large = ObjectsWish(app=APP, ask=Change(ref=WEB, patch={"data": {"a": "x" * 900_000}}, if_match='"7"'))
    for wish, answer in ((SEE, seen), (ACT, done), (large, done)):
        controller = Controller(answer)
        async with door(controller) as url:
            assert await Controllers([url], token).objects(wish, type(answer)) == answer
        assert controller.heard == [wish]


async def test_the_controller_that_serves_the_app_is_found_also_for_a_change() -> None:
    done = Controller(Done(ref=WEB, before=MANIFEST))
    first, second = Controller(NoApp("no App")), Controller(NotAtWork("not at work"))
    async with door(first) as one, door(second) as two, door(done) as three:
        urls = ["http://127.0.0.1:1", one, two, three]
        assert await Controllers(urls, token).objects(ACT, Done) == done.said
    assert (len(first.heard), len(second.heard), len(done.heard)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("said", "status"), [(NoSuchObject(WEB), 404), (Away("the cluster there does not answer"), 503)]
)
async def test_what_the_one_that_serves_it_says_is_the_last_word(said: TrueupError, status: int) -> None:
    other = Controller(NotAtWork("not at work"))
    async with door(Controller(said)) as one, door(other) as two:
        with pytest.raises(ControllerRefused) as refusal:
            await Controllers([one, two], token).objects(SEE, Seen)
    assert (refusal.value.status, refusal.value.message, other.heard) == (status, said.message, [])


async def test_a_change_is_never_sent_to_a_second_one_when_the_first_may_have_made_it() -> None:
    async def dies(wish: ObjectsWish) -> Told:
        raise asyncio.CancelledError  # the connection breaks without an answer

    other = Controller(Done(ref=WEB, before=MANIFEST))
    async with door(dies) as one, door(other) as two:
        with pytest.raises(Unanswered, match="went away before it answered") as refusal:
            await Controllers([one, two], token).objects(ACT, Done)
    assert (refusal.value.status, refusal.value.hint) == (
        504,
        "it may be done or not: look at the object before you try again",
    )
    assert other.heard == []


async def test_nobody_does_anything_without_the_token() -> None:
    async def wrong() -> str:
        return "u" * 43

    controller, pods = Controller(Done(ref=WEB, before=MANIFEST)), Pods()
    async with door(controller, pods) as url:
        with pytest.raises(Unavailable):
            await Controllers([url], wrong).objects(ACT, Done)
        with pytest.raises(Unavailable):
            await anext(Controllers([url], wrong).log_lines(FOLLOW))
    assert (controller.heard, pods.wishes) == ([], [])


async def test_logs_come_as_they_are_read_and_end_with_their_reader() -> None:
    pods = Pods([a_line("one"), a_line("two")], [a_line("thr\nee \u2028 \x00")])
    async with door(follow=pods, heartbeat=0.02) as url:
        lines = Controllers([url], token).log_lines(FOLLOW)
        assert [line.text for line in await anext(lines)] == ["one", "two"]
        assert [line.text for line in await anext(lines)] == ["thr\nee \u2028 \x00"]
        assert pods.wishes == [FOLLOW]
        await lines.aclose()
        async with asyncio.timeout(5):
            await pods.closed.wait()
    assert pods.open == 0


async def test_logs_end_when_the_pods_do() -> None:
    async with door(follow=Pods([a_line("one")], endless=False)) as url:
        assert [some async for some in Controllers([url], token).log_lines(FOLLOW)] == [[a_line("one")]]


async def test_a_reader_that_does_not_read_stops_the_pods_from_being_read_and_is_cut() -> None:
    batch = [a_line("x" * LONGEST)] * (AT_ONCE_SIZE // LONGEST)
    pods = Pods(*([batch] * 1000))
    async with door(follow=pods) as url:
        lines = Controllers([url], token).log_lines(FOLLOW)
        await anext(lines)
        async with asyncio.timeout(10):
            await pods.closed.wait()
        with pytest.raises(Unavailable, match="cannot be asked"):
            async for _ in lines:
                pass
    assert pods.given < 100


async def test_a_controller_that_goes_in_the_middle_is_told_from_an_end() -> None:
    async def breaking(wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        async def lines() -> AsyncGenerator[list[LogLine], None]:
            yield [a_line("one")]
            raise asyncio.CancelledError

        return lines()

    async with door(follow=breaking) as url:
        lines = Controllers([url], token).log_lines(FOLLOW)
        assert await anext(lines) == [a_line("one")]
        with pytest.raises(Unavailable, match="cannot be asked"):
            await anext(lines)


async def test_what_keeps_logs_from_being_read_is_told_in_place_of_them() -> None:
    async def away(wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        raise Away("the cluster there does not answer")

    async with door(follow=away) as url:
        with pytest.raises(ControllerRefused, match="does not answer") as refusal:
            await anext(Controllers([url], token).log_lines(FOLLOW))
    assert (refusal.value.status, refusal.value.reason) == (503, "ClusterUnreachable")


async def test_streams_of_logs_are_bounded() -> None:
    pods = Pods([a_line("one")])
    async with door(follow=pods) as url:
        controllers = Controllers([url], token)
        streams = [controllers.log_lines(FOLLOW) for _ in range(MOST_LOGS)]
        for stream in streams:
            await anext(stream)
        with pytest.raises(ControllerRefused) as refusal:
            await anext(controllers.log_lines(FOLLOW))
        assert refusal.value.status == 429
        for stream in streams:
            await stream.aclose()
