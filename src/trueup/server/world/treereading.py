"""Reads the live trees of one controller: one long answer of lines, begun again when it ends, where it was left if that holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import datetime

import msgspec
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout

from trueup.apps.livetree import LONGEST_FRAME, Delta, Frame, Gone, Hello, Reached, Ready, Tree, decode_frame
from trueup.cluster.retry import RetryPolicy
from trueup.model.errors import Transient
from trueup.model.refs import ObjectRef
from trueup.server.world.trees import Branch, Trees

log = structlog.get_logger(__name__)

TREES = "/internal/v1/trees"
SILENCE = 35.0
"""Seconds without a sign of life, of which there is one every ten, after which a stream is given up."""
_BACKOFF = RetryPolicy(first=0.2, maximum=5.0)


class TreesNotHeard(Transient):
    """A controller's stream of live trees cannot be read (any more)."""

    reason = "TreesNotHeard"


class TreeReader:
    """`token` is asked anew for each attempt. `url` is that of the controller's HTTP side."""

    def __init__(
        self,
        url: str,
        token: Callable[[], Awaitable[str]],
        trees: Trees,
        clock: Callable[[], datetime],
        *,
        name: str = "controller",
        chance: Callable[[], float] = lambda: 0.5,
        silence: float = SILENCE,
    ) -> None:
        self._url = url.rstrip("/") + TREES
        self._token = token
        self._trees = trees
        self._clock = clock
        self._chance = chance
        self._silence = silence
        self._branch: Branch = trees.branch(name)
        self._position = ""
        self._told: set[ObjectRef] | None = None
        """The Apps of the snapshot that is under way; None: none is."""

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        timeout = ClientTimeout(total=None, sock_connect=10, sock_read=self._silence)
        async with ClientSession(timeout=timeout) as session:
            while True:
                before = self._position
                try:
                    await self._read(session)
                    problem = "it ended the stream"
                except TreesNotHeard as error:
                    problem = error.message
                except (ClientError, TimeoutError, OSError) as error:
                    problem = str(error) or "it does not answer"
                if self._trees_are_current:
                    log.warning("live trees are not heard any more", controller=self._branch.name, why=problem)
                self._trees.lost(self._branch, problem)
                failures = 0 if self._position != before else failures + 1
                await asyncio.sleep(_BACKOFF.backoff(max(failures, 1), chance=self._chance()))

    @property
    def _trees_are_current(self) -> bool:
        return not self._branch.problem

    async def _read(self, session: ClientSession) -> None:
        token = await self._token()
        if not token:
            raise TreesNotHeard("there is no internal token yet", hint="a controller makes the Secret trueup-internal")
        headers = {"Authorization": f"Bearer {token}"}
        query = {"since": self._position} if self._position else {}
        async with session.get(self._url, params=query, headers=headers, allow_redirects=False) as answer:
            if answer.status != 200:
                text = (await answer.content.read(200)).decode(errors="replace").strip()
                raise TreesNotHeard(f"it answers {answer.status}: {text}")
            async for line in lines_of(answer.content.iter_any()):
                self.take(_frame(line))

    def take(self, frame: Frame) -> None:
        """One frame, in the order of the stream."""
        trees, branch = self._trees, self._branch
        match frame:
            case Hello():
                self._told = None if frame.resumed else set()
                if frame.resumed:
                    self._reached(frame.position, current=False)
            case Tree():
                if self._told is not None:
                    self._told.add(frame.app)
                if frame.more:
                    trees.change(branch, frame.app, frame.nodes, ())
                else:
                    trees.begin(branch, frame.app, frame.nodes)
            case Ready():
                if self._told is not None:
                    trees.keep_only(branch, self._told)
                self._told = None
                self._reached(frame.position)
            case Delta():
                trees.change(branch, frame.app, frame.changed, frame.removed)
            case Gone():
                trees.drop(branch, frame.app)
            case Reached():
                self._reached(frame.position)

    def _reached(self, position: str, *, current: bool = True) -> None:
        """`current` False: it is heard again, and tells what was missed at once; its position is of its end, not of ours."""
        if current:
            self._position = position
        self._trees.heard(self._branch, self._clock())


def _frame(line: bytes) -> Frame:
    try:
        return decode_frame(line)
    except msgspec.DecodeError as error:
        hint = "the controller and the server must be of the same version"
        raise TreesNotHeard(f"its stream cannot be read: {error}", hint=hint) from error


async def lines_of(chunks: AsyncIterator[bytes], longest: int = LONGEST_FRAME) -> AsyncGenerator[bytes]:
    """Raises TreesNotHeard for a line that is longer than any frame."""
    rest = b""
    async for chunk in chunks:
        head, *tail = chunk.split(b"\n")
        rest += head
        if tail:
            yield rest
            for line in tail[:-1]:
                yield line
            rest = tail[-1]
        if len(rest) > longest:
            raise TreesNotHeard(f"a line of its stream is longer than {longest} bytes")
