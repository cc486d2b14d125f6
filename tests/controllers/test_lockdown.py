"""What tenants may not decide: whose rights their Apps have, and whose sources they read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.room import Commit, Room
from trueup.controllers.lockdown import AccessDenied, Lockdown
from trueup.dialects.argocd.dialect import ArgoCdDialect
from trueup.dialects.flux.dialect import FluxDialect
from trueup.dialects.registry import all_dialects
from trueup.model.app import App
from trueup.model.manifest import Manifest

LOCKED = Lockdown(default_service_account="tenant", no_cross_namespace_refs=True)


def kustomization(*, source_namespace: str = "", account: str = "") -> Manifest:
    spec: dict[str, Any] = {
        "interval": "1h", "prune": True, "path": "./",
        "sourceRef": {"kind": "GitRepository", "name": "repo", "namespace": source_namespace or "shop"},
    }  # fmt: skip
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": 1},
        "spec": spec | ({"serviceAccountName": account} if account else {}),
    }


def helm_release(namespace: str) -> Manifest:
    chart = {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "r", "namespace": namespace}}}
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": 1},
        "spec": {"interval": "1h", "chart": chart},
    }


def read(obj: Manifest) -> App:
    return next(one for one in all_dialects() if one.app_kind.kind == obj["kind"]).read_app(obj)


def test_in_another_cluster_another_account_is_the_default() -> None:
    obj = kustomization()
    obj["spec"]["kubeConfig"] = {"secretRef": {"name": "there"}}
    assert LOCKED.applied(read(obj)).rules.service_account == ""
    assert Lockdown(default_kubeconfig_service_account="far").applied(read(obj)).rules.service_account == "shop:far"
    obj["spec"]["serviceAccountName"] = "own"
    assert Lockdown(default_kubeconfig_service_account="far").applied(read(obj)).rules.service_account == "shop:own"


@pytest.mark.parametrize("obj", [kustomization(), helm_release("shop")])
def test_an_app_that_names_no_account_has_the_default_one_of_its_own_namespace(obj: Manifest) -> None:
    assert LOCKED.applied(read(obj)).rules.service_account == "shop:tenant"
    assert Lockdown().applied(read(obj)).rules.service_account == ""


def test_an_account_that_is_named_stays() -> None:
    assert LOCKED.applied(read(kustomization(account="own"))).rules.service_account == "shop:own"


@pytest.mark.parametrize("obj", [kustomization(source_namespace="other"), helm_release("other")])
def test_another_namespaces_source_is_refused(obj: Manifest) -> None:
    with pytest.raises(AccessDenied, match="cross-namespace references have been blocked"):
        LOCKED.check(read(obj))
    Lockdown().check(read(obj))


@pytest.mark.parametrize("obj", [kustomization(), helm_release("shop")])
def test_ones_own_namespaces_source_is_taken(obj: Manifest) -> None:
    LOCKED.check(read(obj))


def test_applications_are_left_to_their_projects() -> None:
    app = read(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "web", "namespace": "argocd", "uid": "u"},
            "spec": {
                "project": "default",
                "source": {"repoURL": "https://example.com/r", "path": "."},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            },
        }
    )
    LOCKED.check(app)
    assert LOCKED.applied(app) == app
    assert {FluxDialect().name, ArgoCdDialect().name} == {"flux", "argocd"}


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_refused_app_stalls_and_nothing_of_it_is_applied() -> None:
    room = Room()
    room._shell.lockdown = LOCKED
    room.renders["web"] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}]
    refused = room.put(kustomization(source_namespace="other"))
    await room.settle()
    ready = next(row for row in room.resource(refused)["status"]["conditions"] if row["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "AccessDenied")
    assert not room.cluster.objects
    # Mended, it is applied.
    room.edit(refused, {"spec": {"sourceRef": {"kind": "GitRepository", "name": "repo", "namespace": "shop"}}})
    await room.settle()
    await room.push(refused, Commit("a"))
    await room.settle()
    assert room.memories[refused].app is not None
