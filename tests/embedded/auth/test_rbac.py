"""RBAC's decision as data: rules, what is wanted, and whether it is allowed."""

import pytest

from trueup.embedded.auth.escalation import Piece, lacking
from trueup.embedded.auth.identity import User, service_account
from trueup.embedded.auth.rbac import Attributes, read_rules, refusal, subject_of

READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
SCALE = {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["*"]}
ONE_MAP = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["settings"]}
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
HEALTH = {"nonResourceURLs": ["/healthz", "/metrics/*"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("rule", "wanted", "allowed"),
    [
        (READ_PODS, Attributes("get", "", "pods", namespace="shop", name="web"), True),
        (READ_PODS, Attributes("delete", "", "pods", namespace="shop", name="web"), False),
        (READ_PODS, Attributes("get", "", "pods", "log", namespace="shop"), False),
        (READ_PODS, Attributes("get", "metrics.k8s.io", "pods"), False),
        (SCALE, Attributes("patch", "apps", "deployments", "scale"), True),
        (SCALE, Attributes("patch", "apps", "deployments"), False),
        (ONE_MAP, Attributes("get", "", "configmaps", name="settings"), True),
        (ONE_MAP, Attributes("get", "", "configmaps", name="other"), False),
        (ONE_MAP, Attributes("list", "", "configmaps"), False),
        (EVERYTHING, Attributes("deletecollection", "example.com", "widgets", "status"), True),
        (EVERYTHING, Attributes("get", path="/metrics"), False),
        (HEALTH, Attributes("get", path="/healthz"), True),
        (HEALTH, Attributes("get", path="/metrics/cadvisor"), True),
        (HEALTH, Attributes("get", path="/healthz/etcd"), False),
        (HEALTH, Attributes("get", "", "pods"), False),
    ],
)
def test_a_rule_allows_what_it_says_and_nothing_else(
    rule: dict[str, object], wanted: Attributes, allowed: bool
) -> None:
    [parsed] = read_rules({"rules": [rule]})
    assert parsed.allows(wanted) is allowed


@pytest.mark.parametrize(
    ("subject", "is_it"),
    [
        ({"kind": "User", "name": "jane"}, True),
        ({"kind": "User", "name": "joe"}, False),
        ({"kind": "Group", "name": "admins"}, True),
        ({"kind": "Group", "name": "jane"}, False),
        ({"kind": "ServiceAccount", "name": "jane"}, False),
    ],
)
def test_a_binding_means_users_and_groups_by_name(subject: dict[str, str], is_it: bool) -> None:
    assert bool(subject_of(User("jane", ("admins",)), [subject], "shop")) is is_it


def test_a_service_account_subject_lives_in_its_own_or_the_bindings_namespace() -> None:
    account = service_account("shop", "runner")
    assert subject_of(account, [{"kind": "ServiceAccount", "name": "runner", "namespace": "shop"}], "other")
    assert subject_of(account, [{"kind": "ServiceAccount", "name": "runner"}], "shop")
    assert not subject_of(account, [{"kind": "ServiceAccount", "name": "runner"}], "other")
    assert subject_of(account, [{"kind": "Group", "name": "system:serviceaccounts:shop"}], "")


def test_a_refusal_names_user_verb_resource_and_place() -> None:
    wanted = Attributes("patch", "apps", "deployments", "scale", "shop", "web")
    assert refusal(User("jane"), wanted) == (
        'User "jane" cannot patch resource "deployments/scale" in API group "apps" in the namespace "shop"'
    )


HELD = read_rules({"rules": [READ_PODS, SCALE, ONE_MAP, HEALTH]})


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, []),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["web"]}, []),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]}, [Piece("watch", "", "pods")]),
        ({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}, [Piece("get", "", "pods/log")]),
        ({"apiGroups": ["apps"], "resources": ["deployments/scale", "*/scale"], "verbs": ["*"]}, []),
        ({"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get"]}, [Piece("get", "apps", "*")]),
        ({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}, [Piece("get", "", "configmaps")]),
        ({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["settings"]}, []),
        ({"nonResourceURLs": ["/metrics/x", "/metrics"], "verbs": ["get"]}, [Piece("get", path="/metrics")]),
    ],
)
def test_what_is_granted_beyond_what_is_held(granted: dict[str, object], missing: list[Piece]) -> None:
    assert lacking(HELD, [granted]) == missing
