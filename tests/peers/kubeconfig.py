"""A kubeconfig file for one server and one user with a client certificate, everything inside the file."""

import base64
from pathlib import Path

import yaml

from tests.peers.certs import KeyPair


def write_kubeconfig(path: Path, url: str, ca: bytes, user: str, keys: KeyPair, namespace: str = "default") -> Path:
    """Writes it readable by the owner alone and returns the path."""
    name = "trueup-test"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": _base64(ca)}}],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _base64(keys.certificate), "client-key-data": _base64(keys.key)},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": namespace}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
