"""Every controller of the collector, put together."""

from __future__ import annotations

from trueup.embedded.collector import accounts, expiry, namespaces, protection
from trueup.embedded.collector.garbage import GarbageCollector
from trueup.embedded.collector.served import Follower, ServedFollower
from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.controller import Controller


def controllers(follower: Follower, root_ca: str) -> tuple[Controller, ...]:
    """`follower` is the runtime that will run them."""

    def followed() -> set[Resource]:
        return served.followed

    garbage = GarbageCollector(followed)
    served = ServedFollower(follower, (garbage.listener(), namespaces.LISTENER))
    return (
        accounts.controller(root_ca),
        garbage.controller,
        namespaces.CONTROLLER,
        *expiry.CONTROLLERS,
        *protection.CONTROLLERS,
        served.controller(),
    )
