"""One site from its opening to its end, in a task of its own, because watches end in the task that began them.

While it is open it is asked from time to time whether it still answers: a cluster where nothing is to be done is missed too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from trueup.controllers.sites.site import ClusterReplaced, Site, SiteUnavailable
from trueup.controllers.sites.ways import Way
from trueup.model.apierror import ApiError, ClusterUnreachable
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.model.target import Target

log = structlog.get_logger(__name__)

OPENING_SECONDS = 60.0
HEARTBEAT = 20.0
"""Seconds between two questions whether the cluster answers, while it does."""
AGAIN = 2.0
"""The same while it does not."""


@dataclass(frozen=True, slots=True)
class Opened:
    """`probe` asks the cluster for a sign of life; raises ApiError, ClusterUnreachable, or ClusterReplaced where it is another
    one by now. `tasks` go on while the site is open."""

    site: Site
    probe: Callable[[], Awaitable[None]]
    tasks: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()


class Open(Protocol):
    async def __call__(self, way: Way, stack: AsyncExitStack, doubt: Callable[[], None]) -> Opened:
        """Everything that has to end is put on the stack. `doubt` is called when a request met no answer."""
        ...


class Link:
    """One target, the Apps that name it, and the site that it leads to now."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.users: set[ObjectRef] = set()
        self.host: Host | None = None
        self.is_home = False
        """It leads to the controller's own cluster."""
        self.problem: TrueupError | None = None
        self.poked = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class Host:
    """`settled` is set when `site` is open, or when `failure` says what kept it from opening (or ended it later).

    `changed` is called when it stops or begins to answer, and when it ended by itself; `refused` when it knows us no longer.
    """

    def __init__(self, way: Way, open_site: Open, changed: Callable[[], None], refused: Callable[[], None]) -> None:
        self.way = way
        self.site: Site | None = None
        self.failure: TrueupError | None = None
        self.settled = asyncio.Event()
        self.ended = False
        self.links: set[Link] = set()
        """What leads here."""
        self._open = open_site
        self._changed = changed
        self._refused = refused
        self._closing = asyncio.Event()
        self._doubted = asyncio.Event()

    def close(self) -> None:
        self._closing.set()

    async def run(self) -> None:
        """Until it is closed or cancelled. Raises nothing: what ends it is told."""
        try:
            async with AsyncExitStack() as stack:
                opened = await self._opened(stack)
                if opened is not None:
                    self.site = opened.site
                    self.settled.set()
                    log.info("site opened", site=opened.site.name, cluster=opened.site.cluster_id)
                    await self._serve(opened)
        except Exception as error:
            log.exception("a site ended by a bug", site=self.way.name)
            self.failure = SiteUnavailable(f"{self.way.name}: an internal error: {type(error).__name__}: {error}")
        finally:
            self.ended = True
            self.settled.set()
        if self.failure is not None and self.site is not None:
            self.site.problem = self.failure
            self._changed()

    async def _opened(self, stack: AsyncExitStack) -> Opened | None:
        """None: `failure` says why not. An error must not pass through the stack, whose watches would wrap it."""
        name = self.way.name
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                return await self._open(self.way, stack, self._doubted.set)
        except ApiError as error:
            self.failure = refusal(name, error) if error.code == 401 else SiteUnavailable(f"{name}: {error.message}")
        except ClusterUnreachable as error:
            self.failure = unreachable(name, error)
        except TrueupError as error:
            self.failure = error
        except TimeoutError:
            said = f"{name} was not looked through within {OPENING_SECONDS:.0f} s"
            self.failure = SiteUnavailable(said, hint="check that it answers")
        return None

    async def _serve(self, opened: Opened) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(task(), name=f"site {opened.site.name}") for task in opened.tasks]
            tasks.append(group.create_task(self._watch_over(opened), name=f"heartbeat of {opened.site.name}"))
            await self._closing.wait()
            for task in tasks:
                task.cancel()

    async def _watch_over(self, opened: Opened) -> None:
        site = opened.site
        while True:
            if site.problem is not None:
                await asyncio.sleep(AGAIN)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT):
                        await self._doubted.wait()
            self._doubted.clear()
            before, site.problem = site.problem, await self._problem(opened)
            if (before is None) != (site.problem is None):
                said = "site answers again" if before else "site does not answer"
                log.warning(said, site=site.name, problem=str(site.problem or ""))
                self._changed()

    async def _problem(self, opened: Opened) -> TrueupError | None:
        try:
            await opened.probe()
        except ApiError as error:
            if error.code == 401:
                self._refused()
                return refusal(opened.site.name, error)
            if error.code < 500 and error.code != 429:
                return None  # it answers, and whatever it refuses it says to whoever asks for it
            return SiteUnavailable(f"{opened.site.name}: {error.message}")
        except ClusterUnreachable as error:
            return unreachable(opened.site.name, error)
        except ClusterReplaced as error:
            # What is known of one cluster says nothing of another: all of it is opened anew, and Apps come to it as movers.
            self.failure = error
            self.close()
            return error
        return None


def refusal(name: str, error: TrueupError) -> SiteUnavailable:
    return SiteUnavailable(
        f"the cluster {name} refuses our credentials: {error.message}",
        reason="ClusterRefused",
        hint="renew the token or certificate in the Secret that names the cluster",
    )


def unreachable(name: str, error: TrueupError) -> SiteUnavailable:
    """In words that say whose cluster it is, and what goes on meanwhile."""
    return SiteUnavailable(
        f"the cluster {name} does not answer: {error.message}",
        hint="check its server address, the network between, and whether it runs; it is tried again by itself",
    )
