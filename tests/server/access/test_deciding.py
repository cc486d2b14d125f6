"""Who may do what: the rules of Argo CD's policies, held against casbin, by which Argo CD itself decides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.model import globs
from trueup.model.errors import InvalidInput
from trueup.server.access import deciding
from trueup.server.access.builtin import ACTIONS
from trueup.server.access.deciding import Decider, Person, Request
from trueup.server.access.enforcing import Enforcer, make_enforcer
from trueup.server.access.patterns import Matcher, MatchMode, matcher, may_begin
from trueup.server.access.policy import Policy, policy_of
from trueup.server.access.projects import Project, ProjectRole, project_of, project_rules, subject_project
from trueup.server.access.rules import Binding, Effect, Place, Rule, Rules


def decider(text: str = "", *projects: Project, **data: str) -> Decider:
    policy = policy_of({"policy.csv": text, **data})
    return Decider(policy, {project.name: project for project in projects})


def may(decider: Decider, name: str, what: str, *groups: str) -> bool:
    action, resource, target = what.split()
    return decider.decide(
        Person(name=name, groups=groups), Request(resource=resource, action=action, object=target)
    ).allowed


DEV = """
p, role:dev, applications, sync, shop/*, allow
p, role:dev, applications, *, shop/*, allow
p, role:dev, applications, delete, shop/prod-*, deny
g, my-org:team, role:dev
g, alice, role:dev
"""


@pytest.mark.parametrize(
    ("name", "what", "allowed"),
    [
        ("alice", "sync applications shop/web", True),
        ("alice", "sync applications bank/web", False),
        ("alice", "delete applications shop/dev-1", True),
        ("alice", "delete applications shop/prod-1", False),
        ("alice", "get clusters anything", False),
        ("bob", "sync applications shop/web", False),
        ("admin", "delete clusters https://one", True),
        ("admin", "invoke extensions metrics", False),
        ("role:readonly", "get applications any/app", True),
        ("role:readonly", "sync applications any/app", False),
        ("role:readonly", "create exec any/app", False),
    ],
)
def test_a_role_may_what_its_rules_allow_and_none_denies(name: str, what: str, allowed: bool) -> None:
    assert may(decider(DEV), name, what) is allowed


def test_a_group_that_a_binding_names_counts_and_another_one_does_not() -> None:
    assert may(decider(DEV), "bob", "sync applications shop/web", "my-org:team")
    assert not may(
        decider("p, my-org:team, applications, get, */*, allow"), "bob", "get applications a/b", "my-org:team"
    )


def test_each_name_is_judged_by_itself_so_one_group_does_not_deny_what_another_allows() -> None:
    text = DEV + "p, role:no, applications, *, */*, deny\ng, careful, role:no"
    assert may(decider(text), "bob", "sync applications shop/web", "careful", "my-org:team")


def test_what_the_default_role_may_cannot_be_denied() -> None:
    text = "p, alice, applications, get, */*, deny"
    assert may(decider(text, **{"policy.default": "role:readonly"}), "alice", "get applications a/b")
    assert not may(decider(text), "alice", "get applications a/b")


def test_regular_expressions_find_their_pattern_anywhere() -> None:
    text = "p, alice, applications, ^(get|sync)$, ^shop/.+$, allow"
    one = decider(text, **{"policy.matchMode": "regex"})
    assert may(one, "alice", "sync applications shop/web")
    assert not may(one, "alice", "synced applications shop/web")
    assert may(one, "admin", "get applications a/b") is False, "in this mode */* is no regular expression"


def test_a_denial_with_a_broken_pattern_denies_and_an_allowance_with_one_allows_nothing() -> None:
    text = "p, alice, applications, get, */*, allow\np, alice, applications, get, shop/[, deny"
    assert not may(decider(text), "alice", "get applications bank/web")
    assert not may(decider("p, alice, applications, get, shop/{a, allow"), "alice", "get applications shop/a")


