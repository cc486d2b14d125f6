"""Apps whose objects live in another cluster: applied, healed, pruned and deleted there, and never here."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.manifests import config, deployment
from tests.e2e.remote import Remote, remote_namespace
from tests.e2e.stack import Stack, until


@pytest.fixture(scope="session")
def embedded_remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    remote = Remote(request.getfixturevalue("embedded_cluster").kubeconfig)
    yield remote
    remote.close()


@pytest.fixture(scope="session")
def real_remote(request: pytest.FixtureRequest) -> Iterator[Remote]:
    remote = Remote(request.getfixturevalue("control_plane").kubeconfig)
    yield remote
    remote.close()


@pytest.fixture
def remote(stack: Stack, request: pytest.FixtureRequest) -> Remote:
    """Of the same kind as the stack's own cluster."""
    kind = "embedded" if "embedded" in request.node.callspec.id else "real"
    found: Remote = request.getfixturevalue(f"{kind}_remote")
    return found


@pytest.fixture
def there(remote: Remote, namespace: str) -> Iterator[str]:
    """The same namespace in the other cluster."""
    with remote_namespace(remote, namespace) as name:
        yield name


def kubeconfig_secret(namespace: str, text: str, name: str = "there", key: str = "value") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
        "data": {key: base64.b64encode(text.encode()).decode()},
    }


THERE = {"kubeConfig": {"secretRef": {"name": "there"}}}


def data_of(found: dict[str, Any] | None) -> dict[str, str]:
    return dict((found or {}).get("data") or {})


def test_a_kustomization_lives_in_the_cluster_of_its_kubeconfig(
    stack: Stack, namespace: str, remote: Remote, there: str
) -> None:
    repo = stack.repository(namespace, {"a.yaml": config(colour="blue"), "web.yaml": deployment("web")})
    # Under the same name another object is here, which nobody may touch.
    stack.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace}})
    stack.apply(kubeconfig_secret(namespace, remote.kubeconfig()))
    stack.kustomization(namespace, repo.url, wait=True, **THERE)
    stack.until_applied(namespace)
    assert data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}
    assert remote.api.get("deployment", "web", there)
    assert stack.inventory(namespace) == {f"{namespace}_settings__ConfigMap", f"{namespace}_web_apps_Deployment"}
    assert stack.get("deployment", "web", namespace) is None
    assert data_of(stack.get("configmap", "settings", namespace)) == {}

    # Drift is healed by watch, there.
    path = remote.api.path("configmap", there, "settings")
    code, live = remote.api.request("GET", path)
    assert code == 200
    remote.api.request("PUT", path, {**live, "data": {"colour": "red"}})
    until(lambda: data_of(remote.api.get("configmap", "settings", there)) == {"colour": "blue"}, what="healed")

    # What leaves Git is pruned there, and what is deleted goes there.
    stack.until_applied(namespace, repo.push({"web.yaml": None}))
    until(lambda: remote.api.get("deployment", "web", there) is None, what="pruned")
    stack.kubectl("delete", "kustomization", "app", "-n", namespace)
    assert remote.api.get("configmap", "settings", there) is None
    assert stack.get("configmap", "settings", namespace) is not None
