"""Repositories and clusters as people say them, and the Secrets that come of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from trueup.dialects.argocd.clusters import read_cluster
from trueup.model.manifest import Manifest
from trueup.server.api.refusals import BadQuery
from trueup.server.keeping.placeforms import (
    HIDDEN,
    ClusterForm,
    RepositoryForm,
    cluster_secret,
    repository_secret,
    same_place,
    told,
)
from trueup.server.keeping.secretrows import fields_of

GIT = "https://git.example.com/shop/apps.git"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_repository_becomes_the_secret_that_argo_cd_reads() -> None:
    made = repository_secret(RepositoryForm(url=GIT, username="ci", password="s3cret", project="shop"), "argocd")
    assert made["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
    assert made["metadata"]["annotations"] == {"managed-by": "argocd.argoproj.io"}
    assert fields_of(made) == {"url": GIT, "type": "git", "project": "shop", "username": "ci", "password": "s3cret"}
    prefix = repository_secret(RepositoryForm(url="https://git.example.com/", prefix=True, password="x"), "argocd")
    assert prefix["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repo-creds"}
    assert prefix["metadata"]["name"] != made["metadata"]["name"]


def test_a_change_keeps_the_credentials_it_does_not_name_and_whatever_it_does_not_know() -> None:
    before = repository_secret(RepositoryForm(url=GIT, username="ci", password="s3cret", proxy="http://p"), "argocd")
    before["data"] |= {"depth": packed("1"), "binary": base64.b64encode(b"\xff\xfe").decode()}
    before["metadata"]["resourceVersion"] = "7"
    after = repository_secret(RepositoryForm(url=GIT, password="", username="robot"), "argocd", before)
    assert fields_of(after) == {"url": GIT, "type": "git", "username": "robot", "depth": "1"}
    assert after["data"]["binary"] == base64.b64encode(b"\xff\xfe").decode()
    assert after["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(("kind", "prefix"), [("repository-write", False), ("repo-write-creds", True)])
def test_what_is_for_writing_stays_for_writing(kind: str, prefix: bool) -> None:
    before = repository_secret(RepositoryForm(url=GIT, password="s3cret", prefix=prefix), "argocd")
    before["metadata"]["labels"]["argocd.argoproj.io/secret-type"] = kind
    after = repository_secret(RepositoryForm(url=GIT, proxy="http://p", prefix=prefix), "argocd", before)
    assert after["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == kind


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"url": ""}, "body.url", "is no URL of a git repository"),
        ({"url": "file:///etc"}, "body.url", "is no URL"),
        ({"url": "/etc/passwd"}, "body.url", "is no URL"),
        ({"url": "--upload-pack=sh"}, "body.url", "is no URL"),
        ({"url": "https://git.example.com/a\nb"}, "body.url", "is no URL"),
        ({"url": "https://ci:s3cret@git.example.com/a"}, "body.url", "holds a password"),
        ({"url": "https://charts.example.com", "type": "helm"}, "body.name", "is missing"),
        ({"url": GIT, "ssh_private_key": "s3cret"}, "body.sshPrivateKey", "is no private key"),
        ({"url": GIT, "password": "a\0b"}, "body.password", "null byte"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_no_value_is_in_the_words(said: Any, field: str, words: str) -> None:
    with pytest.raises(BadQuery, match=words) as caught:
        repository_secret(RepositoryForm(**said), "argocd")
    assert caught.value.field == field
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "said",
    [
        {"url": "https://elsewhere.example.com/shop/apps.git"},
        {"url": "https://git.example.com.elsewhere.com/shop/apps.git"},
        {"url": "https://git.example.com:8443/shop/apps.git"},
        {"url": "http://git.example.com/shop/apps.git"},
        {"url": GIT, "github_app_enterprise_base_url": "https://elsewhere.example.com/api/v3"},
        {"url": GIT, "proxy": "http://elsewhere:3128", "insecure": True},
    ],
)
def test_credentials_that_are_kept_are_sent_to_no_other_place(said: Any) -> None:
    before = repository_secret(RepositoryForm(url=GIT, username="ci", password="s3cret"), "argocd")
    with pytest.raises(BadQuery, match="another place") as caught:
        repository_secret(RepositoryForm(**said, username="ci"), "argocd", before)
    assert "say password anew" in caught.value.hint
    for password in ("known", ""):
        repository_secret(RepositoryForm(**said, username="ci", password=password), "argocd", before)
    before["data"]["unknown"] = packed("s3cret")
    with pytest.raises(BadQuery, match="another place"):
        repository_secret(RepositoryForm(**said, username="ci", password="known"), "argocd", before)


def test_credentials_stay_where_the_same_host_hears_them() -> None:
    before = repository_secret(RepositoryForm(url=GIT, password="s3cret"), "argocd")
    for said in ({"url": "https://GIT.example.com/shop/other"}, {"url": GIT, "proxy": "http://proxy"}):
        after = repository_secret(RepositoryForm(**said), "argocd", before)
        assert fields_of(after)["password"] == "s3cret"
        with pytest.raises(BadQuery, match="another place"):  # nor in two steps
            repository_secret(RepositoryForm(url=GIT, proxy="http://proxy", insecure=True), "argocd", after)


@pytest.mark.parametrize("said", [{"server": "https://elsewhere:6443"}, {"proxy_url": "http://elsewhere:3128"}])
@pytest.mark.parametrize("credential", ["bearer_token", "password", "key_data"])
def test_a_clusters_credentials_are_sent_to_no_other_place(said: Any, credential: str) -> None:
    place = {"server": "https://10.0.0.1:6443", "name": "east"}
    value = PEM if credential == "key_data" else "t0ken"
    before = cluster_secret(ClusterForm(**place, **{credential: value}), "argocd")  # type: ignore[arg-type]
    with pytest.raises(BadQuery, match="another place"):
        cluster_secret(ClusterForm(**(place | said)), "argocd", before)
    cluster_secret(ClusterForm(**(place | said), **{credential: value}), "argocd", before)


def test_a_cluster_becomes_a_secret_that_the_controller_can_use() -> None:
    form = ClusterForm(
        server="https://10.0.0.1:6443/", name="east", bearer_token="t0ken", ca_data=PEM, namespaces=("a", "b"),
        labels={"env": "prod"},
    )  # fmt: skip
    made = cluster_secret(form, "argocd")
    access = read_cluster(made)
    assert (access.server, access.name, access.bearer_token) == ("https://10.0.0.1:6443", "east", "t0ken")
    assert (access.ca, access.namespaces) == (PEM.encode(), ("a", "b"))
    assert made["metadata"]["labels"] == {"env": "prod", "argocd.argoproj.io/secret-type": "cluster"}
    rotated = cluster_secret(ClusterForm(server=form.server, name="east", bearer_token="new"), "argocd", made)
    config = json.loads(fields_of(rotated)["config"])
    assert (config["bearerToken"], config["tlsClientConfig"]["caData"]) == ("new", packed(PEM))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"server": "https://x"}, "is missing"),
        ({"server": "https://x", "name": "in-cluster"}, "the cluster that Trueup runs in"),
        ({"server": "10.0.0.1", "name": "a"}, "no URL"),
        ({"server": "https://a:b@x", "name": "a"}, "holds a password"),
        ({"server": "https://x", "name": "a", "namespaces": ("A B",)}, "no name of a namespace"),
        ({"server": "https://x", "name": "a", "ca_data": "%%%"}, "caData is not base64"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused(said: Any, words: str) -> None:
    with pytest.raises(BadQuery, match=words):
        cluster_secret(ClusterForm(**said), "argocd")


def test_what_is_told_holds_no_credential() -> None:
    canary = "canary-value"
    secrets: list[Manifest] = [
        repository_secret(
            RepositoryForm(
                url=GIT, username=canary, password=canary, bearer_token=canary, tls_client_cert_key=canary,
                github_app_private_key=canary, gcp_service_account_key=canary,
                ssh_private_key=f"-----BEGIN {canary}",
            ), "argocd",
        ),
        cluster_secret(
            ClusterForm(server="https://x", name="a", username=canary, password=canary, bearer_token=canary), "argocd"
        ),
    ]  # fmt: skip
    secrets[0]["data"]["unknown"] = packed(canary)
    secrets[0]["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = canary
    for secret in secrets:
        assert canary not in json.dumps(told(secret))
    assert told(secrets[0])["stringData"]["password"] == HIDDEN
    assert told(secrets[0])["stringData"]["url"] == GIT


def test_two_secrets_of_one_place_are_known() -> None:
    def repository(url: str, **more: Any) -> Manifest:
        return repository_secret(RepositoryForm(url=url, **more), "argocd")

    assert same_place(repository(GIT), repository(GIT.removesuffix(".git").upper().replace("HTTPS", "https")))
    assert not same_place(repository(GIT), repository(GIT, project="shop"))
    assert not same_place(repository(GIT), repository(GIT, prefix=True))
    east = cluster_secret(ClusterForm(server="https://x", name="east"), "argocd")
    assert same_place(east, cluster_secret(ClusterForm(server="https://y", name="east"), "argocd"))
    assert not same_place(east, cluster_secret(ClusterForm(server="https://y", name="west"), "argocd"))
