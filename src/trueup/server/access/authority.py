"""The policies in force: casbin for one call, a compiled predicate per person for many. They change as a whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from trueup.server.access.deciding import Person, Request
from trueup.server.access.enforcing import Enforcer
from trueup.server.access.policy import Policy
from trueup.server.access.projects import Project
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Target

KEPT = 4096
"""Predicates that are kept: one per person and kind of list."""


class PolicyAuthority:
    """An `api.authority.Authority`. Begins with nothing allowed until it is told of a policy."""

    def __init__(self, policy: Policy, projects: Mapping[str, Project] | None = None) -> None:
        self.version = 0
        self._predicates: OrderedDict[tuple[Person, str, str], Callable[[str], bool]] = OrderedDict()
        self._enforcer = Enforcer(policy, projects)

    def update(self, policy: Policy, projects: Mapping[str, Project]) -> None:
        """From now on these hold."""
        self._enforcer = Enforcer(policy, projects)
        self._predicates.clear()
        self.version += 1

    async def may(self, caller: Caller, resource: str, action: str, target: Target) -> bool:
        return self._enforcer.may(caller.person, Request(resource=resource, action=action, object=target.name))

    def predicate(self, caller: Caller, resource: str, action: str) -> Callable[[Target], bool]:
        key = (caller.person, resource, action)
        if (found := self._predicates.get(key)) is None:
            found = self._predicates[key] = self._enforcer.decider.predicate(caller.person, resource, action)
            if len(self._predicates) > KEPT:
                self._predicates.popitem(last=False)
        self._predicates.move_to_end(key)
        allowed = found
        return lambda target: allowed(target.name)
