"""The lines of a policy: `p, subject, resource, action, object, effect` and `g, subject, role`, as Argo CD reads them.

Each line is CSV by itself; empty ones and those that begin with `#` say nothing. Pure.
Source: https://argo-cd.readthedocs.io/en/stable/operator-manual/rbac/
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from trueup.model.errors import InvalidInput


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


class Place(Struct, frozen=True, order=True):
    """Where a line stands: `policy.csv:3`, or a project's role."""

    name: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class Rule(Struct, frozen=True, kw_only=True):
    """One `p` line. `resource`, `action` and `object` are patterns."""

    subject: str
    resource: str
    action: str
    object: str
    effect: Effect
    place: Place = Place("")

    def __str__(self) -> str:
        return f"p, {self.subject}, {self.resource}, {self.action}, {self.object}, {self.effect}"


class Binding(Struct, frozen=True, kw_only=True):
    """One `g` line: the subject (a user, a group or a role) has the role."""

    subject: str
    role: str
    place: Place = Place("")

    def __str__(self) -> str:
        return f"g, {self.subject}, {self.role}"


class Problem(Struct, frozen=True):
    """A line that cannot be read: Argo CD would refuse the whole policy."""

    place: Place
    message: str
    hint: str = ""

    def as_error(self) -> InvalidInput:
        return InvalidInput(f"{self.place}: {self.message}", hint=self.hint, field=self.place.name)


class Rules(Struct, frozen=True, kw_only=True):
    """The readable lines of one or more policies, in their order."""

    rules: tuple[Rule, ...] = ()
    bindings: tuple[Binding, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: Rules) -> Rules:
        return Rules(
            rules=self.rules + other.rules,
            bindings=self.bindings + other.bindings,
            problems=self.problems + other.problems,
        )


def read_rules(text: str, name: str = "policy.csv") -> Rules:
    """Every line of a policy; what cannot be read is a problem, and the others are read all the same."""
    found = list(_lines(text, name))
    return Rules(
        rules=tuple(item for item in found if isinstance(item, Rule)),
        bindings=tuple(item for item in found if isinstance(item, Binding)),
        problems=tuple(item for item in found if isinstance(item, Problem)),
    )


def _lines(text: str, name: str) -> Iterator[Rule | Binding | Problem]:
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield read_line(line, Place(name, number))


def read_line(line: str, place: Place) -> Rule | Binding | Problem:
    try:
        (fields,) = csv.reader([line], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        return Problem(place, f"is not one line of CSV: {error}", "quote a field that holds a comma or a quote")
    match fields:
        case ["p", subject, resource, action, target, effect]:
            if effect not in ("allow", "deny"):
                return Problem(place, f"the effect is {effect!r}", "write allow or deny")
            return Rule(
                subject=subject, resource=resource, action=action, object=target, effect=Effect(effect), place=place
            )
        case ["g", subject, role]:
            return Binding(subject=subject, role=role, place=place)
        case ["p", *rest]:
            wanted = "p, SUBJECT, RESOURCE, ACTION, OBJECT, allow|deny"
            return Problem(place, f"a rule has 5 fields after the p, and here are {len(rest)}", f"write {wanted}")
        case ["g", *rest]:
            return Problem(place, f"a binding has 2 fields after the g, and here are {len(rest)}", "write g, WHO, ROLE")
        case _:
            return Problem(place, f"begins with {fields[0] if fields else ''!r}", "a line begins with p or g")
