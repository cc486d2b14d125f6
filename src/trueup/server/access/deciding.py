"""May they? Decided from the rules, with the reason: which rule, reached through which roles. Pure.

Argo CD's order: whatever the default role may, everybody may. Then the person by name, then each of their groups that a `g` line
names; each of these alone is allowed when some rule allows it and none denies it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.server.access.patterns import Matcher, MatchMode, matcher, may_begin
from trueup.server.access.policy import Policy
from trueup.server.access.projects import Project, project_of, project_rules, subject_project
from trueup.server.access.rules import Effect, Rule, Rules

DEEPEST = 10
"""Roles of roles of roles: casbin follows so many steps."""


class Person(Struct, frozen=True, kw_only=True):
    """Who asks: a user, or a token of a project's role (`proj:PROJECT:ROLE`), and the groups that a login told of."""

    name: str
    groups: tuple[str, ...] = ()


class Request(Struct, frozen=True, kw_only=True):
    """`object` is `PROJECT/NAME` for what belongs to a project."""

    resource: str
    action: str
    object: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.resource} {self.object}".rstrip()


class Match(Struct, frozen=True):
    """A rule that speaks of the request, and the roles through which it was reached: `alice`, `role:dev`."""

    rule: Rule
    path: tuple[str, ...]


class Decision(Struct, frozen=True, kw_only=True):
    """`matches` are those that decided; none: nothing speaks of it, so it is refused."""

    allowed: bool
    matches: tuple[Match, ...] = ()
    default: bool = False
    """Whether the default role allowed it."""


class Roles:
    """Whose rules are whose: a subject's own, and those of its roles, of their roles, and so on."""

    def __init__(self, rules: Rules) -> None:
        self._rules: dict[str, list[Rule]] = {}
        self._roles: dict[str, list[str]] = {}
        for rule in rules.rules:
            self._rules.setdefault(rule.subject, []).append(rule)
        for binding in rules.bindings:
            self._roles.setdefault(binding.subject, []).append(binding.role)

    def is_bound(self, subject: str) -> bool:
        """Whether a `g` line begins with it."""
        return subject in self._roles

    def rules_of(self, subject: str) -> Iterable[tuple[tuple[str, ...], Rule]]:
        """Every rule that holds for the subject, with the way to it."""
        for path in self._paths(subject):
            for rule in self._rules.get(path[-1], ()):
                yield path, rule

    def _paths(self, subject: str) -> list[tuple[str, ...]]:
        """The shortest way to each role, nearest first."""
        seen = {subject}
        found: list[tuple[str, ...]] = [(subject,)]
        for path in found:
            if len(path) > DEEPEST:
                continue
            for role in self._roles.get(path[-1], ()):
                if role not in seen:
                    seen.add(role)
                    found.append((*path, role))
        return found