def test_the_reason_names_the_line_and_the_way_to_it() -> None:
    decision = decider(DEV).decide(
        Person(name="alice"), Request(resource="applications", action="delete", object="shop/prod-1")
    )
    (match,) = decision.matches
    assert (str(match.rule.place), match.path) == ("policy.csv:4", ("alice", "role:dev"))


SHOP = Project(
    name="shop",
    roles=(
        ProjectRole(
            name="ci",
            policies=(
                "p, proj:shop:ci, applications, sync, shop/*, allow",
                "p, proj:shop:ci, applications, get, bank/*, allow",
            ),
            groups=("builders",),
        ),
    ),
)


@pytest.mark.parametrize(
    ("what", "allowed"),
    [
        ("sync applications shop/web", True),
        ("sync applications shop/ns/web", True),
        ("get applications bank/web", False),
        ("get projects shop", True),
        ("get projects bank", False),
        ("get clusters one", False),
    ],
)
def test_a_token_of_a_projects_role_acts_in_its_project_alone(what: str, allowed: bool) -> None:
    bank = Project(name="bank")
    assert may(decider("", SHOP, bank), "proj:shop:ci", what) is allowed


def test_a_group_of_a_projects_role_has_it_in_that_project() -> None:
    assert may(decider("", SHOP), "bob", "sync applications shop/web", "builders")
    assert not may(decider("", SHOP), "bob", "sync applications bank/web", "builders")


# against casbin

SUBJECTS = st.sampled_from(["alice", "bob", "team", "role:a", "role:b", "role:c"])
ROLES = st.sampled_from(["role:a", "role:b", "role:c", "role:readonly", "role:admin"])
PATTERNS = st.sampled_from(["*", "*/*", "shop/*", "shop/web", "bank/w?b", "{shop,bank}/*", "s*/[a-w]*", "shop"])
OBJECTS = st.sampled_from(["shop/web", "bank/web", "bank/wib", "shop/ns/web", "shop", "other", ""])
RESOURCES = st.sampled_from(["applications", "projects", "logs", "*", "app*"])
RULES = st.builds(
    Rule,
    subject=SUBJECTS,
    resource=RESOURCES,
    action=st.sampled_from(["get", "sync", "*", "action/*", "action/apps/*"]),
    object=PATTERNS,
    effect=st.sampled_from(list(Effect)),
)
BINDINGS = st.builds(Binding, subject=SUBJECTS, role=ROLES)
POLICIES = st.builds(
    Rules, rules=st.lists(RULES, max_size=12).map(tuple), bindings=st.lists(BINDINGS, max_size=6).map(tuple)
)
REQUESTS = st.builds(
    Request,
    resource=st.sampled_from(["applications", "projects", "logs", "clusters"]),
    action=st.sampled_from(["get", "sync", "action/apps/Deployment/restart"]),
    object=OBJECTS,
)


@settings(max_examples=300, deadline=None)
@given(
    rules=POLICIES,
    name=SUBJECTS,
    groups=st.lists(SUBJECTS, max_size=2, unique=True),
    request=REQUESTS,
    default=st.sampled_from(["", "role:a"]),
)
def test_every_decision_is_casbins(rules: Rules, name: str, groups: list[str], request: Request, default: str) -> None:
    oracle = make_enforcer(rules, MatchMode.GLOB)
    bound = {binding.subject for binding in rules.bindings}
    names = [*([default] if default else []), name, *(group for group in groups if group in bound)]
    wanted = any(oracle.enforce(one, request.resource, request.action, request.object) for one in names)
    policy, person = Policy(rules=rules, default_role=default), Person(name=name, groups=tuple(groups))
    assert Decider(policy).decide(person, request).allowed is wanted
    assert Enforcer(policy).may(person, request) is wanted


@settings(max_examples=200, deadline=None)
@given(
    rules=POLICIES,
    name=st.one_of(SUBJECTS, st.just("proj:shop:ci")),
    groups=st.lists(st.one_of(SUBJECTS, st.just("builders")), max_size=2, unique=True),
    request=REQUESTS,
    objects=st.lists(OBJECTS, min_size=1, max_size=5),
)
def test_a_list_shows_exactly_what_single_decisions_allow(
    rules: Rules, name: str, groups: list[str], request: Request, objects: list[str]
) -> None:
    ours = Decider(Policy(rules=rules, default_role=""), {"shop": SHOP})
    person = Person(name=name, groups=tuple(groups))
    shown = ours.predicate(person, request.resource, request.action)
    for target in objects:
        one = Request(resource=request.resource, action=request.action, object=target)
        assert shown(target) is ours.decide(person, one).allowed


