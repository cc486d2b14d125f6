"""Argo CD's cluster Secrets: which one a destination means, and what it says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from trueup.dialects.argocd.clusters import ClusterPaused, cluster_of, find_cluster, read_cluster, target_of
from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.manifest import Manifest
from trueup.model.target import Destination


def secret(name: str = "production", server: str = "https://p:6443", config: Any = None, **data: str) -> Manifest:
    said = {"name": name, "server": server, "config": json.dumps(config or {"bearerToken": "t"}), **data}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"cluster-{name}",
            "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in said.items()},
    }


PRODUCTION = Destination(name="production", project="default")


def test_our_own_cluster_is_no_target() -> None:
    assert target_of("https://kubernetes.default.svc/", "", "default") is None
    assert target_of("", "in-cluster", "default") is None
    assert target_of("", "production", "default") == PRODUCTION
    assert cluster_of({"spec": {"destination": {"name": "production"}}}) == "production"
    assert cluster_of({"spec": {"destination": {"server": "https://kubernetes.default.svc"}}}) == ""


def test_a_cluster_is_found_by_its_name_or_its_server() -> None:
    secrets = [secret(), secret("staging", "https://s:6443/")]
    found, names = find_cluster(PRODUCTION, secrets)
    assert found is not None
    assert (found.server, found.bearer_token, names) == ("https://p:6443", "t", ["production", "staging"])
    found, _ = find_cluster(Destination(server="https://s:6443", project="default"), secrets)
    assert found is not None
    assert found.name == "staging"
    assert find_cluster(Destination(name="nowhere", project="default"), secrets)[0] is None
    assert "'t'" not in repr(found)


def test_a_cluster_of_a_project_is_for_it_alone_and_goes_before_one_of_all() -> None:
    own, all_ = secret(server="https://own:6443", project="shop"), secret()
    found, names = find_cluster(PRODUCTION, [own])
    assert (found, names) == (None, [])
    found, _ = find_cluster(Destination(name="production", project="shop"), [all_, own])
    assert found is not None
    assert found.server == "https://own:6443"


def test_two_clusters_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="2 cluster Secrets"):
        find_cluster(PRODUCTION, [secret(), secret(server="https://q:6443")])


def test_all_of_the_config_is_read() -> None:
    data = base64.b64encode(b"pem").decode()
    config = {
        "username": "u",
        "password": "p",
        "tlsClientConfig": {
            "insecure": False,
            "serverName": "p.example.com",
            "caData": data,
            "certData": data,
            "keyData": data,
        },
        "proxyUrl": "http://proxy:3128",
        "disableCompression": True,
    }
    found = read_cluster(secret(config=config, namespaces="shop, tools", clusterResources="true"))
    assert (found.username, found.ca, found.certificate, found.key) == ("u", b"pem", b"pem", b"pem")
    assert (found.server_name, found.proxy) == ("p.example.com", "http://proxy:3128")
    assert (found.namespaces, found.cluster_resources) == (("shop", "tools"), True)


@pytest.mark.parametrize("name", ["awsAuthConfig", "execProviderConfig"])
def test_a_program_for_a_token_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(NotBuiltYet, match=name):
        read_cluster(secret(config={name: {"command": "argocd-k8s-auth"}}))


def test_what_cannot_be_read_is_said_without_what_it_holds() -> None:
    wrong = secret()
    wrong["data"]["config"] = base64.b64encode(b'{"bearerToken": "secret-token",').decode()
    with pytest.raises(InvalidInput) as refused:
        read_cluster(wrong)
    assert "secret-token" not in str(refused.value)
    with pytest.raises(InvalidInput, match="caData is not base64"):
        read_cluster(secret(config={"tlsClientConfig": {"caData": "%"}}))
    with pytest.raises(InvalidInput, match="no URL"):
        read_cluster(secret(server="p:6443"))


def test_a_paused_cluster_is_left_alone() -> None:
    paused = secret()
    paused["metadata"]["annotations"] = {"argocd.argoproj.io/skip-reconcile": "true"}
    with pytest.raises(ClusterPaused):
        read_cluster(paused)
