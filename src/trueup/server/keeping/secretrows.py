"""Argo CD's Secrets of repositories and clusters, as rows without anything secret. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from trueup.model.manifest import Manifest, labels_of, name_of
from trueup.sources.giturl import mask_url

SECRET_TYPE = "argocd.argoproj.io/secret-type"  # noqa: S105 a label
REPOSITORY_TYPES = ("repository", "repo-creds", "repository-write", "repo-write-creds")
_WAYS = {
    "username": "password",
    "password": "password",
    "bearerToken": "token",
    "sshPrivateKey": "ssh key",
    "githubAppPrivateKey": "GitHub App",
    "tlsClientCertKey": "client certificate",
    "gcpServiceAccountKey": "Google service account",
}


class RepositoryRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """`credentials`: in which ways we sign in there; `prefix`: it is for every URL that begins so. `secret`: the name of its
    Secret, empty where none is."""

    secret: str = ""
    name: str
    type: str
    url: str
    project: str
    credentials: tuple[str, ...]
    prefix: bool
    insecure: bool


class ClusterRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """`namespaces` empty: all. `credentials`: by what we sign in there. `secret` as in RepositoryRow."""

    secret: str = ""
    name: str
    server: str
    project: str
    namespaces: tuple[str, ...]
    credentials: tuple[str, ...]
    insecure: bool
    labels: dict[str, str]
    cluster_resources: bool = False


def repository_row(secret: Manifest) -> RepositoryRow:
    data = fields_of(secret)
    return RepositoryRow(
        secret=name_of(secret),
        name=data.get("name", "") or name_of(secret),
        type=data.get("type", "") or "git",
        url=mask_url(data.get("url", "")),
        project=data.get("project", ""),
        credentials=tuple(dict.fromkeys(way for key, way in _WAYS.items() if data.get(key))),
        prefix=labels_of(secret).get(SECRET_TYPE) in ("repo-creds", "repo-write-creds"),
        insecure=data.get("insecure", "").lower() == "true" or data.get("insecureIgnoreHostKey", "").lower() == "true",
    )


class _Tls(Struct, rename="camel"):
    insecure: bool = False
    cert_data: str = ""


class _Config(Struct, rename="camel"):
    username: str = ""
    bearer_token: str = ""
    aws_auth_config: dict[str, object] | None = None
    exec_provider_config: dict[str, object] | None = None
    tls_client_config: _Tls = msgspec.field(default_factory=_Tls)


def cluster_row(secret: Manifest) -> ClusterRow:
    data = fields_of(secret)
    try:
        config = msgspec.json.decode(data.get("config") or "{}", type=_Config)
    except msgspec.MsgspecError:
        config = _Config()
    ways = {
        "password": bool(config.username),
        "token": bool(config.bearer_token),
        "AWS": config.aws_auth_config is not None,
        "command": config.exec_provider_config is not None,
        "client certificate": bool(config.tls_client_config.cert_data),
    }
    return ClusterRow(
        secret=name_of(secret),
        name=data.get("name", "") or name_of(secret),
        server=mask_url(data.get("server", "")),
        project=data.get("project", ""),
        namespaces=tuple(part.strip() for part in data.get("namespaces", "").split(",") if part.strip()),
        credentials=tuple(way for way, used in ways.items() if used),
        insecure=config.tls_client_config.insecure,
        cluster_resources=data.get("clusterResources", "").lower() == "true",
        labels={key: value for key, value in labels_of(secret).items() if key != SECRET_TYPE},
    )


def fields_of(secret: Manifest) -> Mapping[str, str]:
    """The decoded data; what cannot be decoded is left out. Not for answers: it holds the credentials."""
    data = secret.get("data")
    found: dict[str, str] = {}
    for key, value in (data if isinstance(data, dict) else {}).items():
        try:
            found[str(key)] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, ValueError):
            continue
    return found
