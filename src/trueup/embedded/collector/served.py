"""Lets controllers listen to every resource that is served, custom ones from the moment their definition is served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from trueup.embedded.api.client import ServedResource
from trueup.embedded.storage.keys import Key, Resource
from trueup.embedded.workloads.controller import Controller, KeysOf, Trigger
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import CUSTOM_RESOURCE_DEFINITIONS
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work


class Follower(Protocol):
    """What this needs of the runtime."""

    def follow(self, resource: Resource, controller: Controller, trigger: Trigger) -> None: ...

    def forget(self, resource: Resource) -> None: ...


class Listener(Struct, frozen=True):
    """A controller that listens to all resources that it `wants`."""

    controller: Controller
    keys_of: KeysOf
    wants: Callable[[ServedResource], bool]


class ServedFollower:
    """`followed` are the resources that are listened to now."""

    def __init__(self, follower: Follower, listeners: Iterable[Listener]) -> None:
        self._follower = follower
        self._listeners = tuple(listeners)
        self.followed: set[Resource] = set()

    def controller(self) -> Controller:
        return Controller(
            name="served-resources",
            decide=self._decide,
            triggers=(Trigger(CUSTOM_RESOURCE_DEFINITIONS, _read_again),),
            begin=self._follow,
        )

    def _decide(self, view: View, _: Key) -> Work:
        self._follow(view)
        return NOTHING

    def _follow(self, view: View) -> None:
        served = {each.resource: each for each in view.served()}
        for resource in sorted(served.keys() - self.followed):
            for listener in self._listeners:
                if listener.wants(served[resource]):
                    self.followed.add(resource)
                    self._follower.follow(resource, listener.controller, Trigger(resource, listener.keys_of))
        for resource in self.followed - served.keys():
            self.followed.discard(resource)
            self._follower.forget(resource)


_ALL = Key("", "")


def _read_again(_: View, __: Happened) -> Iterable[Key]:
    return (_ALL,)
