"""Secrets of repositories and clusters as rows: everything but the secret."""

from __future__ import annotations

import base64
import json
from typing import Any

from msgspec import json as encoding

from trueup.server.keeping.secretrows import cluster_row, repository_row

CANARY = "canary-5up3r-53cr3t"


def secret(kind: str, **data: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def test_a_repository_tells_how_we_sign_in_and_with_nothing_of_it() -> None:
    row = repository_row(
        secret(
            "repository",
            url=f"https://malee:{CANARY}@example.com/shop.git",
            username=CANARY,
            password=CANARY,
            sshPrivateKey=CANARY,
            project="shop",
        )
    )
    assert (row.type, row.project, row.credentials, row.prefix) == ("git", "shop", ("password", "ssh key"), False)
    assert CANARY not in encoding.encode(row).decode()


def test_a_cluster_tells_how_we_sign_in_and_with_nothing_of_it() -> None:
    config = {"bearerToken": CANARY, "tlsClientConfig": {"insecure": True, "certData": CANARY, "keyData": CANARY}}
    row = cluster_row(
        secret("cluster", name="prod", server="https://10.0.0.1", config=json.dumps(config), namespaces="a, b")
    )
    assert (row.name, row.namespaces, row.credentials, row.insecure) == (
        "prod",
        ("a", "b"),
        ("token", "client certificate"),
        True,
    )
    assert CANARY not in encoding.encode(row).decode()


def test_what_cannot_be_decoded_is_left_out() -> None:
    broken = secret("cluster", server="https://10.0.0.1", config="{")
    broken["data"]["name"] = "%%%"
    assert cluster_row(broken).name == "s"
