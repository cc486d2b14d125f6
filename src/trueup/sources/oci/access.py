"""How a source's registry is reached: its address, login, trust and proxy put together out of its Secrets. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.source import ArtifactVerification, HelmRepositorySource, OciSource
from trueup.sources.httpaccess import HttpAccess, http_access, read_proxy
from trueup.sources.oci.address import OciAddress, parse_address
from trueup.sources.oci.client import Repository
from trueup.sources.oci.credentials import RegistryLogin, login_for
from trueup.sources.secrets import NONE, SecretData, SourceSecrets


class RegistryLogins(Protocol):
    """`sources.clouds.clouds.Clouds`."""

    async def registry(self, provider: str, address: OciAddress, secrets: SourceSecrets) -> RegistryLogin | None: ...


async def login_at(
    clouds: RegistryLogins | None, provider: str, url: str, secrets: SourceSecrets
) -> RegistryLogin | None:
    """What the provider's cloud gives for a registry; None: Secrets say who we are. Raises AuthenticationFailed."""
    return await clouds.registry(provider, parse_address(url), secrets) if clouds is not None else None


_TRUE = ("1", "t", "true")


def repository_of(source: OciSource, secrets: SourceSecrets, login: RegistryLogin | None = None) -> Repository:
    """`login`: what a cloud gave; None: what the Secrets say. Raises InvalidInput naming the field."""
    address = parse_address(source.url)
    return _repository(address, login, source.insecure, False, secrets, source.timeout)


def chart_repository(
    url: str, source: HelmRepositorySource, secrets: SourceSecrets, login: RegistryLogin | None = None
) -> Repository:
    """The repository `oci://host/path` of one chart of a Helm registry."""
    address = parse_address(url)
    return _repository(address, login, source.insecure, source.skip_tls_verify, secrets, source.timeout)


def check_verification(verify: ArtifactVerification, trust: SecretData, root: SecretData = NONE) -> None:
    """Raises InvalidInput for what contradicts itself, NotBuiltYet for Notation."""
    if verify.provider != "cosign":
        raise NotBuiltYet(
            f"verification by {verify.provider!r} is not built yet",
            hint="sign with cosign",
            field="spec.verify.provider",
        )
    if trust is not NONE and (verify.identities or root is not NONE):
        field = "matchOIDCIdentity" if verify.identities else "trustedRootSecretRef"
        raise InvalidInput(
            f"{field} is for keyless signatures; with a key it would mean nothing",
            hint="remove it, or remove secretRef",
            field=f"spec.verify.{field}",
        )


def _repository(
    address: OciAddress,
    login: RegistryLogin | None,
    insecure: bool,
    skip: bool,
    secrets: SourceSecrets,
    timeout: timedelta,
) -> Repository:
    plain_http = insecure or _flag(secrets.argo, "insecureOCIForceHttp")
    return Repository(
        address=address,
        login=login or login_for(address, secrets),
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
