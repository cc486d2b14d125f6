"""The audit log's key in a cluster: made once, and the same for every pod."""

from __future__ import annotations

import base64
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api import Api
from tests.embedded.fixtures import EmbeddedCluster, embedded_cluster
from trueup.cli.auditkey import bring_key
from trueup.cluster.config import load_config
from trueup.records.audit.checkpoints import load_signer, public_pem

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


def test_without_a_secret_in_time_the_folders_own_key_is_used(
    embedded_cluster: EmbeddedCluster, namespace: str, tmp_path: Path
) -> None:
    config = load_config(embedded_cluster.kubeconfig)
    bring_key(config, namespace, "trueup-audit", tmp_path, make=False, seconds=0.3)
    assert not (tmp_path / "audit" / "signing.key").exists()
    assert key_of(tmp_path)
