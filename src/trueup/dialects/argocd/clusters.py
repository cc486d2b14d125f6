"""Which of Argo CD's cluster Secrets a destination means, and what it says of the way there. Pure.

https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from trueup.dialects.argocd.repositories import SECRET_TYPE, field_of
from trueup.dialects.argocd.shared import IN_CLUSTER_NAME, IN_CLUSTER_SERVER, SKIP_RECONCILE
from trueup.model.errors import InvalidInput, NotBuiltYet, Transient
from trueup.model.manifest import Manifest, annotations_of, labels_of, ref_of, spec_of
from trueup.model.target import ClusterAccess, Destination, Target

CLUSTER = "cluster"


class ClusterPaused(Transient):
    """Its Secret says that it is not to be looked at for now."""

    reason = "ClusterPaused"


class _Tls(Struct, frozen=True, rename="camel"):
    insecure: bool = False
    server_name: str | None = None
    ca_data: str | None = None
    cert_data: str | None = None
    key_data: str | None = None


class _Config(Struct, frozen=True, rename="camel"):
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    tls_client_config: _Tls | None = None
    aws_auth_config: dict[str, Any] | None = None
    exec_provider_config: dict[str, Any] | None = None
    proxy_url: str | None = None


def target_of(server: str, name: str, project: str) -> Target | None:
    """None: the cluster that the controller runs in."""
    server = server.rstrip("/")
    if server == IN_CLUSTER_SERVER or name == IN_CLUSTER_NAME:
        return None
    return Destination(server=server, name=name, project=project)


def cluster_of(obj: Manifest) -> str:
    """Its name or server, as the resource says it; empty: the cluster that the controller runs in."""
    said = spec_of(obj).get("destination")
    said = said if isinstance(said, dict) else {}
    target = target_of(str(said.get("server") or ""), str(said.get("name") or ""), "")
    if not isinstance(target, Destination):
        return ""
    return target.name or target.server


def find_cluster(wanted: Destination, secrets: Iterable[Manifest]) -> tuple[ClusterAccess | None, list[str]]:
    """The cluster, or None; and the names of those that the project may use.

    Raises InvalidInput for a Secret that cannot be read and for a name that several bear, NotBuiltYet, ClusterPaused.
    """
    found: list[Manifest] = []
    names: list[str] = []
    for secret in secrets:
        if labels_of(secret).get(SECRET_TYPE) != CLUSTER or field_of(secret, "project") not in ("", wanted.project):
            continue
        server, name = field_of(secret, "server").rstrip("/"), field_of(secret, "name")
        names.append(name or server)
        if (server == wanted.server) if wanted.server else (name == wanted.name):
            found.append(secret)
    if len(found) > 1:
        # A cluster of the project's own goes before one of everybody's.
        own = [secret for secret in found if field_of(secret, "project")]
        found = own or found
    if len(found) > 1:
        raise InvalidInput(
            f"{len(found)} cluster Secrets are {wanted.name or wanted.server!r}: {', '.join(str(ref_of(one)) for one in found)}",
            hint="give each cluster a name of its own, or name it by its server",
        )
    return (read_cluster(found[0]) if found else None), sorted(names)


def read_cluster(secret: Manifest) -> ClusterAccess:
    """Raises InvalidInput naming the key, never a value."""
    ref = ref_of(secret)
    if str(annotations_of(secret).get(SKIP_RECONCILE) or "").lower() == "true":
        raise ClusterPaused(f"{ref} says {SKIP_RECONCILE}", hint="take the annotation off")
    server = field_of(secret, "server").rstrip("/")
    if server == IN_CLUSTER_SERVER:
        return ClusterAccess(server=server, name=field_of(secret, "name"))
    if not server.startswith(("https://", "http://")):
        raise InvalidInput(f"{ref}: the server is no URL", field="data.server", hint="write https://host:port")
    config = _config(secret)
    for name, said in (("awsAuthConfig", config.aws_auth_config), ("execProviderConfig", config.exec_provider_config)):
        if said is not None:
            raise NotBuiltYet(
                f"{ref} logs in by {name}, which runs a program for a token; that is not done yet",
                field="data.config",
                hint="give a bearerToken of a ServiceAccount of that cluster, or a client certificate",
            )
    tls = config.tls_client_config or _Tls()
    return ClusterAccess(
        server=server,
        name=field_of(secret, "name"),
        bearer_token=config.bearer_token or "",
        username=config.username or "",
        password=config.password or "",
        ca=_decoded(ref, tls.ca_data, "caData"),
        certificate=_decoded(ref, tls.cert_data, "certData"),
        key=_decoded(ref, tls.key_data, "keyData"),
        insecure=tls.insecure,
        server_name=tls.server_name or "",
        proxy=config.proxy_url or "",
        namespaces=tuple(name.strip() for name in field_of(secret, "namespaces").split(",") if name.strip()),
        cluster_resources=field_of(secret, "clusterResources").lower() == "true",
    )


def _config(secret: Manifest) -> _Config:
    text = field_of(secret, "config")
    try:
        return msgspec.json.decode(text or "{}", type=_Config)
    except msgspec.DecodeError:
        # The library's words may hold what stands there.
        raise InvalidInput(
            f"{ref_of(secret)}: its config is not the JSON that Argo CD documents",
            field="data.config",
            hint='write {"bearerToken": "...", "tlsClientConfig": {"caData": "<base64>"}}',
        ) from None


def _decoded(ref: object, data: str | None, name: str) -> bytes:
    try:
        return base64.b64decode(data or "", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"{ref}: {name} is not base64", field=f"data.config.tlsClientConfig.{name}") from None
