"""What of Kubernetes' rights stands for an operation, what a review says, and what people are called."""

import pytest

from trueup.dialects.argocd.shared import APP_PROJECT
from trueup.dialects.registry import all_dialects
from trueup.model.errors import InvalidInput
from trueup.model.refs import GroupKind, ObjectRef
from trueup.server.access.builtin import ACTIONS
from trueup.server.api.caller import KubernetesIdentity
from trueup.server.api.operation import Target
from trueup.server.asperson.rights import Kinds, Right, rights_of
from trueup.server.asperson.rules import is_allowed, read_rules
from trueup.server.identity.kubernetesnames import Names, names_of

APP = ObjectRef("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "web")
KINDS = Kinds(
    {kind.group_kind: kind.plural for one in all_dialects() for kind in (one.app_kind, *one.source_kinds)},
    "argocd",
)
GROUP = APP.group


@pytest.mark.parametrize(
    ("resource", "action", "wanted"),
    [
        ("applications", "get", Right("get", GROUP, "kustomizations", "shop", "web")),
        ("applications", "sync", Right("patch", GROUP, "kustomizations", "shop", "web")),
        ("applications", "update", Right("patch", GROUP, "kustomizations", "shop", "web")),
        ("applications", "create", Right("create", GROUP, "kustomizations", "shop")),
        ("applications", "delete/apps/Deployment/shop/web", Right("get", GROUP, "kustomizations", "shop", "web")),
        ("applications", "action/apps/Deployment/restart", Right("get", GROUP, "kustomizations", "shop", "web")),
        ("logs", "get", Right("get", GROUP, "kustomizations", "shop", "web")),
        ("audit", "get", Right("get", "trueup.dev", "auditentries")),
        ("accounts", "get", Right("get", "", "secrets", "argocd", "argocd-secret")),
    ],
)
def test_each_right_of_ours_is_one_of_kubernetes(resource: str, action: str, wanted: Right) -> None:
    assert rights_of(resource, action, Target("ns:shop/Kustomization/web", APP), KINDS) == (wanted,)


def test_no_resource_of_policies_is_forgotten_and_only_extensions_are_nobodys() -> None:
    nobodys = {
        resource
        for resource, actions in ACTIONS.items()
        if any(rights_of(resource, action, Target("*/*"), KINDS) is None for action in actions)
    }
    assert nobodys == {"extensions", "applicationsets"}


def test_a_pattern_of_many_needs_the_right_everywhere() -> None:
    rights = rights_of("applications", "sync", Target("*/*"), KINDS)
    assert rights is not None
    assert {right.namespace for right in rights} == {""}
    assert {right.verb for right in rights} == {"patch"}


def test_what_has_no_secret_is_seen_by_whoever_sees_what_names_it_and_changed_by_nobody() -> None:
    named = Target("https://example.com/repo", APP)
    assert rights_of("repositories", "get", named, KINDS) == (Right("get", GROUP, "kustomizations", "shop", "web"),)
    assert rights_of("repositories", "delete", named, KINDS) is None
    secret = Target("https://example.com/repo", ObjectRef("", "Secret", "argocd", "repo-1"))
    assert rights_of("repositories", "delete", secret, KINDS) == (Right("delete", "", "secrets", "argocd", "repo-1"),)


def test_each_of_the_settings_is_asked_about_by_its_own_name() -> None:
    def asked(name: str) -> object:
        return rights_of("settings", "update", Target(name, ObjectRef("", "ConfigMap", "argocd", name)), KINDS)

    assert asked("argocd-rbac-cm") == (Right("update", "", "configmaps", "argocd", "argocd-rbac-cm"),)
    assert asked("argocd-cm") == asked("") == (Right("update", "", "configmaps", "argocd", "argocd-cm"),)


def test_a_kind_that_is_no_app_is_nobodys_app() -> None:
    assert rights_of("applications", "get", Target("x", ObjectRef("apps", "Deployment", "shop", "web")), KINDS) is None
    assert GroupKind(APP_PROJECT.group, "Application") in KINDS.plurals


def review(*rules: dict[str, list[str]], incomplete: bool = False) -> dict[str, object]:
    return {"status": {"resourceRules": list(rules), "nonResourceRules": [], "incomplete": incomplete}}


def test_rules_match_as_rbac_matches() -> None:
    rules = read_rules(
        review(
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]},
            {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]},
            {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"]},
            {"verbs": ["update"], "apiGroups": ["*"], "resources": ["*/scale"]},
        )
    )
    assert rules.allow(Right("get", "", "pods", "n", "p"))
    assert rules.allow(Right("get", "", "pods", "n", "p", "log"))
    assert not rules.allow(Right("get", "", "pods", "n", "p", "exec"))
    assert rules.allow(Right("delete", "apps", "deployments", "n", "d", "status"))
    assert rules.allow(Right("get", "", "secrets", "n", "a"))
    assert not rules.allow(Right("get", "", "secrets", "n", "c"))
    assert not rules.allow(Right("get", "", "secrets", "n"))
    assert rules.allow(Right("update", "x", "things", "n", "t", "scale"))
    assert not rules.allow(Right("update", "x", "things", "n", "t"))


@pytest.mark.parametrize(
    "broken", [{}, {"status": None}, {"status": {"resourceRules": "*"}}, {"status": {"allowed": "true"}}]
)
def test_what_is_no_answer_allows_nothing(broken: dict[str, object]) -> None:
    assert not read_rules(broken).rules
    assert not is_allowed(broken)


def test_a_denial_wins_over_a_permission() -> None:
    assert is_allowed({"status": {"allowed": True}})
    assert not is_allowed({"status": {"allowed": True, "denied": True}})


# names


def test_a_provider_names_nobody_of_the_clusters_own() -> None:
    bare = names_of("-", "-")
    assert bare.of_provider("ann", ("devs", "system:masters", "trueup:x")) == KubernetesIdentity(
        user="ann", groups=("devs",)
    )
    for name in ("system:admin", "system:serviceaccount:kube-system:x", "trueup:admin", "", "a\nb", " ann", "ann\t"):
        assert bare.of_provider(name, ()) is None, name
    prefixed = Names().of_provider("system:admin", ("system:masters",))
    assert prefixed == KubernetesIdentity(user="oidc:system:admin", groups=("oidc:system:masters",))


def test_the_name_that_is_made_of_prefix_and_name_is_what_counts() -> None:
    assert names_of("sys", "sys").of_provider("tem:admin", ("tem:masters",)) is None


def test_local_users_are_ours() -> None:
    assert Names().of_local("admin") == KubernetesIdentity(user="trueup:admin")
    assert Names().of_local("proj:shop:ci") == KubernetesIdentity(user="trueup:proj:shop:ci")


@pytest.mark.parametrize("prefix", ["system:", "system:x", "trueup:", "trueup:sso:", "a\n"])
def test_a_prefix_that_makes_the_clusters_own_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput):
        names_of(prefix, "oidc:")
    with pytest.raises(InvalidInput):
        names_of("oidc:", prefix)
