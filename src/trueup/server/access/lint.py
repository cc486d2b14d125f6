"""What is wrong, or does nothing, in a policy: said before it is in force. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.server.access.builtin import ACTIONS, BUILTIN, PROJECT_RESOURCES
from trueup.server.access.patterns import MatchMode, matcher
from trueup.server.access.policy import Policy
from trueup.server.access.projects import subject_project
from trueup.server.access.rules import Binding, Effect, Place, Rule

_PREFIXES = ("action/", "update/", "delete/")
_SIGNS = "*?[{"


class Severity(StrEnum):
    ERROR = "error"
    """Argo CD would refuse the policy, or the line cannot mean what it says."""
    WARNING = "warning"
    """The line does nothing, or more than it seems to."""


class Finding(Struct, frozen=True, kw_only=True):
    place: Place
    severity: Severity
    message: str
    hint: str = ""


def lint(policy: Policy) -> tuple[Finding, ...]:
    """By place. A policy without findings may still not say what its author meant: ask `can`."""
    found = [
        Finding(place=problem.place, severity=Severity.ERROR, message=problem.message, hint=problem.hint)
        for problem in policy.rules.problems
    ]
    own = [rule for rule in policy.rules.rules if rule.place != BUILTIN]
    bindings = [binding for binding in policy.rules.bindings if binding.place != BUILTIN]
    for rule in own:
        found += _patterns(rule, policy.mode)
        if policy.mode is MatchMode.GLOB:
            found += _words(rule)
        found += _reach(rule)
    found += _duplicates(own)
    found += _roles(policy, own, bindings)
    return tuple(sorted(found, key=lambda finding: (finding.place, finding.severity)))


def _patterns(rule: Rule, mode: MatchMode) -> Iterator[Finding]:
    for field in ("resource", "action", "object"):
        try:
            matcher(getattr(rule, field), mode)
        except InvalidInput as error:
            yield _error(rule.place, f"the {field}: {error.message}", error.hint)


def _words(rule: Rule) -> Iterator[Finding]:
    """Resources and actions that there are not."""
    if any(sign in rule.resource for sign in _SIGNS):
        return
    if rule.resource not in ACTIONS:
        yield _error(rule.place, f"there is no resource {rule.resource!r}", f"one of: {', '.join(ACTIONS)}")
        return
    if any(sign in rule.action for sign in _SIGNS) or rule.action.startswith(_PREFIXES):
        return
    known = [action for action in ACTIONS[rule.resource] if "*" not in action]
    if rule.action not in known:
        yield _error(rule.place, f"{rule.resource} has no action {rule.action!r}", f"one of: {', '.join(known)}")


def _reach(rule: Rule) -> Iterator[Finding]:
    """Objects that no request names so."""
    if rule.resource in PROJECT_RESOURCES and "/" not in rule.object and not any(s in rule.object for s in _SIGNS):
        yield Finding(
            place=rule.place,
            severity=Severity.WARNING,
            message=f"no object of {rule.resource} is called {rule.object!r}: they are PROJECT/NAME",
            hint=f"write {rule.object}/*, or */{rule.object}",
        )
    if project := subject_project(rule.subject):
        inside = rule.object.partition("/")[0]
        if rule.resource in PROJECT_RESOURCES and inside not in (project, "*"):
            yield Finding(
                place=rule.place,
                severity=Severity.WARNING,
                message=f"a role of the project {project} acts on {project}'s objects alone, never on {inside}'s",
                hint=f"write {project}/{rule.object.partition('/')[2] or '*'}",
            )


def _duplicates(rules: Iterable[Rule]) -> Iterator[Finding]:
    first: dict[tuple[str, str, str, str], Rule] = {}
    for rule in rules:
        key = (rule.subject, rule.resource, rule.action, rule.object)
        before = first.setdefault(key, rule)
        if before is rule:
            continue
        if before.effect is rule.effect:
            yield Finding(place=rule.place, severity=Severity.WARNING, message=f"is the same as {before.place}")
        else:
            allows = rule if rule.effect is Effect.ALLOW else before
            yield Finding(
                place=allows.place,
                severity=Severity.WARNING,
                message=f"allows what {(before if allows is rule else rule).place} denies: the denial wins",
            )


def _roles(policy: Policy, rules: list[Rule], bindings: list[Binding]) -> Iterator[Finding]:
    all_rules, all_bindings = policy.rules.rules, policy.rules.bindings
    subjects = {rule.subject for rule in all_rules} | {binding.subject for binding in all_bindings}
    given = {binding.role for binding in all_bindings} | {policy.default_role}
    for binding in bindings:
        if binding.role not in subjects and not subject_project(binding.role):
            yield Finding(
                place=binding.place,
                severity=Severity.WARNING,
                message=f"the role {binding.role!r} has no rules",
                hint=_near(binding.role, subjects),
            )
    if policy.default_role and policy.default_role not in subjects:
        yield _error(Place("policy.default"), f"the role {policy.default_role!r} has no rules", "role:readonly")
    for subject in sorted({rule.subject for rule in rules if rule.subject.startswith("role:")}):
        if subject not in given and not any(rule.subject == subject and rule.place == BUILTIN for rule in all_rules):
            place = next(rule.place for rule in rules if rule.subject == subject)
            yield Finding(
                place=place,
                severity=Severity.WARNING,
                message=f"nobody has {subject!r}",
                hint=f"add: g, WHO, {subject}",
            )


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {found[0]}?" if found else "add rules for it, or take the line out"


def _error(place: Place, message: str, hint: str = "") -> Finding:
    return Finding(place=place, severity=Severity.ERROR, message=message, hint=hint)
