"""What people say of a repository or a cluster, as the Secret that Argo CD and Trueup read. Pure.

Keys are Argo CD's: https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/. A credential that is not said
stays as it is, an empty one is taken away; whatever else stands in the Secret is nobody's business here, and kept. What is kept is
sent to whom it was sent before: whoever names another host has to know the credentials, or could have them sent to a host of their own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from trueup.dialects.argocd.clusters import read_cluster
from trueup.dialects.argocd.repositories import SECRET_TYPE, normalise_url, origin_of
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of, metadata_of
from trueup.server.api.refusals import BadQuery
from trueup.server.keeping.secretrows import fields_of
from trueup.sources.giturl import mask_url

MANAGED_BY, OURS = "managed-by", "argocd.argoproj.io"
"""The annotation by which Argo CD and we know Secrets that were made through an API, and may be deleted through it."""
HIDDEN = "********"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_GIT = re.compile(r"(https?|ssh|git)://[^/]+.*|[^/@:\s]+@[^/:\s]+:.+")
_HELM, _OCI = re.compile(r"(https?|oci)://[^/]+.*|[\w.-]+(:\d+)?(/.*)?"), re.compile(r"(oci://)?[\w.-]+(:\d+)?(/.*)?")
_FORMS = {
    "git": (_GIT, "https://host/path, ssh://git@host/path or git@host:path"),
    "helm": (_HELM, "https://host/charts, or host/path of a registry"),
    "oci": (_OCI, "oci://host/path"),
}


class RepositoryForm(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`prefix`: the credentials are for every URL that begins so. `enableOci`: of a Helm repository that is a registry."""

    url: str
    type: Literal["git", "helm", "oci"] = "git"
    prefix: bool = False
    name: str = ""
    project: str = ""
    proxy: str = ""
    no_proxy: str = ""
    insecure: bool = False
    enable_oci: bool = False
    enable_lfs: bool = False
    force_http_basic_auth: bool = False
    github_app_id: str = ""
    github_app_installation_id: str = ""
    github_app_enterprise_base_url: str = ""
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    ssh_private_key: str | None = None
    tls_client_cert_data: str | None = None
    tls_client_cert_key: str | None = None
    github_app_private_key: str | None = None
    gcp_service_account_key: str | None = None


