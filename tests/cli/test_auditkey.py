"""The audit log's key in a cluster: made once, and the same for every pod."""

from __future__ import annotations

import base64
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.e2e.api import Api
from tests.embedded.fixtures import EmbeddedCluster, embedded_cluster
from trueup.cli.auditkey import bring_key
from trueup.cluster.config import load_config
from trueup.model.errors import InvalidInput
from trueup.records.audit.checkpoints import load_signer, public_pem, read_public_keys

__all__ = ["embedded_cluster"]


@pytest.fixture
def api(embedded_cluster: EmbeddedCluster) -> Api:
    return Api(embedded_cluster.kubeconfig)


@pytest.fixture
def namespace(api: Api) -> str:
    name = f"audit-{uuid.uuid4().hex[:8]}"
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert api.request("POST", "/api/v1/namespaces", made)[0] == 201
    return name


def key_of(state: Path) -> str:
    return public_pem(load_signer(state / "audit" / "signing.key").public)


def test_pods_that_come_and_go_sign_with_one_key(
    embedded_cluster: EmbeddedCluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    config = load_config(embedded_cluster.kubeconfig)
    controller, server, later = (tmp_path / name for name in ("controller", "server", "later"))
    bring_key(config, namespace, "trueup-audit", controller, make=True)
    bring_key(config, namespace, "trueup-audit", server, make=False)
    bring_key(config, namespace, "trueup-audit", later, make=True)
    assert key_of(controller) == key_of(server) == key_of(later)
    secret: Any = api.get("secret", "trueup-audit", namespace)
    assert base64.b64decode(secret["data"]["signing.key"]) == (server / "audit" / "signing.key").read_bytes()
    assert stat.S_IMODE((server / "audit" / "signing.key").stat().st_mode) == 0o600


def test_a_key_that_was_there_before_becomes_everybodys(
    embedded_cluster: EmbeddedCluster, namespace: str, tmp_path: Path
) -> None:
    before = public_pem(load_signer(tmp_path / "one" / "audit" / "signing.key").public)
    config = load_config(embedded_cluster.kubeconfig)
    bring_key(config, namespace, "trueup-audit", tmp_path / "one", make=True)
    bring_key(config, namespace, "trueup-audit", tmp_path / "other", make=False)
    assert key_of(tmp_path / "other") == before


def secret(api: Api, namespace: str, data: dict[str, str]) -> None:
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trueup-audit"}, "stringData": data}
    assert api.request("POST", f"/api/v1/namespaces/{namespace}/secrets", made)[0] == 201


def test_what_is_no_key_takes_no_keys_place(
    embedded_cluster: EmbeddedCluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    before = key_of(tmp_path)
    secret(api, namespace, {"signing.key": "no key at all"})
    with pytest.raises(InvalidInput, match=f"the Secret {namespace}/trueup-audit cannot be read: it is no private key"):
        bring_key(load_config(embedded_cluster.kubeconfig), namespace, "trueup-audit", tmp_path, make=True)
    assert key_of(tmp_path) == before


def test_a_secret_without_the_key_is_said_to_have_none(
    embedded_cluster: EmbeddedCluster, api: Api, namespace: str, tmp_path: Path
) -> None:
    secret(api, namespace, {"other.key": "x"})
    with structlog.testing.capture_logs() as told:
        config = load_config(embedded_cluster.kubeconfig)
        bring_key(config, namespace, "trueup-audit", tmp_path, make=True, seconds=0.3)
    assert [one["why"] for one in told] == ["the Secret has no signing.key"]


def test_what_the_folders_own_key_signed_can_still_be_verified(
    embedded_cluster: EmbeddedCluster, namespace: str, tmp_path: Path
) -> None:
    config, ours = load_config(embedded_cluster.kubeconfig), tmp_path / "ours"
    signer = load_signer(ours / "audit" / "signing.key")
    bring_key(config, namespace, "trueup-audit", tmp_path / "first", make=True)
    bring_key(config, namespace, "trueup-audit", ours, make=True)
    assert key_of(ours) == key_of(tmp_path / "first")
    assert list(read_public_keys((ours / "audit").glob("signing-*.pub"))) == [signer.name]


def test_without_a_secret_in_time_the_folders_own_key_is_used(
    embedded_cluster: EmbeddedCluster, namespace: str, tmp_path: Path
) -> None:
    config = load_config(embedded_cluster.kubeconfig)
    bring_key(config, namespace, "trueup-audit", tmp_path, make=False, seconds=0.3)
    assert not (tmp_path / "audit" / "signing.key").exists()
    assert key_of(tmp_path)
