"""What is wrong with a policy, said before it is in force."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput
from trueup.server.access.lint import Severity, lint
from trueup.server.access.policy import policy_of
from trueup.server.access.rules import Binding, Place, Problem, Rule, read_line, read_rules

HERE = Place("policy.csv", 1)
GOOD = "p, role:dev, applications, get, */*, allow\ng, alice, role:dev\n"


def found(text: str, **data: str) -> list[tuple[str, str]]:
    return [(str(one.place), one.message) for one in lint(policy_of({"policy.csv": text, **data}))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("p, a, applications, get, */*", "a rule has 5 fields after the p, and here are 4"),
        ("p, a, applications, get, */*, maybe", "the effect is 'maybe'"),
        ("g, a", "a binding has 2 fields after the g, and here are 1"),
        ("x, a, b", "begins with 'x'"),
        ('p, "a, applications', "is not one line of CSV: unexpected end of data"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, message: str) -> None:
    problem = read_line(line, HERE)
    assert isinstance(problem, Problem)
    assert problem.message == message
    assert found(GOOD + line) == [("policy.csv:3", message)]


def test_fields_may_be_quoted_and_comments_say_nothing() -> None:
    rules = read_rules('# p, x\n\n  p, "a,b", applications, get, */*, allow\ng, a, b')
    assert [rule.subject for rule in rules.rules] == ["a,b"]
    assert rules.bindings == (Binding(subject="a", role="b", place=Place("policy.csv", 4)),)
    assert isinstance(read_line(str(rules.rules[0]).replace("a,b", "ab"), HERE), Rule)


@pytest.mark.parametrize(
    ("line", "severity", "message"),
    [
        ("p, role:dev, application, get, */*, allow", "error", "there is no resource 'application'"),
        ("p, role:dev, applications, got, */*, allow", "error", "applications has no action 'got'"),
        ("p, role:dev, applications, get, shop/[a, allow", "error", "the object: the glob 'shop/[a' is malformed"),
        ("p, role:dev, logs, get, shop, allow", "warning", "no object of logs is called 'shop': they are PROJECT/NAME"),
        ("p, role:dev, applications, get, */*, allow", "warning", "is the same as policy.csv:1"),
        ("p, role:dev, applications, get, */*, deny", "warning", "allows what policy.csv:3 denies: the denial wins"),
        ("p, role:ops, clusters, get, *, allow", "warning", "nobody has 'role:ops'"),
        ("g, bob, role:devv", "warning", "the role 'role:devv' has no rules"),
        (
            "p, proj:shop:ci, applications, get, bank/*, allow",
            "warning",
            "a role of the project shop acts on shop's objects alone, never on bank's",
        ),
    ],
)
def test_a_line_that_means_nothing_or_contradicts_another_one_is_named(line: str, severity: str, message: str) -> None:
    (one,) = lint(policy_of({"policy.csv": GOOD + line}))
    assert (one.severity, one.message) == (Severity(severity), message)


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    (one,) = lint(policy_of({"policy.csv": GOOD + "g, bob, role:devv"}))
    assert one.hint == "did you mean role:dev?"


@pytest.mark.parametrize(
    "line",
    [
        "p, role:dev, applications, action/apps/Deployment/restart, */*, allow",
        "p, role:dev, applications, update/*/Pod/*/*, shop/*, allow",
        "p, role:dev, app*, get, */*, deny",
        "p, role:readonly, exec, create, */*, deny",
        "g, builders, proj:shop:ci",
    ],
)
def test_what_is_right_is_left_alone(line: str) -> None:
    assert found(GOOD + line) == []


def test_a_default_role_without_rules_is_an_error() -> None:
    assert found(GOOD, **{"policy.default": "role:nobody"}) == [
        ("policy.default", "the role 'role:nobody' has no rules")
    ]


def test_a_policy_that_cannot_be_read_decides_nothing() -> None:
    with pytest.raises(InvalidInput, match=r"policy\.csv:1: begins with 'x'"):
        policy_of({"policy.csv": "x"}).strict()
