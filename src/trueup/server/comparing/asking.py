"""Asks the controllers: the one that serves the App answers, the others do not know it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ClientTimeout
from msgspec import Struct

from trueup.apps.comparison import (
    ChartWish,
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    Impact,
    ImpactWish,
)
from trueup.apps.objects.asks import Act, Change, LogsWish, ObjectsWish, Remove
from trueup.apps.objects.podlogs import LogLine
from trueup.apps.objects.refusals import NotAtWork
from trueup.apps.probe import Probe, ProbeWish
from trueup.model.releaserecord import ChartAbout
from trueup.server.api.problems import Problem
from trueup.server.api.reading import read_whole
from trueup.server.api.refusals import Refused, Unanswered, Unavailable
from trueup.server.internal import AUDIT, CHART, COMMITS, COMPARE, HISTORY, IMPACT, LOGS, OBJECTS, PROBE
from trueup.server.sharedaudit import AuditAnswer, AuditQuestion, FromOne
from trueup.server.sharedhistory import HistoryAnswer, HistoryQuestion
from trueup.server.world.treereading import TreesNotHeard, lines_of

SECONDS = 55.0
CONNECT_SECONDS = 5.0
WHOLE = ClientTimeout(total=SECONDS, sock_connect=CONNECT_SECONDS)
SILENCE = 35.0
"""Seconds without a sign of life, of which there is one every five, after which a stream of logs is given up."""
LARGEST = 64 * 1024 * 1024
LONGEST_LOG_FRAME = 8 * 1024 * 1024
"""Bytes of the lines that are told together; `apps.objects.podlogs` bounds their text, which JSON makes longer."""

T = TypeVar("T")


class ControllerRefused(Refused):
    """What a controller answered, in its words and with its status."""

    def __init__(self, problem: Problem) -> None:
        where = f" ({problem.origin})" if problem.origin else ""
        super().__init__(
            problem.detail + where, reason=problem.reason or "Failed", hint=problem.hint, field=problem.field
        )
        self.status = problem.status
        self.about = problem.ref
        """The object that it is about, where it is about one."""


class Controllers:
    """`token` is asked anew for each question. `urls` are those of the controllers' HTTP sides."""

    def __init__(self, urls: Sequence[str], token: Callable[[], Awaitable[str]]) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._token = token

    async def compare(self, wish: CompareWish) -> Comparison:
        """Raises ControllerRefused, and Unavailable where nobody answers."""
        return await self._ask_all(COMPARE, wish, Comparison)

    async def impact(self, wish: ImpactWish) -> Impact:
        """Raises as `compare`."""
        return await self._ask_all(IMPACT, wish, Impact)

    async def commits(self, wish: CommitsWish) -> Commits:
        """Raises as `compare`."""
        return await self._ask_all(COMMITS, wish, Commits)

    async def objects(self, wish: ObjectsWish, answer: type[T]) -> T:
        """Raises as `compare`. What changes something is sent to one controller, once: it may be done though nobody answers."""
        return await self._ask_all(OBJECTS, wish, answer, once=isinstance(wish.ask, Change | Remove | Act))

    async def log_lines(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        """Raises as `compare`, and Unavailable when the controller goes in the middle."""
        timeout = ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE)
        async with self._session(await self._known_token(), timeout) as session:
            refusal = nobody()
            for url in self._urls:
                try:
                    async with session.post(
                        url + LOGS, data=msgspec.json.encode(wish), allow_redirects=False
                    ) as answer:
                        if answer.status != 200:
                            await _read(answer, None)
                        async for line in lines_of(answer.content.iter_any(), LONGEST_LOG_FRAME):
                            if line:
                                yield msgspec.json.decode(line, type=list[LogLine])
                        return
                except Refused as error:
                    refusal = error
                    if not _is_another_s(error):
                        raise
                except ClientConnectorError as error:
                    refusal = away(error)
                except (ClientError, TimeoutError, OSError, TreesNotHeard, msgspec.MsgspecError) as error:
                    raise away(error) from error
            raise refusal

    async def history(self, question: HistoryQuestion) -> HistoryAnswer:
        """Of the first controller that answers. Raises as `compare`."""
        return await self._ask_all(HISTORY, question, HistoryAnswer)

    async def audit(self, question: AuditQuestion) -> Sequence[FromOne]:
        """Of every controller, in their order; who cannot be asked says why. Raises Unavailable where there is no token."""
        token = await self._known_token()
        async with self._session(token) as session:
            return await asyncio.gather(*(self._audit_of(session, url, question) for url in self._urls))

    async def probe(self, wish: ProbeWish) -> Probe:
        """Raises as `compare`."""
        return await self._ask_all(PROBE, wish, Probe)

    async def chart(self, wish: ChartWish) -> ChartAbout:
        """Raises as `compare`."""
        return await self._ask_all(CHART, wish, ChartAbout)

    async def _ask_all(self, path: str, wish: Struct, of: type[T], *, once: bool = False) -> T:
        """`once`: a controller that was reached is the only one that is asked."""
        refusal = nobody()
        async with self._session(await self._known_token()) as session:
            for url in self._urls:
                try:
                    return await _ask(session, url + path, wish, of)
                except Refused as error:
                    refusal = error
                    if not _is_another_s(error) or (once and not isinstance(error, ControllerRefused)):
                        raise
                except (ClientError, TimeoutError, OSError) as error:
                    refusal = away(error)
                    if once and not isinstance(error, ClientConnectorError):
                        raise Unanswered(
                            f"the controller went away before it answered: {said(error)}",
                            hint="it may be done or not: look at the object before you try again",
                        ) from error
        raise refusal

    async def _audit_of(self, session: ClientSession, url: str, question: AuditQuestion) -> FromOne:
        try:
            return FromOne(place=url, answer=await _ask(session, url + AUDIT, question, AuditAnswer))
        except Refused as error:
            return FromOne(place=url, problem=error.message)
        except (ClientError, TimeoutError, OSError):
            return FromOne(place=url, problem="it does not answer")

    async def _known_token(self) -> str:
        if token := await self._token():
            return token
        raise Unavailable("there is no internal token yet", hint="is a controller running?")

    def _session(self, token: str, timeout: ClientTimeout = WHOLE) -> ClientSession:
        return ClientSession(timeout=timeout, headers={"Authorization": f"Bearer {token}"})


