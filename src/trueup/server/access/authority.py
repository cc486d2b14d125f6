"""The policies in force: casbin for one call, a compiled predicate per person for many. They change as a whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from trueup.model.refs import ObjectRef
from trueup.server.access.deciding import Person, Request
from trueup.server.access.enforcing import Enforcer
from trueup.server.access.policy import Policy
from trueup.server.access.projects import Project
from trueup.server.api.authority import Sight
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Target


def _everything(_: ObjectRef) -> bool:
    return True


KEPT = 4096
"""Predicates that are kept: one per person and kind of list."""


class PolicyAuthority:
    """An `api.authority.Authority`. Begins with nothing allowed until it is told of a policy."""

    lasting = True

    def __init__(self, policy: Policy, projects: Mapping[str, Project] | None = None) -> None:
        self.version = 0
        self._predicates: OrderedDict[tuple[Person, str, str], Callable[[str], bool]] = OrderedDict()
        self._enforcer = Enforcer(policy, projects)

    def update(self, policy: Policy, projects: Mapping[str, Project]) -> None:
        """From now on these hold."""
        self._enforcer = Enforcer(policy, projects)
        self._predicates.clear()
        self.version += 1

    def version_of(self, caller: Caller) -> int:
        del caller
        return self.version

    async def prepare(self, caller: Caller) -> None:
        """Policies are at hand."""

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

    async def sight(self, caller: Caller, refs: Iterable[ObjectRef]) -> Sight:
        """Whoever may see an App may see what is its own."""
        del caller, refs
        return _everything

    def advice(self, resource: str, action: str, target: Target) -> str:
        return f"ask for a role with: p, ROLE, {resource}, {action}, {target.name}, allow"
