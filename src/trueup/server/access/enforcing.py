"""Single decisions, made by casbin with Argo CD's model: the library by which Argo CD itself decides.

`deciding` says the same, with the reason, and for lists; a property in the tests holds the two together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import casbin
import structlog

from trueup.model.errors import InvalidInput
from trueup.server.access.deciding import Decider, Person, Request
from trueup.server.access.patterns import MatchMode, matcher
from trueup.server.access.policy import Policy
from trueup.server.access.projects import Project, project_of
from trueup.server.access.rules import Rules

log = structlog.get_logger(__name__)

KEPT = 256
"""Projects whose enforcers are kept."""
MODEL = """
[request_definition]
r = sub, res, act, obj
[policy_definition]
p = sub, res, act, obj, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && matches(r.res, p.res) && matches(r.act, p.act) && matches(r.obj, p.obj)
"""


class Enforcer:
    """One policy and its projects. Not for several threads at once."""

    def __init__(self, policy: Policy, projects: Mapping[str, Project] | None = None) -> None:
        self.decider = Decider(policy, projects)
        self._mode = policy.mode
        self._projects = projects or {}
        self._enforcers: OrderedDict[str, casbin.Enforcer] = OrderedDict()

    def may(self, person: Person, request: Request) -> bool:
        """A pattern that is none refuses whatever it was asked about."""
        project = project_of(request.resource, request.object)
        enforcer = self._enforcer(project if project in self._projects else "")
        asked = (request.resource, request.action, request.object)
        try:
            return any(enforcer.enforce(name, *asked) for name in self.decider.names(person, request))
        except InvalidInput as error:
            log.warning("a pattern of the policy is none, so the call is refused", error=error.message)
            return False

    def _enforcer(self, project: str) -> casbin.Enforcer:
        if (found := self._enforcers.get(project)) is None:
            found = self._enforcers[project] = make_enforcer(self.decider.rules_for(project), self._mode)
            if len(self._enforcers) > KEPT:
                self._enforcers.popitem(last=False)
        self._enforcers.move_to_end(project)
        return found


def make_enforcer(rules: Rules, mode: MatchMode) -> casbin.Enforcer:
    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL))
    enforcer.add_function("matches", lambda value, pattern: matcher(pattern, mode)(value))
    policies = [[rule.subject, rule.resource, rule.action, rule.object, str(rule.effect)] for rule in rules.rules]
    bindings = [[binding.subject, binding.role] for binding in rules.bindings]
    enforcer.add_policies(_unique(policies))
    enforcer.add_grouping_policies(_unique(bindings))
    return enforcer


def _unique(rows: list[list[str]]) -> list[list[str]]:
    """casbin refuses a whole batch for one row that is there twice."""
    return [list(row) for row in dict.fromkeys(map(tuple, rows))]
