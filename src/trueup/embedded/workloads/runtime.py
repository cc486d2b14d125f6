"""Runs controllers on one client: one informer per resource however many listen, one loop per controller, one timer.

Nothing here knows a kind. Idle costs nothing: every task waits for an event or for the next deadline.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

import structlog

from trueup.embedded.api.client import Client
from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.clock import Clock
from trueup.embedded.workloads.controller import Controller, Trigger
from trueup.embedded.workloads.informer import Happened, Informer
from trueup.embedded.workloads.loop import Loop
from trueup.embedded.workloads.timers import Timers
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import perform

log = structlog.get_logger(__name__)


class Runtime:
    """`add` controllers, then `run`."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._timers = Timers(clock)
        self._controllers: list[Controller] = []
        self._loops: list[Loop] = []
        self._informers: dict[Resource, Informer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._has_begun = False
        self._group: asyncio.TaskGroup | None = None
        self.view = View(client, clock, self._informer)

    def add(self, *controllers: Controller) -> None:
        self._controllers.extend(controllers)

    async def run(self) -> None:
        """Until cancelled. Every object that exists is looked at first."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._timers.run(), name="timers")
            for controller in self._controllers:
                loop = Loop(controller, self.view, self._timers, partial(perform, self._client, self._clock), group)
                self._loops.append(loop)
                for trigger in controller.triggers:
                    self._informer(trigger.resource).subscribe(partial(self._route, trigger, loop))
            for controller in self._controllers:
                if controller.begin is not None:
                    controller.begin(self.view)
            for informer in self._informers.values():
                informer.index()
            self._has_begun = True
            for resource in list(self._informers):
                self._begin(resource)
            for loop in self._loops:
                for key in loop.controller.start:
                    loop.add(key)

    def follow(self, resource: Resource, controller: Controller, trigger: Trigger) -> None:
        """Lets a running controller listen to one more resource, such as one that a CRD has brought."""
        loop = next(each for each in self._loops if each.controller is controller)
        informer = self._informer(resource)
        informer.subscribe(partial(self._route, trigger, loop))
        if not self._has_begun:
            return  # all begin together
        if resource in self._tasks:
            informer.replay(partial(self._route, trigger, loop))
        else:
            informer.index()
            self._begin(resource)

    def forget(self, resource: Resource) -> None:
        """Ends what `follow` began, when the resource is no longer served."""
        if (informer := self._informers.pop(resource, None)) is not None:
            informer.catch_up()  # the last deletions are news to those whose owners they were
        if (task := self._tasks.pop(resource, None)) is not None:
            task.cancel()

    @property
    def is_idle(self) -> bool:
        """Whether every event has been handled: only time or a new event will bring work."""
        for informer in self._informers.values():
            informer.catch_up()
        return all(loop.is_idle for loop in self._loops)

    @property
    def next_deadline(self) -> datetime | None:
        """When time alone will bring work next."""
        return self._timers.next

    def _informer(self, resource: Resource) -> Informer:
        if (found := self._informers.get(resource)) is None:
            found = self._informers[resource] = Informer(self._client, resource)
        return found

    def _begin(self, resource: Resource) -> None:
        assert self._group is not None
        informer = self._informers[resource]
        informer.announce()
        self._tasks[resource] = self._group.create_task(informer.run(), name=f"informer-{resource}")

    def _route(self, trigger: Trigger, loop: Loop, happened: Happened) -> None:
        try:
            for key in trigger.keys_of(self.view, happened):
                loop.add(key)
        except Exception:
            # One odd object must not end the informer for all others.
            log.exception("event not understood", controller=loop.controller.name, key="/".join(happened.key))
