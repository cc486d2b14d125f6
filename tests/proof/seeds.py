"""What there is for the operations to meet: an App of each dialect, a user with tokens, a project; and bodies that nearly fit."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from tests.e2e.stack import Stack, git_repository, kustomization
from tests.e2e.test_argocd import application

NAMESPACE = "proof"
USER = "robot"
PROJECT: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "shop", "namespace": "argocd"},
    "spec": {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "roles": [{"name": "ci", "policies": ["p, proj:shop:ci, applications, get, shop/*, allow"]}],
    },
}
SETTINGS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "argocd-cm", "namespace": "argocd", "labels": {"app.kubernetes.io/part-of": "argocd"}},
    "data": {f"accounts.{USER}": "apiKey, login", "accounts.admin": "apiKey, login"},
}
OBJECTS = (
    {"kind": "ConfigMap", "group": "", "name": "settings"},
    {"kind": "Deployment", "group": "apps", "name": "web"},
)


CLUSTER = "https://127.0.0.1:1"
"""Where nobody answers, which is known at once."""


def place(kind: str, name: str, /, **data: str) -> dict[str, Any]:
    """A registered repository or cluster, as the API makes them."""
    metadata = {
        "name": name,
        "namespace": "argocd",
        "labels": {"argocd.argoproj.io/secret-type": kind},
        "annotations": {"managed-by": "argocd.argoproj.io"},
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


def places(url: str) -> tuple[dict[str, Any], ...]:
    return (
        place("repository", "proof-repository", url=url, type="git"),
        place("repo-creds", "proof-template", url=url.rpartition("/")[0], username="ci"),
        place("cluster", "proof-cluster", server=CLUSTER, name="proof", config="{}"),
    )


def everything(url: str) -> tuple[dict[str, Any], ...]:
    return (
        SETTINGS,
        PROJECT,
        git_repository(NAMESPACE, url),
        kustomization(NAMESPACE),
        application(NAMESPACE, url) | {"metadata": {"name": "shop", "namespace": "argocd"}},
    )


def restore(stack: Stack, url: str) -> None:
    """What a call has deleted is there again."""
    stack.apply(*everything(url), *places(url))


def is_whole(stack: Stack) -> bool:
    found = (stack.get("kustomization", "app", NAMESPACE), stack.get("gitrepository", "repo", NAMESPACE))
    there = [stack.get("secret", f"proof-{name}", "argocd") for name in ("repository", "template", "cluster")]
    return all(found) and all(there) and bool(stack.get("application", "shop", "argocd"))


def parts(path: str, record: str, url: str) -> dict[str, str]:
    """Parts of a path that lead to what there is."""
    return {
        "secret": "proof-cluster" if "/clusters" in path else "proof-repository", "settings": "argocd-cm",
        "repo": url.rpartition("/")[0] if "/repocreds" in path else url, "cluster": CLUSTER,
        "appKind": "Kustomization", "appNamespace": NAMESPACE, "appName": "app", "application": "shop",
        "namespace": NAMESPACE, "kind": "GitRepository", "name": USER if "/account" in path else "repo",
        "project": "shop", "role": "ci", "id": record, "resource": "applications", "action": "get",
    }  # fmt: skip


def bodies(method: str, path: str, url: str) -> dict[str, Any] | None:
    """One that is taken, where the document allows any resource."""
    _, _, _, app, shop = everything(url)
    argo = path.startswith("/api/v1/")
    match method, path.rpartition("/")[2]:
        case ("POST" | "PUT", "apps" | "{appName}"):
            return app
        case ("POST" | "PUT", "applications" | "{application}"):
            return shop
        case "PUT", "spec":
            return dict(shop["spec"])
        case ("POST" | "PUT", "projects" | "{project}"):
            return {"project": PROJECT} if argo else PROJECT
        case "PATCH", "{application}":
            return {"patch": '{"metadata": {"labels": {"a": "b"}}}', "patchType": "merge"}
        case "POST", ("repositories" | "repocreds"):
            return {("repo" if argo else "url"): f"{url}-other", "type": "git"}
        case "PUT", "{repo}":
            return {"repo": url, "type": "git"}
        case ("PUT", "{secret}") if "/repositories/" in path:
            return {"url": url, "type": "git"}
        case "POST", "clusters":
            return {"server": f"{CLUSTER}0", "name": "other"}
        case "PUT", "{cluster}":
            return {"server": CLUSTER, "name": "proof"}
        case ("PUT", "{secret}"):
            return {"server": CLUSTER, "name": "proof"}
        case "PATCH", "{settings}":
            return {"data": {"passwordPattern": "^.{8,32}$"}}
        case "PUT", "pin":
            return {"revision": "main@sha1:" + "a" * 40, "reason": "held"}
        case "PATCH", "object":
            return {"data": {"colour": "red"}}
    return None


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoilt(draw: Any, body: dict[str, Any]) -> Any:
    """The body with one value of it, anywhere, replaced by anything, taken out, or joined by another."""
    made = copy.deepcopy(body)
    place: Any = made
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 3)):
            place = place[key]
            continue
        match draw(st.sampled_from(["as it is", "other", "gone", "more"])):
            case "other":
                place[key] = draw(JSON)
            case "gone":
                del place[key]
            case "more" if isinstance(place, dict):
                place[draw(st.sampled_from(["status", "operation", "spec", "metadata", "x", "finalizers"]))] = draw(
                    JSON
                )
        return made
