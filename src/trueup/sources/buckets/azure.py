"""Azure Blob Storage, by Microsoft's client. The bucket is the container, the endpoint the account's URL.

Secrets: `accountKey`, `sasKey`, or a service principal (`tenantId`, `clientId`, `clientSecret` or `clientCertificate`); who has
none of them comes with a token of the cloud's.
https://fluxcd.io/flux/components/source/buckets/#azure
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import ContainerClient

from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.model.source import BucketSource
from trueup.sources.buckets.access import CONNECT_SECONDS, STALL_SECONDS, check_host, copy_bounded, required, text_of
from trueup.sources.buckets.objects import BucketNotFound, BucketObject, ObjectGone
from trueup.sources.clouds.given import AccessToken, FixedToken
from trueup.sources.giterrors import Unreachable
from trueup.sources.httpaccess import read_proxy
from trueup.sources.secrets import NONE, SecretData, SourceSecrets

_TRUE = ("1", "true")


class AzureClient:
    """`BucketClient` for one container."""

    def __init__(self, client: ContainerClient, source: BucketSource, credential: Any) -> None:
        self._client = client
        self._source = source
        self._credential = credential

    def list(self, prefix: str) -> Iterator[BucketObject]:
        try:
            for one in self._client.list_blobs(name_starts_with=prefix or None):
                yield BucketObject(str(one.name), str(one.etag or "").strip('"'), int(one.size or 0))
        except AzureError as error:
            raise self._explained(error) from error

    def get(self, key: str, target: IO[bytes], limit: int) -> str:
        try:
            stream = self._client.download_blob(key)
            copy_bounded(stream.chunks(), target, limit, key)
            return str(stream.properties.etag or "").strip('"')
        except ResourceNotFoundError as error:
            if _code(error) == "BlobNotFound":
                raise ObjectGone from error
            raise self._explained(error) from error
        except AzureError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        for one in (self._client, self._credential):
            close: Callable[[], None] | None = getattr(one, "close", None)
            if close is not None:
                with suppress(Exception):
                    close()

    def _explained(self, error: AzureError) -> SourceError:
        place = f"the container {self._source.bucket} at {self._source.endpoint.partition('?')[0]}"
        if isinstance(error, ClientAuthenticationError) or _status(error) in (401, 403):
            return AuthenticationFailed(
                f"{place} refuses the credentials ({_code(error)})",
                hint="check the keys in the Secret, their rights and whether they ran out",
            )
        if isinstance(error, ResourceNotFoundError):
            return BucketNotFound(f"{place} is not there", hint="check spec.bucketName and spec.endpoint")
        if isinstance(error, ServiceRequestError | ServiceResponseError):
            return Unreachable(f"{place} cannot be reached", hint="check spec.endpoint")
        return SourceError(f"{place} answers {_code(error)}")


def open_azure(source: BucketSource, secrets: SourceSecrets, given: AccessToken | None = None) -> AzureClient:
    """`given`: a token in place of a Secret. Blocks. Raises InvalidInput."""
    parts = urlsplit(source.endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(
            "the endpoint of the provider azure is a URL",
            field="spec.endpoint",
            hint="https://ACCOUNT.blob.core.windows.net",
        )
    if parts.scheme == "http" and not source.insecure:
        raise InvalidInput(
            "the endpoint is http", field="spec.endpoint", hint="write https, or set spec.insecure: true"
        )
    proxy = read_proxy(secrets.proxy.data) if secrets.proxy is not NONE else None
    if proxy is None:
        check_host(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    credential = FixedToken(given) if given is not None else _credential(source, secrets.auth)
    more: dict[str, Any] = {}
    if proxy is not None:
        more["proxies"] = {"http": _with_login(proxy), "https": _with_login(proxy)}
    try:
        client = ContainerClient(
            account_url=source.endpoint,
            container_name=source.bucket,
            credential=credential,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=STALL_SECONDS,
            retry_total=2,
            permit_redirects=False,
            **more,
        )
    except ValueError as error:
        raise InvalidInput(f"the bucket cannot be read so: {error}", field="spec.endpoint") from error
    return AzureClient(client, source, credential)


def _credential(source: BucketSource, secret: SecretData) -> Any:
    """What the client takes: a shared key, a SAS token, a token credential, or None for public containers."""
    if secret is NONE:
        return None
    if text_of(secret, "tenantId"):
        return _principal(secret)
    if text_of(secret, "accountKey"):
        return {"account_name": _account(source), "account_key": text_of(secret, "accountKey")}
    if text_of(secret, "sasKey"):
        return text_of(secret, "sasKey").removeprefix("?")
    raise InvalidInput(
        "the Secret has none of accountKey, sasKey, and tenantId with clientId",
        field="accountKey",
        hint="set one of them",
    )


def _principal(secret: SecretData) -> Any:
    from azure.identity import CertificateCredential, ClientSecretCredential

    tenant, client = required(secret, "tenantId", "clientId")
    authority = {"authority": text_of(secret, "authorityHost")} if text_of(secret, "authorityHost") else {}
    if text_of(secret, "clientSecret"):
        return ClientSecretCredential(tenant, client, text_of(secret, "clientSecret"), **authority)
    certificate = secret.data.get("clientCertificate")
    if not certificate:
        raise InvalidInput("the Secret has neither clientSecret nor clientCertificate", field="clientSecret")
    try:
        return CertificateCredential(
            tenant,
            client,
            certificate_data=certificate,
            password=text_of(secret, "clientCertificatePassword") or None,
            send_certificate_chain=text_of(secret, "clientCertificateSendChain").lower() in _TRUE,
            **authority,
        )
    except ValueError:
        raise InvalidInput(
            "the client certificate is not PEM or PKCS12, or its password is another", field="clientCertificate"
        ) from None


def _account(source: BucketSource) -> str:
    """`https://ACCOUNT.blob...`, or the first part of the path where the host is an address (an emulator)."""
    parts = urlsplit(source.endpoint)
    inside = parts.path.strip("/").partition("/")[0]
    return inside or (parts.hostname or "").partition(".")[0]


def _with_login(proxy: Any) -> str:
    if not proxy.username:
        return str(proxy.address)
    scheme, _, rest = proxy.address.partition("://")
    from urllib.parse import quote

    return f"{scheme}://{quote(proxy.username, safe='')}:{quote(proxy.password, safe='')}@{rest}"


def _status(error: AzureError) -> int:
    return int(error.status_code or 0) if isinstance(error, HttpResponseError) else 0


def _code(error: AzureError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or _status(error) or type(error).__name__)
