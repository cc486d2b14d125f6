"""The kubeconfig file that users and the controller get: one cluster, one user, one context, mode 0600."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from trueup.embedded.auth.certificates import KeyPair, write_private

NAME = "trueup"


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def kubeconfig(url: str, authority: bytes, client: KeyPair | None = None, token: str = "") -> bytes:
    """The file's text; the user has a client certificate or a token."""
    user: dict[str, str] = {}
    if client is not None:
        user = {"client-certificate-data": _b64(client.certificate), "client-key-data": _b64(client.key)}
    if token:
        user["token"] = token
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": url, "certificate-authority-data": _b64(authority)}}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def write_kubeconfig(path: Path, content: bytes) -> None:
    write_private(path, content)