def test_roles_that_have_each_other_end() -> None:
    assert not may(decider("g, role:a, role:b\ng, role:b, role:a\ng, alice, role:a"), "alice", "get applications a/b")


def test_objects_of_projects_are_told_by_their_resource() -> None:
    assert project_of("applications", "shop/ns/web") == "shop"
    assert project_of("projects", "shop") == "shop"
    assert project_of("repositories", "https://example.com") == "https:", "as Argo CD splits it"
    assert project_of("accounts", "a/b") == ""
    assert subject_project("proj:shop:ci") == "shop"
    assert subject_project("proj:shop") == ""


def test_the_builtin_roles_cover_every_resource() -> None:
    one = decider()
    for resource, actions in ACTIONS.items():
        for action in actions:
            allowed = may(one, "admin", f"{action.replace('*', 'x/y')} {resource} a/b")
            assert allowed is (resource != "extensions")


def test_a_project_role_without_policies_may_see_its_project() -> None:
    rules = project_rules(Project(name="shop", roles=(ProjectRole(name="view"),)))
    assert [str(rule) for rule in rules.rules] == ["p, proj:shop:view, projects, get, shop, allow"]


def test_scopes_are_a_list_in_a_string() -> None:
    assert policy_of({"scopes": "[groups, email]"}).scopes == ("groups", "email")
    with pytest.raises(InvalidInput, match="not a list of claims"):
        policy_of({"scopes": "groups"})


def test_policies_are_put_together_by_name_and_the_mode_is_glob_unless_it_is_regex() -> None:
    policy = policy_of({"policy.b.csv": "g, b, role:x", "policy.a.csv": "g, a, role:x", "policy.csv": "g, m, role:x"})
    own = [binding.place for binding in policy.rules.bindings if binding.place.line]
    assert own == [Place("policy.csv", 1), Place("policy.a.csv", 1), Place("policy.b.csv", 1)]
    assert policy.mode is MatchMode.GLOB


GLOBS = st.text("a/*?[]{},\\!", max_size=6)


@settings(max_examples=300, deadline=None)
@given(pattern=GLOBS, value=st.text("a/!,\n", max_size=5))
def test_simple_globs_are_read_as_all_others_are(pattern: str, value: str) -> None:
    try:
        wanted = globs.matches(pattern, value)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            matcher(pattern, MatchMode.GLOB)
        return
    assert matcher(pattern, MatchMode.GLOB)(value) is wanted


@settings(max_examples=300, deadline=None)
@given(pattern=GLOBS, beginning=st.text("a/", max_size=2), rest=st.text("a/!,", max_size=4))
def test_a_pattern_that_matches_is_never_left_out_by_how_it_begins(pattern: str, beginning: str, rest: str) -> None:
    try:
        matched = globs.matches(pattern, beginning + rest)
    except InvalidInput:
        matched = True
    assert may_begin(pattern, beginning, MatchMode.GLOB) or not matched


def test_a_list_asks_only_the_rules_of_the_objects_project(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    find = deciding.matcher

    def counted(pattern: str, mode: MatchMode) -> Matcher:
        found = find(pattern, mode)

        def test(value: str) -> bool:
            asked.append(pattern)
            return found(value)

        return test

    monkeypatch.setattr(deciding, "matcher", counted)
    policy = "\n".join(f"p, alice, applications, get, p{number}/*, allow" for number in range(50))
    shown = decider(policy).predicate(Person(name="alice"), "applications", "get")
    assert shown("p0/web")
    asked.clear()
    assert all(shown(f"p{number % 50}/app-{number}") for number in range(1_000))
    assert len([pattern for pattern in asked if pattern.startswith("p")]) == 1_000
