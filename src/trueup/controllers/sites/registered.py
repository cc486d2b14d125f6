"""A cluster that Argo CD's Secrets register, as a client's configuration."""

from __future__ import annotations

import base64

from trueup.cluster.config import ClusterConfig
from trueup.cluster.credentials import Credential, StaticCredentials
from trueup.cluster.tls import TlsSettings
from trueup.model.target import ClusterAccess


def config_of(access: ClusterAccess, described: str) -> ClusterConfig:
    """A token wins over a password, as in client-go; a certificate goes beside either."""
    authorization = ""
    if access.bearer_token:
        authorization = f"Bearer {access.bearer_token}"
    elif access.username:
        authorization = f"Basic {base64.b64encode(f'{access.username}:{access.password}'.encode()).decode()}"
    return ClusterConfig(
        server=access.server.rstrip("/"),
        credentials=StaticCredentials(Credential(authorization, access.certificate, access.key)),
        tls=TlsSettings(access.ca, access.insecure, access.server_name),
        proxy=access.proxy,
        described=described,
    )
