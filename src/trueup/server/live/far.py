"""Objects in other clusters, which servers have no clients of: whatever is asked of them is asked of the controller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Protocol, TypeVar

from trueup.apps.objects.asks import (
    Act,
    AllEvents,
    Change,
    Done,
    EventRows,
    EventsOf,
    EventsSeen,
    LogsOf,
    LogsSeen,
    LogsWish,
    ObjectsWish,
    Remove,
    See,
    Seen,
    Told,
)
from trueup.apps.objects.events import chosen
from trueup.apps.objects.podlogs import LogLine, LogOptions
from trueup.apps.objects.reach import Logs
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

T = TypeVar("T", bound=Told)


class Far(Protocol):
    """The controllers, one of which serves the App."""

    async def objects(self, wish: ObjectsWish, answer: type[T]) -> T:
        """Raises what the controller refuses, and Unavailable where nobody answers. What changes something is sent once."""
        ...

    def log_lines(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        """Raises as `objects`, in the middle too."""
        ...


class Remote:
    """An `apps.objects.reach.Reach`."""

    def __init__(self, far: Far, app: ObjectRef) -> None:
        self._far = far
        self._app = app

    async def see(self, ref: ObjectRef) -> Seen:
        return await self._far.objects(ObjectsWish(app=self._app, ask=See(ref=ref)), Seen)

    async def change(self, ask: Change) -> Done:
        return await self._far.objects(ObjectsWish(app=self._app, ask=ask), Done)

    async def remove(self, ask: Remove) -> Done:
        return await self._far.objects(ObjectsWish(app=self._app, ask=ask), Done)

    async def act(self, ask: Act) -> Done:
        return await self._far.objects(ObjectsWish(app=self._app, ask=ask), Done)

    async def events(self, ref: ObjectRef) -> tuple[Manifest, ...]:
        found = await self._far.objects(ObjectsWish(app=self._app, ask=EventsOf(ref=ref)), EventsSeen)
        return found.items

    async def all_events(self, refs: Collection[ObjectRef]) -> EventRows:
        """The controller knows which objects are the App's; of those the ones that are asked for are told."""
        found = await self._far.objects(ObjectsWish(app=self._app, ask=AllEvents()), EventRows)
        return chosen(found.items, refs, found.notes)

    async def logs(self, of: LogsOf, options: LogOptions) -> Logs:
        found = await self._far.objects(ObjectsWish(app=self._app, ask=of), LogsSeen)
        return Logs(found.sources, self._lines(LogsWish(app=self._app, of=of, options=options)))

    async def _lines(self, wish: LogsWish) -> AsyncGenerator[list[LogLine], None]:
        """What ends them before their time is told in a line of its own, since the answer has begun."""
        try:
            async with aclosing(self._far.log_lines(wish)) as batches:
                async for lines in batches:
                    yield lines
        except TrueupError as error:
            yield [LogLine(pod="", container="", text=error.message, error=True)]
