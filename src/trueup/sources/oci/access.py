"""How a source's registry is reached: its address, login, trust and proxy put together out of its Secrets. Pure."""

from __future__ import annotations

from datetime import timedelta

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.source import ArtifactVerification, HelmRepositorySource, OciSource
from trueup.sources.httpaccess import HttpAccess, http_access, read_proxy
from trueup.sources.oci.address import OciAddress, parse_address
from trueup.sources.oci.client import Repository
from trueup.sources.oci.credentials import login_for
from trueup.sources.secrets import NONE, SecretData, SourceSecrets

_TRUE = ("1", "t", "true")


def repository_of(source: OciSource, secrets: SourceSecrets) -> Repository:
    """Raises InvalidInput naming the field, NotBuiltYet for a cloud's own login."""
    address = parse_address(source.url)
    return _repository(address, source.provider, source.insecure, False, secrets, source.timeout)


def chart_repository(url: str, source: HelmRepositorySource, secrets: SourceSecrets) -> Repository:
    """The repository `oci://host/path` of one chart of a Helm registry."""
    address = parse_address(url)
    return _repository(address, source.provider, source.insecure, source.skip_tls_verify, secrets, source.timeout)


def check_verification(verify: ArtifactVerification, trust: SecretData) -> None:
    """Raises NotBuiltYet for the ways of verifying that need more than a key."""
    if verify.provider != "cosign":
        raise NotBuiltYet(
            f"verification by {verify.provider!r} is not built yet",
            hint="sign with cosign and a key",
            field="spec.verify.provider",
        )
    if trust is NONE:
        raise NotBuiltYet(
            "keyless verification is not built yet",
            hint="name a Secret with cosign's public key",
            field="spec.verify.secretRef",
        )
    if verify.identities:
        raise InvalidInput(
            "matchOIDCIdentity is for keyless signatures; with a key it would mean nothing",
            hint="remove it, or remove secretRef",
            field="spec.verify.matchOIDCIdentity",
        )


def _repository(
    address: OciAddress, provider: str, insecure: bool, skip: bool, secrets: SourceSecrets, timeout: timedelta
) -> Repository:
    if provider not in ("", "generic"):
        raise NotBuiltYet(
            f"logging in by the provider {provider!r} is not built yet",
            hint="use provider generic and a Secret with a pull token",
            field="spec.provider",
        )
    plain_http = insecure or _flag(secrets.argo, "insecureOCIForceHttp")
    return Repository(
        address=address,
        login=login_for(address, secrets),
        access=_access(secrets, insecure=insecure, skip=skip),
        insecure=plain_http,
        timeout=timeout,
    )


def _access(secrets: SourceSecrets, *, insecure: bool, skip: bool) -> HttpAccess:
    if secrets.argo is not NONE or secrets.authorities:
        data = secrets.argo.data
        return HttpAccess(
            ca=secrets.authorities.encode(),
            certificate=data.get("tlsClientCertData", b""),
            key=data.get("tlsClientCertKey", b""),
            insecure_tls=skip or _flag(secrets.argo, "insecure"),
            proxy=read_proxy({"address": data["proxy"]}) if data.get("proxy") else None,
        )
    certificates = secrets.certificates.data if secrets.certificates is not NONE else None
    return http_access(
        certificates,
        secrets.proxy.data if secrets.proxy is not NONE else None,
        # Flux checks no certificate of an insecure registry, unless it is told whom to trust.
        insecure_tls=skip or (insecure and certificates is None),
    )


def _flag(secret: SecretData, key: str) -> bool:
    return secret.data.get(key, b"").strip().lower().decode("ascii", "replace") in _TRUE
