"""Whether repositories and clusters answer, in Argo CD's words: the controller tries what is registered, and its word is kept.

A list never waits long for places that do not answer: what is not known by then is `Unknown`, and known the next time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from trueup.apps.probe import ProbeWish
from trueup.cluster.client import KubeClient
from trueup.dialects.reading import format_time
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, name_of, resource_version_of
from trueup.server.api.dispatch import utc_now
from trueup.server.api.refusals import Refused
from trueup.server.comparing.operations import Asks

GOOD_SECONDS, BAD_SECONDS = 600.0, 60.0
"""So long an answer holds: an outage is to be seen to be over soon."""
AT_ONCE = 3
"""Fewer than a controller tries at a time, so that a person who tests one place is not kept waiting."""
PATIENCE = 10.0
MOST = 10_000


class Connection(Struct, frozen=True, kw_only=True):
    """`version` is a cluster's, as Kubernetes tells it: v1.34.1."""

    status: str = "Unknown"
    message: str = ""
    attempted_at: datetime | None = None
    version: str = ""

    @property
    def state(self) -> dict[str, Any]:
        """ConnectionState."""
        at = format_time(self.attempted_at) if self.attempted_at else None
        return {"status": self.status, "message": self.message, "attemptedAt": at}

    @property
    def minor(self) -> str:
        """`1.34`."""
        return ".".join(self.version.removeprefix("v").split(".")[:2])


UNKNOWN = Connection(message="nobody has asked it yet")


class Connections:
    """`wall` is the time of day, `clock` seconds that only rise."""

    def __init__(
        self,
        controllers: Asks,
        wall: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._controllers = controllers
        self._wall = wall
        self._clock = clock
        self._patience = patience
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[tuple[str, str], tuple[Connection, float]] = {}

    async def of(self, secret: Manifest, *, anew: bool = False) -> Connection:
        """`anew`: whatever is known."""
        (found,) = await self.of_all([secret], anew=anew)
        return found

    async def of_all(self, secrets: Sequence[Manifest], *, anew: bool = False) -> list[Connection]:
        """In their order, in `patience` at the latest."""
        asked = {name_of(one): one for one in secrets if anew or self._known(one) is None}
        if asked:
            tasks = [
                asyncio.create_task(self._asked(one, anew=anew), name=f"probe {name}") for name, one in asked.items()
            ]
            try:
                done, _ = await asyncio.wait(tasks, timeout=self._patience)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return [self._known(one) or UNKNOWN for one in secrets]

    def _known(self, secret: Manifest) -> Connection | None:
        kept, until = self._kept.get(_key(secret), (None, 0.0))
        return kept if self._clock() < until else None

    async def _asked(self, secret: Manifest, *, anew: bool) -> None:
        async with self._turn:
            if not anew and self._known(secret) is not None:
                return  # somebody else has asked meanwhile
            try:
                found = await self._controllers.probe(ProbeWish(secret=name_of(secret)))
            except Refused as error:  # no controller, or one that is busy: it says nothing of the place
                self._keep(secret, Connection(message=error.message), BAD_SECONDS / 10)
                return
            except asyncio.CancelledError:  # others have their turn before it is tried again
                self._keep(secret, Connection(message="it has not answered yet"), BAD_SECONDS)
                raise
        status = "Successful" if found.reachable else "Failed"
        said = Connection(status=status, message=found.message, attempted_at=self._wall(), version=found.version)
        self._keep(secret, said, GOOD_SECONDS if found.reachable else BAD_SECONDS)

    def _keep(self, secret: Manifest, said: Connection, seconds: float) -> None:
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[_key(secret)] = (said, self._clock() + seconds)


async def here(client: KubeClient, wall: Callable[[], datetime] = utc_now) -> Connection:
    """The cluster that we are in, as it answers us now."""
    try:
        answer = await client.raw("GET", "/version")
    except ApiError as error:
        return Connection(status="Failed", message=error.message, attempted_at=wall())
    try:
        version = msgspec.json.decode(answer.body, type=_Version).git_version
    except msgspec.MsgspecError:
        version = ""
    return Connection(status="Successful", attempted_at=wall(), version=version[:64])


class _Version(Struct, rename="camel"):
    git_version: str = ""


def _key(secret: Manifest) -> tuple[str, str]:
    """Another version may have other credentials."""
    return name_of(secret), resource_version_of(secret)