def nobody() -> Refused:
    return Unavailable("no controller is known to this server", hint="start it with --controller http://ADDRESS:8080")


def away(error: Exception) -> Unavailable:
    return Unavailable(f"the controller cannot be asked: {said(error)}", hint="is a controller running?")


def said(error: Exception) -> str:
    return str(error) or "it does not answer"


def _is_another_s(refusal: Refused) -> bool:
    """Whether another controller may serve the App: this one knows none of it, or is not at work, or is none of ours."""
    match refusal:
        case ControllerRefused(status=404):
            return not refusal.about
        case Refused(status=503):
            return refusal.reason in (NotAtWork.reason, Unavailable.reason)
    return False


async def _ask(session: ClientSession, url: str, wish: Struct, of: type[T]) -> T:
    async with session.post(url, data=msgspec.json.encode(wish), allow_redirects=False) as answer:
        return await _read(answer, of)


async def _read(answer: ClientResponse, of: type[T] | None) -> T:
    """Raises ControllerRefused, and Unavailable for what is no answer of ours. `of` None: it is none that was hoped for."""
    body = await read_whole(answer.content, LARGEST)
    if body is None:
        raise Unavailable(f"the answer is larger than {LARGEST} bytes", hint="ask for a smaller part of it")
    try:
        if answer.status == 200 and of is not None:
            return msgspec.json.decode(body, type=of)
        raise ControllerRefused(msgspec.json.decode(body, type=Problem))
    except msgspec.MsgspecError as error:
        raise Unavailable(
            f"the controller answers {answer.status} with what is no answer of ours",
            hint="are server and controller of one version?",
        ) from error
