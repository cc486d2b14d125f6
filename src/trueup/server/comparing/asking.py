"""Asks the controllers: the one that serves the App answers, the others do not know it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout
from msgspec import Struct

from trueup.apps.comparison import (
    Commits,
    CommitsWish,
    CompareWish,
    Comparison,
    Impact,
    ImpactWish,
    ObjectSeen,
    ObjectWish,
)
from trueup.apps.probe import Probe, ProbeWish
from trueup.server.api.problems import Problem
from trueup.server.api.reading import read_whole
from trueup.server.api.refusals import Refused, Unavailable
from trueup.server.internal import AUDIT, COMMITS, COMPARE, HISTORY, IMPACT, OBJECT, PROBE
from trueup.server.sharedaudit import AuditAnswer, AuditQuestion, FromOne
from trueup.server.sharedhistory import HistoryAnswer, HistoryQuestion

SECONDS = 55.0
LARGEST = 64 * 1024 * 1024

T = TypeVar("T")


class ControllerRefused(Refused):
    """What a controller answered, in its words and with its status."""

    def __init__(self, problem: Problem) -> None:
        where = f" ({problem.origin})" if problem.origin else ""
        super().__init__(
            problem.detail + where, reason=problem.reason or "Failed", hint=problem.hint, field=problem.field
        )
        self.status = problem.status


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

    async def see(self, wish: ObjectWish) -> ObjectSeen:
        """Raises as `compare`."""
        return await self._ask_all(OBJECT, wish, ObjectSeen)

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

    async def _ask_all(self, path: str, wish: Struct, of: type[T]) -> T:
        refusal: Refused = Unavailable(
            "no controller is known to this server", hint="start it with --controller http://ADDRESS:8080"
        )
        async with self._session(await self._known_token()) as session:
            for url in self._urls:
                try:
                    return await self._ask(session, url + path, wish, of)
                except Refused as error:
                    refusal = error
                    if error.status not in (404, 503):
                        raise
                except (ClientError, TimeoutError, OSError) as error:
                    why = str(error) or "it does not answer"
                    refusal = Unavailable(f"the controller cannot be asked: {why}", hint="is a controller running?")
        raise refusal

    async def _audit_of(self, session: ClientSession, url: str, question: AuditQuestion) -> FromOne:
        try:
            return FromOne(place=url, answer=await self._ask(session, url + AUDIT, question, AuditAnswer))
        except Refused as error:
            return FromOne(place=url, problem=error.message)
        except (ClientError, TimeoutError, OSError):
            return FromOne(place=url, problem="it does not answer")

    async def _known_token(self) -> str:
        if not (token := await self._token()):
            raise Unavailable("there is no internal token yet", hint="is a controller running?")
        return token

    def _session(self, token: str) -> ClientSession:
        timeout = ClientTimeout(total=SECONDS, sock_connect=5)
        return ClientSession(timeout=timeout, headers={"Authorization": f"Bearer {token}"})

    async def _ask(self, session: ClientSession, url: str, wish: Struct, of: type[T]) -> T:
        async with session.post(url, data=msgspec.json.encode(wish), allow_redirects=False) as answer:
            body = await read_whole(answer.content, LARGEST)
            if body is None:
                raise Unavailable(f"the answer is larger than {LARGEST} bytes", hint="ask for a smaller part of it")
            try:
                if answer.status == 200:
                    return msgspec.json.decode(body, type=of)
                raise ControllerRefused(msgspec.json.decode(body, type=Problem))
            except msgspec.MsgspecError as error:
                raise Unavailable(
                    f"the controller answers {answer.status} with what is no answer of ours",
                    hint="are server and controller of one version?",
                ) from error
