"""Google Cloud Storage, by Google's client. Secret: `serviceaccount`, the JSON key of a service account.

https://fluxcd.io/flux/components/source/buckets/#gcp
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec
import requests
from google.api_core.exceptions import ClientError, Forbidden, GoogleAPICallError, NotFound, RetryError, Unauthorized
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, RefreshError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.model.source import BucketSource
from trueup.sources.buckets.access import CONNECT_SECONDS, STALL_SECONDS, check_host, copy_bounded
from trueup.sources.buckets.objects import BucketNotFound, BucketObject, ObjectGone
from trueup.sources.clouds.given import AccessToken
from trueup.sources.giterrors import Unreachable
from trueup.sources.httpaccess import read_proxy
from trueup.sources.secrets import NONE, SourceSecrets

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_TOKENS = "https://oauth2.googleapis.com/token"
_OFFICIAL = "storage.googleapis.com"
_TIMEOUT = (CONNECT_SECONDS, STALL_SECONDS)
_RETRY = DEFAULT_RETRY.with_timeout(5.0)
"""The client's own would go on for two minutes; the queue tries again anyway."""
_FAULTS = (GoogleAPICallError, RetryError, GoogleAuthError, requests.RequestException)


class GcpClient:
    """`BucketClient` for one bucket."""

    def __init__(self, client: Any, source: BucketSource) -> None:
        self._client = client
        self._source = source
        self._bucket = client.bucket(source.bucket)

    def list(self, prefix: str) -> Iterator[BucketObject]:
        try:
            fields = "items(name,etag,size),nextPageToken"
            for one in self._client.list_blobs(
                self._bucket, prefix=prefix or None, fields=fields, timeout=_TIMEOUT, retry=_RETRY
            ):
                yield BucketObject(str(one.name), str(one.etag or "").strip('"'), int(one.size or 0))
        except _FAULTS as error:
            raise self._explained(error) from error

    def get(self, key: str, target: IO[bytes], limit: int) -> str:
        blob = self._bucket.blob(key)
        try:
            blob.reload(timeout=_TIMEOUT, retry=_RETRY)
            # Of exactly this generation: the object may be replaced between the two requests.
            with blob.open("rb", chunk_size=1 << 20, timeout=_TIMEOUT, retry=_RETRY) as stream:
                copy_bounded(iter(lambda: stream.read(1 << 20), b""), target, limit, key)
            return str(blob.etag or "").strip('"')
        except NotFound as error:
            raise ObjectGone from error
        except _FAULTS as error:
            raise self._explained(error) from error

    def close(self) -> None:
        self._client.close()

    def _explained(self, error: Exception) -> SourceError:
        place = f"the bucket {self._source.bucket} at {self._source.endpoint}"
        if isinstance(error, Unauthorized | Forbidden | RefreshError):
            return AuthenticationFailed(
                f"{place} refuses the credentials",
                hint="check serviceaccount in the Secret, and its rights to list and read",
            )
        if isinstance(error, NotFound):
            return BucketNotFound(f"{place} is not there", hint="check spec.bucketName and spec.endpoint")
        if isinstance(error, ClientError | GoogleAPICallError):
            return SourceError(f"{place} answers {getattr(error, 'code', '')}")
        return Unreachable(f"{place} cannot be reached ({type(error).__name__})", hint="check spec.endpoint")


def open_gcp(source: BucketSource, secrets: SourceSecrets, given: AccessToken | None = None) -> GcpClient:
    """`given`: a token in place of a Secret. Blocks. Raises InvalidInput."""
    scheme = "http" if source.insecure else "https"
    parts = urlsplit(source.endpoint if "://" in source.endpoint else f"{scheme}://{source.endpoint}")
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise InvalidInput(f"{source.endpoint!r} is no endpoint", field="spec.endpoint", hint=f"write {_OFFICIAL}")
    proxy = read_proxy(secrets.proxy.data) if secrets.proxy is not NONE else None
    if proxy is None:
        check_host(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
    options = {} if parts.hostname == _OFFICIAL else {"api_endpoint": f"{parts.scheme}://{parts.netloc}"}
    credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]
    project = "none"
    if given is not None:
        credentials = Credentials(token=given.token)  # type: ignore[no-untyped-call]
    elif secrets.auth is not NONE:
        credentials, project = _service_account(secrets.auth.data.get("serviceaccount", b""))
    client = storage.Client(project=project, credentials=credentials, client_options=options)
    if proxy is not None:
        address = (
            proxy.address.replace("://", f"://{proxy.username}:{proxy.password}@", 1)
            if proxy.username
            else proxy.address
        )
        client._http.proxies = {"http": address, "https": address}
    return GcpClient(client, source)


def _service_account(text: bytes) -> tuple[Any, str]:
    """Tokens are asked for at Google's own address alone, wherever the key says."""
    try:
        said = msgspec.json.decode(text, type=dict[str, str])
        made: Any = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            {**said, "token_uri": _TOKENS}, scopes=[_SCOPE]
        )
    except (msgspec.DecodeError, ValueError):
        raise InvalidInput(
            "the key 'serviceaccount' is not the JSON key of a service account", field="serviceaccount"
        ) from None
    return made, said.get("project_id", "none")
