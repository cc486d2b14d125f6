"""Which of Argo CD's repository Secrets holds the credentials for a URL.

A Secret labelled `repository` is for one URL; one labelled `repo-creds` for every URL of its host that begins with its own, the
longest winning. URLs are compared as Argo CD compares them: lower case, without `.git`, `git@host:path` as `ssh://git@host/path`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from trueup.dialects.argocd.shared import DEFAULT_PROJECT, PREFIX
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, labels_of, ref_of
from trueup.model.refs import ObjectRef
from trueup.model.source import GitReference, GitSource, HelmRepositorySource, OciReference, OciSource, SecretRefs

SECRET_TYPE = PREFIX + "secret-type"
REPOSITORY = "repository"
REPO_CREDS = "repo-creds"

GIT = ("", "git")
"""The types of Secrets for Git; one that names none is for Git."""
CHARTS = ("helm", "oci")
"""Those for Helm repositories and registries."""
KNOWN_HOSTS, KNOWN_HOSTS_KEY = "argocd-ssh-known-hosts-cm", "ssh_known_hosts"
TLS_CERTIFICATES = "argocd-tls-certs-cm"
"""ConfigMaps of the control namespace: keys of SSH hosts, and certificates by the name of the host."""
_SCP = re.compile(r"^(?P<user>[^/@:]+)@(?P<host>[^/:]+):(?P<path>.*)$")
_CREDENTIALS = ("username", "password", "bearerToken", "sshPrivateKey", "tlsClientCertData", "githubAppPrivateKey")


def match_repository_secrets(
    url: str, secrets: Iterable[Manifest], *, project: str = DEFAULT_PROJECT, types: Collection[str] = GIT
) -> tuple[ObjectRef, ...]:
    """The Secrets to read, the first one's words going before the second's; none where none fits. `types` are those that
    are for such a source.

    A Secret of the project goes before one of no project; one of another project is not ours to use. A `repository` that
    holds no credentials itself (a proxy, say) takes them from the fitting `repo-creds`, as with the original.
    """
    wanted = normalise_url(url)
    exact: list[tuple[bool, bool, ObjectRef]] = []
    prefixes: list[tuple[int, ObjectRef]] = []
    for secret in secrets:
        kind = labels_of(secret).get(SECRET_TYPE)
        own = normalise_url(field_of(secret, "url"))
        if not own or field_of(secret, "type") not in types:
            continue
        scope = field_of(secret, "project")
        if scope not in ("", project):
            continue
        if kind == REPOSITORY and own == wanted:
            exact.append((any(field_of(secret, key) for key in _CREDENTIALS), bool(scope), ref_of(secret)))
        elif kind == REPO_CREDS and wanted.startswith(own) and origin_of(wanted) == origin_of(own):
            prefixes.append((len(own), ref_of(secret)))
    best = max(exact, key=lambda row: (row[1], row[0]), default=None)
    template = max(prefixes, default=None)
    if best is not None and best[0]:
        return (best[2],)
    return tuple(found for found in (best and best[2], template and template[1]) if found is not None)


def repository_names(
    secrets: Iterable[Manifest], *, project: str = DEFAULT_PROJECT, types: Collection[str] = CHARTS
) -> dict[str, str]:
    """Name -> URL of the repositories that say their name; of two of one name the project's own goes before."""
    named: list[tuple[bool, str, str]] = []
    for secret in secrets:
        name, url, scope = (field_of(secret, key) for key in ("name", "url", "project"))
        fits = labels_of(secret).get(SECRET_TYPE) == REPOSITORY and field_of(secret, "type") in types
        if fits and name and url and scope in ("", project):
            in_registry = "://" not in url or field_of(secret, "enableOCI").lower() == "true"
            named.append((bool(scope), name, f"oci://{url.removeprefix('oci://')}" if in_registry else url))
    return {name: url for _, name, url in sorted(named)}


def source_of(secret: Manifest, timeout: timedelta) -> GitSource | HelmRepositorySource | OciSource:
    """The repository that a Secret is about, as the source by which it can be asked what it has. Raises InvalidInput."""
    if labels_of(secret).get(SECRET_TYPE) != REPOSITORY:
        raise InvalidInput(
            f"{ref_of(secret)} is for many URLs, so there is none to ask", hint="test a repository that it is used for"
        )
    url, said = field_of(secret, "url").strip(), SecretRefs(by_url=True)
    match field_of(secret, "type"):
        case "helm":
            in_registry = (
                "://" not in url or url.startswith("oci://") or field_of(secret, "enableOCI").lower() == "true"
            )
            return HelmRepositorySource(url=url, oci=in_registry, secrets=said, timeout=timeout)
        case "oci":
            return OciSource(
                url=f"oci://{url.removeprefix('oci://')}", reference=OciReference(), secrets=said, timeout=timeout
            )
        case "" | "git":
            return GitSource(url=url, reference=GitReference(), by_url=True, timeout=timeout)
        case other:
            raise InvalidInput(f"the type {other[:40]!r} is none", field="data.type", hint="one of: git, helm, oci")


def host_of(url: str) -> tuple[str, str] | None:
    """`ssh` or the scheme, and the name of the host; None where there is no host."""
    if "://" not in url:
        match = _SCP.match(url.strip())
        return ("ssh", match["host"].lower()) if match else None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return (parts.scheme.lower(), parts.hostname) if parts.hostname else None


def normalise_url(url: str) -> str:
    text = url.strip().lower()
    if "://" not in text and (match := _SCP.match(text)):
        text = f"ssh://{match['user']}@{match['host']}/{match['path']}"
    return text.removesuffix("/").removesuffix(".git").removeprefix("ssh://").removeprefix("oci://")


def origin_of(url: str) -> str:
    """Scheme, user, host and port: `https://example.com` begins `https://example.com.elsewhere.com`, which is somebody else's."""
    scheme, separator, rest = normalise_url(url).rpartition("://")
    return scheme + separator + rest.partition("/")[0]


def field_of(secret: Mapping[str, Any], key: str) -> str:
    """One value of a Secret as served; empty where it is missing or not text."""
    data = secret.get("data")
    raw = data.get(key) if isinstance(data, dict) else None
    if not isinstance(raw, str):
        return ""
    try:
        return base64.b64decode(raw, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