class ClusterForm(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`namespaces` empty: all. `caData`, `certData` and `keyData` are PEM, or PEM in base64 as a kubeconfig has it. `serverName`
    and `proxyUrl` null: as they are."""

    server: str
    name: str = ""
    project: str = ""
    namespaces: tuple[str, ...] = ()
    cluster_resources: bool = False
    labels: dict[str, str] = {}
    insecure: bool = False
    server_name: str | None = ""
    proxy_url: str | None = ""
    ca_data: str | None = None
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    cert_data: str | None = None
    key_data: str | None = None


_CREDENTIALS = {
    "username": "username",
    "password": "password",
    "bearer_token": "bearerToken",
    "ssh_private_key": "sshPrivateKey",
    "tls_client_cert_data": "tlsClientCertData",
    "tls_client_cert_key": "tlsClientCertKey",
    "github_app_private_key": "githubAppPrivateKey",
    "gcp_service_account_key": "gcpServiceAccountKey",
}
_PLAIN = {
    "url": "url", "type": "type", "name": "name", "project": "project", "proxy": "proxy", "no_proxy": "noProxy",
    "insecure": "insecure", "enable_oci": "enableOCI", "enable_lfs": "enableLfs",
    "force_http_basic_auth": "forceHttpBasicAuth", "github_app_id": "githubAppID",
    "github_app_installation_id": "githubAppInstallationID",
    "github_app_enterprise_base_url": "githubAppEnterpriseBaseUrl",
}  # fmt: skip
_FOR_WRITING = ("repository-write", "repo-write-creds")
"""What Argo CD pushes with. Changed, they stay that: nobody reads with them."""
_UNVERIFIED = ("insecure", "insecureIgnoreHostKey", "insecureOCIForceHttp")
_HARMLESS = frozenset({*_UNVERIFIED, "depth"})
"""Keys that Argo CD may have written, and that are no credentials."""
_SAID_OF_CLUSTERS = ("name", "server", "project", "namespaces", "clusterResources")
_CLUSTER_CREDENTIALS = {
    "username": "username",
    "password": "password",
    "bearer_token": "bearerToken",
    "key_data": "keyData",
}
_PLAIN_CONFIG = frozenset({"tlsClientConfig", "proxyUrl", "disableCompression"})


def repository_secret(form: RepositoryForm, namespace: str, before: Manifest | None = None) -> Manifest:
    """`before` as it stands; without it a new one. Raises BadQuery that names the field."""
    _check_repository(form)
    data = {key: _text(getattr(form, field)) for field, key in _PLAIN.items()}
    data |= {key: said for field, key in _CREDENTIALS.items() if (said := getattr(form, field)) is not None}
    kind = "repo-creds" if form.prefix else "repository"
    if before is not None and metadata_of(before).get("labels", {}).get(SECRET_TYPE) in _FOR_WRITING:
        kind = "repo-write-creds" if form.prefix else "repository-write"
    made = _secret(kind, _name_for("repo", form.url, form.project, kind), namespace, data, before)
    if before is not None:
        there = {key for key, value in (before.get("data") or {}).items() if value} - {*_PLAIN.values(), *_HARMLESS}
        _check_kept(
            there - _said(form, _CREDENTIALS), _repository_hearers(before), _repository_hearers(made), "body.url"
        )
    return made


def cluster_secret(form: ClusterForm, namespace: str, before: Manifest | None = None) -> Manifest:
    """As `repository_secret`; what the controller could not use is refused here already."""
    _check_cluster(form)
    config = fields_of(before).get("config", "") if before is not None else ""
    data = {
        "name": form.name,
        "server": form.server.rstrip("/"),
        "project": form.project,
        "namespaces": ",".join(form.namespaces),
        "clusterResources": _text(form.cluster_resources and bool(form.namespaces)),
        "config": msgspec.json.encode(_config(form, config)).decode(),
    }
    made = _secret("cluster", _name_for("cluster", form.server, form.project, form.name), namespace, data, before)
    made["metadata"]["labels"] = {**form.labels, SECRET_TYPE: "cluster"}
    try:
        read_cluster(made)
    except InvalidInput as error:
        raise BadQuery(error.message, field="body", hint=error.hint) from None
    if before is not None:
        kept = _config_credentials(config) - _said(form, _CLUSTER_CREDENTIALS)
        _check_kept(kept, _cluster_hearers(before), _cluster_hearers(made), "body.server")
    return made


def told(secret: Manifest) -> Manifest:
    """The Secret as people would write it, with every value hidden that could be a credential."""
    kind = metadata_of(secret)["labels"][SECRET_TYPE]
    plain = set(_SAID_OF_CLUSTERS) if kind == "cluster" else set(_PLAIN.values())
    data = {key: mask_url(value) if key in plain else HIDDEN for key, value in sorted(fields_of(secret).items())}
    if kind == "cluster" and "config" in data:
        data["config"] = _config_told(fields_of(secret)["config"])
    metadata = {
        key: value
        for key in ("name", "namespace", "labels", "annotations")
        if (value := metadata_of(secret).get(key)) and key != "annotations"
    }
    kept = {key: value for key, value in annotations_of(secret).items() if key == MANAGED_BY}
    metadata |= {"annotations": kept} if kept else {}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data}


def same_place(one: Manifest, other: Manifest) -> bool:
    """Whether two Secrets are about the same place, so that nobody could say which one counts."""
    kinds = [metadata_of(each).get("labels", {}).get(SECRET_TYPE) for each in (one, other)]
    first, second = fields_of(one), fields_of(other)
    if kinds[0] != kinds[1] or first.get("project", "") != second.get("project", ""):
        return False
    if kinds[0] == "cluster":
        named = bool(first.get("name")) and first.get("name") == second.get("name")
        return named or first.get("server", "").rstrip("/") == second.get("server", "").rstrip("/")
    types = [each.get("type") or "git" for each in (first, second)]
    return types[0] == types[1] and normalise_url(first.get("url", "")) == normalise_url(second.get("url", ""))


def _check_repository(form: RepositoryForm) -> None:
    pattern, example = _FORMS[form.type]
    if not pattern.fullmatch(form.url.strip()) or form.url != form.url.strip() or _has_control(form.url):
        raise BadQuery(f"is no URL of a {form.type} repository", field="body.url", hint=f"write {example}")
    if mask_url(form.url) != form.url:
        raise BadQuery(
            "holds a password, which everybody would see", field="body.url", hint="give it as username and password"
        )
    if form.type == "helm" and not form.prefix and not form.name:
        raise BadQuery("is missing", field="body.name", hint="a Helm repository is named by it, as in `helm repo add`")
    for field in structs.fields(form):
        value = getattr(form, field.name)
        if isinstance(value, str) and "\0" in value:
            raise BadQuery("holds a null byte", field=f"body.{field.encode_name}")
    key = form.ssh_private_key
    if key and "-----BEGIN" not in key:
        raise BadQuery(
            "is no private key",
            field="body.sshPrivateKey",
            hint="paste the file, with its lines -----BEGIN and -----END",
        )


def _check_cluster(form: ClusterForm) -> None:
    if form.name in ("", "in-cluster") and form.server != "https://kubernetes.default.svc":
        said = "is missing" if not form.name else "is the name of the cluster that Trueup runs in"
        raise BadQuery(said, field="body.name", hint="Applications name it as their destination")
    if mask_url(form.server) != form.server:
        raise BadQuery("holds a password, which everybody would see", field="body.server", hint="give it apart")
    for name in form.namespaces:
        if not _NAME.fullmatch(name):
            raise BadQuery(f"{name!r} is no name of a namespace", field="body.namespaces")
    if SECRET_TYPE in form.labels:
        raise BadQuery(f"{SECRET_TYPE} is ours to say", field="body.labels")


def _check_kept(kept: set[str], before: tuple[str, ...], after: tuple[str, ...], field: str) -> None:
    """`before` and `after`: who hears the credentials."""
    if kept and before != after:
        raise BadQuery(
            "credentials that are kept would be sent to another place than before",
            field=field,
            hint=f"say {', '.join(sorted(kept))} anew, or as an empty text to take it away",
        )


def _said(form: RepositoryForm | ClusterForm, credentials: Mapping[str, str]) -> set[str]:
    return {key for field, key in credentials.items() if getattr(form, field) is not None}


def _repository_hearers(secret: Manifest) -> tuple[str, ...]:
    """A proxy hears what is not encrypted, or encrypted for nobody in particular."""
    data = fields_of(secret)
    origin = origin_of(data.get("url", ""))
    is_open = origin.startswith("http://") or any(data.get(key, "").lower() == "true" for key in _UNVERIFIED)
    return origin, origin_of(data.get("githubAppEnterpriseBaseUrl", "")), data.get("proxy", "") if is_open else ""


def _cluster_hearers(secret: Manifest) -> tuple[str, ...]:
    """Whom its certificate is verified by is said beside its proxy, so a proxy counts always."""
    data = fields_of(secret)
    return origin_of(data.get("server", "")), str(_decoded(data.get("config", "")).get("proxyUrl") or "")


def _config_credentials(config: str) -> set[str]:
    found = _decoded(config)
    keys = {key for key, value in found.items() if value and key not in _PLAIN_CONFIG}
    return keys | ({"keyData"} if (found.get("tlsClientConfig") or {}).get("keyData") else set())


def _decoded(config: str) -> dict[str, Any]:
    """Of what is no JSON nothing can be kept."""
    try:
        return msgspec.json.decode(config or "{}", type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _config(form: ClusterForm, before: str) -> dict[str, Any]:
    """Argo CD's JSON. What it has beside what is said here stays."""
    config = _decoded(before)
    tls = dict(config.get("tlsClientConfig") or {})
    for key, said in (("username", form.username), ("password", form.password), ("bearerToken", form.bearer_token)):
        _put(config, key, said)
    for key, said in (("caData", form.ca_data), ("certData", form.cert_data), ("keyData", form.key_data)):
        _put(tls, key, None if said is None else _base64(said))
    _put(tls, "serverName", form.server_name)
    _put(config, "proxyUrl", form.proxy_url)
    tls["insecure"] = form.insecure
    return {**config, "tlsClientConfig": tls}


def _put(into: dict[str, Any], key: str, said: str | None) -> None:
    if said:
        into[key] = said
    elif said is not None:
        into.pop(key, None)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode() if "-----BEGIN" in text else text.strip()


def _config_told(text: str) -> str:
    """The JSON with its credentials hidden."""
    try:
        config: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return HIDDEN
    plain = {"proxyUrl": mask_url(str(config.get("proxyUrl") or "")) or None}
    tls = config.get("tlsClientConfig")
    shown_tls = {
        key: value if key in ("insecure", "serverName") else HIDDEN
        for key, value in (tls if isinstance(tls, dict) else {}).items()
    }
    shown = {key: HIDDEN for key in config if key not in ("tlsClientConfig", "proxyUrl")}
    shown |= {key: value for key, value in plain.items() if value}
    return msgspec.json.encode({**shown, "tlsClientConfig": shown_tls}).decode()


def _secret(kind: str, name: str, namespace: str, data: Mapping[str, str], before: Manifest | None) -> Manifest:
    """With the keys of `data` as they are said, the empty ones gone, and all others as they were."""
    packed = dict((before or {}).get("data") or {})
    for key, value in data.items():
        if value:
            packed[key] = base64.b64encode(value.encode()).decode()
        else:
            packed.pop(key, None)
    if before is not None:
        labels = {**metadata_of(before).get("labels", {}), SECRET_TYPE: kind}
        return {**before, "metadata": {**metadata_of(before), "labels": labels}, "data": packed}
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {SECRET_TYPE: kind},
        "annotations": {MANAGED_BY: OURS},
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": packed}


def _name_for(kind: str, *parts: str) -> str:
    """The same for the same place, so that two who register it at once meet."""
    return f"{kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def _text(value: object) -> str:
    return ("true" if value else "") if isinstance(value, bool) else str(value)


def _has_control(text: str) -> bool:
    return any(ord(letter) < 32 or ord(letter) == 127 for letter in text)
