"""How a Helm repository over HTTP is reached: user, password, certificates, proxy, out of its Secrets. Pure.

Keys: Flux HelmRepository `.spec.secretRef` (`username`, `password`; the old `caFile`, `certFile`, `keyFile` there too) and
`.spec.certSecretRef`; Argo CD's repository Secrets (`tlsClientCertData`, `tlsClientCertKey`, `insecure`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.source import HelmRepositorySource
from trueup.sources.helm.urls import same_origin
from trueup.sources.httpaccess import HttpAccess, http_access
from trueup.sources.secrets import NONE, SecretData, SourceSecrets

_OLD_TLS_KEYS = ("caFile", "certFile", "keyFile", "ca.crt", "tls.crt", "tls.key")
_TRUE = ("1", "t", "true")


class RepositoryAccess(Struct, frozen=True, kw_only=True):
    """Its repr hides the credentials."""

    http: HttpAccess = HttpAccess()
    authorization: str = ""

    def __repr__(self) -> str:
        return f"RepositoryAccess({self.http!r}, authorization={'set' if self.authorization else 'none'})"

    def towards(self, url: str, source: HelmRepositorySource) -> RepositoryAccess:
        """What may be shown to the host of a URL that the index names."""
        if source.pass_credentials or same_origin(url, source.url):
            return self
        return RepositoryAccess(http=self.http.for_strangers)


def read_access(source: HelmRepositorySource, secrets: SourceSecrets) -> RepositoryAccess:
    """Raises InvalidInput naming the key, never its value."""
    if secrets.argo is not NONE:
        return _from_argo(source, secrets)
    auth = secrets.auth.data
    if secrets.certificates is not NONE:
        certificates: Mapping[str, bytes] | None = secrets.certificates.data
    else:
        certificates = auth if any(auth.get(key) for key in _OLD_TLS_KEYS) else None
    proxy = secrets.proxy.data if secrets.proxy is not NONE else None
    return RepositoryAccess(
        http=http_access(certificates, proxy, insecure_tls=source.skip_tls_verify),
        authorization=_basic(secrets.auth),
    )


def _from_argo(source: HelmRepositorySource, secrets: SourceSecrets) -> RepositoryAccess:
    data = secrets.argo.data
    pem = {
        "ca.crt": secrets.authorities.encode(),
        "tls.crt": data.get("tlsClientCertData", b""),
        "tls.key": data.get("tlsClientCertKey", b""),
    }
    insecure = source.skip_tls_verify or data.get("insecure", b"").decode("utf-8", "replace").strip().lower() in _TRUE
    proxy = data.get("proxy")
    return RepositoryAccess(
        http=http_access(
            pem if any(pem.values()) else None, {"address": proxy} if proxy else None, insecure_tls=insecure
        ),
        authorization=_basic(secrets.argo),
    )


def _basic(secret: SecretData) -> str:
    user, password = _text(secret, "username"), _text(secret, "password")
    if not user and not password:
        return ""
    if secret.type != "" and not (user and password):
        missing = "password" if user else "username"
        raise InvalidInput(
            f"the Secret has no key {missing!r}, which basic authentication needs", field=missing, hint="set both keys"
        )
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _text(secret: SecretData, key: str) -> str:
    try:
        text = secret.data.get(key, b"").decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the key {key!r} is not UTF-8 text", field=key) from error
    if any(character in text for character in "\0\r\n"):
        raise InvalidInput(f"the key {key!r} holds a line break", field=key)
    return text
