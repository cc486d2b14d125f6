"""Where the cluster is and who we are: from an explicit kubeconfig, KUBECONFIG, the pod we run in, or ~/.kube/config."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from trueup.cluster.credentials import (
    Credential,
    Credentials,
    ExecCredentials,
    StaticCredentials,
    TokenFileCredentials,
)
from trueup.cluster.kubeconfig import ResolvedContext, file_or_data, read_kubeconfig
from trueup.cluster.tls import TlsSettings
from trueup.model.errors import InvalidInput

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ClusterConfig(Struct, frozen=True, kw_only=True):
    """Everything a client needs. `described` says for people where it came from; no field's repr holds a secret."""

    server: str
    credentials: Credentials
    tls: TlsSettings = TlsSettings()
    proxy: str = ""
    namespace: str = "default"
    impersonate_user: str = ""
    impersonate_groups: tuple[str, ...] = ()
    described: str = ""


def load_config(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    pod_account: Path = POD_ACCOUNT,
) -> ClusterConfig:
    """The explicit file, else KUBECONFIG, else the pod's service account, else ~/.kube/config. Raises InvalidInput."""
    env = os.environ if environ is None else environ
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise InvalidInput(f"there is no kubeconfig {kubeconfig}", hint="check --kubeconfig")
        return from_context(read_kubeconfig([kubeconfig]).resolve(context))
    if listed := env.get("KUBECONFIG", ""):
        paths = [Path(part).expanduser() for part in listed.split(os.pathsep) if part]
        if existing := [path for path in paths if path.is_file()]:
            return from_context(read_kubeconfig(existing).resolve(context))
        raise InvalidInput(
            f"KUBECONFIG names {listed}, and no such file exists",
            hint="correct or unset KUBECONFIG, or pass --kubeconfig",
        )
    if context is None and env.get("KUBERNETES_SERVICE_HOST") and (pod_account / "token").is_file():
        return in_pod(env, pod_account)
    home = Path(env.get("HOME") or Path.home()) / ".kube" / "config"
    if home.is_file():
        return from_context(read_kubeconfig([home]).resolve(context))
    raise InvalidInput(
        f"no cluster is configured: KUBECONFIG is not set, this is not a pod, and {home} does not exist",
        hint="run `trueup up` for a cluster of your own, set KUBECONFIG, or pass --kubeconfig",
    )


def in_pod(env: Mapping[str, str], account: Path = POD_ACCOUNT) -> ClusterConfig:
    """The service account that Kubernetes mounts into a pod; its token is read again as it rotates."""
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "443")
    ca, namespace = account / "ca.crt", account / "namespace"
    if not ca.is_file():
        raise InvalidInput(f"this pod has no {ca}", hint="set automountServiceAccountToken: true, or name a kubeconfig")
    return ClusterConfig(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        credentials=TokenFileCredentials(account / "token", clock=time.monotonic),
        tls=TlsSettings(ca=ca.read_bytes()),
        namespace=namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else "default",
        described="the pod's service account",
    )


def from_context(context: ResolvedContext) -> ClusterConfig:
    cluster, user = context.cluster, context.user
    if not _is_url(cluster.server):
        raise InvalidInput(
            f"the server {cluster.server!r} of context {context.name!r} is not an http or https URL",
            hint="write it as https://host:port",
        )
    ca = file_or_data(
        cluster.certificate_authority_data,
        cluster.certificate_authority,
        context.cluster_folder,
        what="certificate-authority",
    )
    return ClusterConfig(
        server=cluster.server.rstrip("/"),
        credentials=_credentials(context, ca),
        tls=TlsSettings(ca or b"", cluster.insecure_skip_tls_verify, cluster.tls_server_name),
        proxy=cluster.proxy_url,
        namespace=context.namespace or "default",
        impersonate_user=user.impersonate_user,
        impersonate_groups=tuple(user.impersonate_groups or ()),
        described=f"context {context.name!r} of {context.user_file}",
    )


def _is_url(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _credentials(context: ResolvedContext, ca: bytes | None) -> Credentials:
    """In kubectl's order: a token or password of the user wins over an exec plugin; certificates go beside any of them."""
    user, folder = context.user, context.user_folder
    certificate = file_or_data(user.client_certificate_data, user.client_certificate, folder, what="client-certificate")
    key = file_or_data(user.client_key_data, user.client_key, folder, what="client-key")
    base = Credential("", certificate or b"", key or b"")
    if user.token_file:
        return TokenFileCredentials(folder / user.token_file, base, clock=time.monotonic)
    if user.token:
        return StaticCredentials(Credential(f"Bearer {user.token}", base.certificate, base.key))
    if user.username:
        pair = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
        return StaticCredentials(Credential(f"Basic {pair}", base.certificate, base.key))
    if user.exec_plugin is not None:
        return ExecCredentials(user.exec_plugin, context.cluster, folder, ca_data=ca, now=time.time)
    if user.auth_provider is not None:
        raise InvalidInput(
            f"the user of context {context.name!r} logs in by the auth-provider {user.auth_provider.name!r}",
            hint="Kubernetes replaced auth providers by exec plugins: use kubelogin (`kubectl oidc-login`) instead",
        )
    return StaticCredentials(base)