class Decider:
    """Decides by one policy. Projects are given by name; their rules hold for their own objects only."""

    def __init__(self, policy: Policy, projects: Mapping[str, Project] | None = None) -> None:
        self._policy = policy
        self._projects = projects or {}
        self._global = Roles(policy.rules)
        self._of_project: dict[str, Roles] = {}

    def decide(self, person: Person, request: Request) -> Decision:
        project = project_of(request.resource, request.object)
        roles = self._roles(project)
        default = self._policy.default_role
        if default:
            decision = self._alone(roles, default, request)
            if decision.allowed:
                return Decision(allowed=True, matches=decision.matches, default=True)
        refused: tuple[Match, ...] = ()
        for name in self._own_names(person, project, roles):
            decision = self._alone(roles, name, request)
            if decision.allowed:
                return decision
            refused = refused or decision.matches
        return Decision(allowed=False, matches=refused)

    def everything(self, person: Person) -> tuple[Match, ...]:
        """Every rule that holds for the person, and for whom of theirs: what there is to explain."""
        own = subject_project(person.name)
        roles = self._roles(own)
        names = [person.name, *(group for group in person.groups if roles.is_bound(group))]
        names += [self._policy.default_role] if self._policy.default_role else []
        return tuple(Match(rule, path) for name in names for path, rule in roles.rules_of(name))

    def predicate(self, person: Person, resource: str, action: str) -> Callable[[str], bool]:
        """`decide` for many objects of one kind: rules that cannot speak of them are left out once, not per object.

        Good until the policy, the projects or the person's groups change.
        """
        per_project: dict[str, Callable[[str], bool]] = {}

        def allowed(target: str) -> bool:
            project = project_of(resource, target)
            if project not in per_project:
                per_project[project] = self._predicate(person, resource, action, project)
            return per_project[project](target)

        return allowed

    def _predicate(self, person: Person, resource: str, action: str, project: str) -> Callable[[str], bool]:
        roles, mode = self._roles(project), self._policy.mode
        names = [*([self._policy.default_role] if self._policy.default_role else [])]
        names += self._own_names(person, project, roles)
        deciders: list[tuple[list[Matcher], list[Matcher]]] = []
        for name in names:
            speaking = [
                rule
                for _, rule in roles.rules_of(name)
                if may_begin(rule.object, project, mode)
                and _matches(rule.resource, resource, mode, rule)
                and _matches(rule.action, action, mode, rule)
            ]
            allows = [_test(rule, mode) for rule in speaking if rule.effect is Effect.ALLOW]
            if allows:
                deciders.append((allows, [_test(rule, mode) for rule in speaking if rule.effect is Effect.DENY]))

        def allowed(target: str) -> bool:
            return any(
                any(test(target) for test in allows) and not any(test(target) for test in denies)
                for allows, denies in deciders
            )

        return allowed

    def _alone(self, roles: Roles, name: str, request: Request) -> Decision:
        """One name by itself: some rule allows, and none denies."""
        mode = self._policy.mode
        found = [
            Match(rule, path)
            for path, rule in roles.rules_of(name)
            if _matches(rule.resource, request.resource, mode, rule)
            and _matches(rule.action, request.action, mode, rule)
            and _matches(rule.object, request.object, mode, rule)
        ]
        denied = tuple(match for match in found if match.rule.effect is Effect.DENY)
        return Decision(allowed=bool(found) and not denied, matches=denied or tuple(found))

    def names(self, person: Person, request: Request) -> list[str]:
        """Under which names, each for itself, a request may be allowed; the default role's is everybody's."""
        project = project_of(request.resource, request.object)
        own = self._own_names(person, project, self._roles(project))
        return [*([self._policy.default_role] if self._policy.default_role else []), *own]

    def rules_for(self, project: str) -> Rules:
        """All rules that hold for objects of the project; empty: of none."""
        if not project or project not in self._projects:
            return self._policy.rules
        return self._policy.rules + project_rules(self._projects[project])

    def _own_names(self, person: Person, project: str, roles: Roles) -> list[str]:
        """Under which names the person may ask. A project's token is nobody outside of its project."""
        if (own := subject_project(person.name)) and own != project:
            return []
        return [person.name, *(group for group in person.groups if roles.is_bound(group))]

    def _roles(self, project: str) -> Roles:
        if not project or project not in self._projects:
            return self._global
        if project not in self._of_project:
            self._of_project[project] = Roles(self._policy.rules + project_rules(self._projects[project]))
        return self._of_project[project]


def _matches(pattern: str, value: str, mode: MatchMode, rule: Rule) -> bool:
    """A pattern that is none matches nothing, but a denial with one denies: nobody gets in by a slip of the pen."""
    try:
        return matcher(pattern, mode)(value)
    except InvalidInput:
        return rule.effect is Effect.DENY


def _test(rule: Rule, mode: MatchMode) -> Matcher:
    """`_matches` of its object, looked up once."""
    try:
        return matcher(rule.object, mode)
    except InvalidInput:
        denies = rule.effect is Effect.DENY
        return lambda _: denies
