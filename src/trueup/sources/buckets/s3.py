"""S3, and whatever speaks its API, by MinIO's client. Secrets: `accesskey` and `secretkey`; without a Secret: anonymously.

https://fluxcd.io/flux/components/source/buckets/#generic
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.helpers import check_bucket_name
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as PoolTimeout
from yarl import URL

from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.model.source import BucketSource
from trueup.sources.buckets.access import CHUNK, CONNECT_SECONDS, STALL_SECONDS, check_host, copy_bounded, required
from trueup.sources.buckets.objects import MEBIBYTE, BucketNotFound, BucketObject, BucketRefused, ObjectGone
from trueup.sources.clouds.given import AwsKeys
from trueup.sources.giterrors import CertificateUntrusted, Unreachable
from trueup.sources.http import FetchTimeout, RateLimited
from trueup.sources.httpaccess import HttpAccess, http_access, make_tls, proxy_of
from trueup.sources.secrets import NONE, SourceSecrets

_REFUSED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthorizationHeaderMalformed",
)
_FAULTS = (MinioException, HTTPError, ValueError, ParseError)
_LARGEST_ANSWER = 16 * MEBIBYTE
_BUSY = ("SlowDown", "ServiceUnavailable", "TooManyRequests")


class _Bounded(urllib3.PoolManager):
    """Of a listing or an error no more is read than such an answer can be; objects are streamed, and bounded where they are copied."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **more: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        whole = more.pop("preload_content", True)
        response = super().urlopen(method, url, redirect, preload_content=False, **more)
        if not whole:
            return response
        data = response.read(_LARGEST_ANSWER + 1)
        if len(data) > _LARGEST_ANSWER:
            response.close()
            raise BucketRefused(f"the store answers with more than {_LARGEST_ANSWER // MEBIBYTE or 1} MiB (limit)")
        response.release_conn()
        return urllib3.HTTPResponse(
            io.BytesIO(data),
            response.headers,
            response.status,
            reason=response.reason,
            decode_content=False,
            request_url=url,
        )


class _BoundedProxy(_Bounded, urllib3.ProxyManager):
    """The same through a proxy."""


class S3Client:
    """`BucketClient` for one S3 bucket."""

    def __init__(self, client: Minio, pool: urllib3.PoolManager, source: BucketSource) -> None:
        self._client = client
        self._pool = pool
        self._source = source

    def list(self, prefix: str) -> Iterator[BucketObject]:
        try:
            for one in self._client.list_objects(self._source.bucket, prefix=prefix or None, recursive=True):
                yield BucketObject(str(one.object_name), (one.etag or "").strip('"'), one.size or 0)
        except _FAULTS as error:
            raise self._explained(error) from error

    def get(self, key: str, target: IO[bytes], limit: int) -> str:
        try:
            response = self._client.get_object(self._source.bucket, key)
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchObject"):
                raise ObjectGone from error
            raise self._explained(error) from error
        except _FAULTS as error:
            raise self._explained(error) from error
        try:
            copy_bounded(response.stream(CHUNK), target, limit, key)
            return str(response.headers.get("ETag", "")).strip('"')
        except HTTPError as error:
            raise self._explained(error) from error
        finally:
            response.close()
            response.release_conn()

    def close(self) -> None:
        self._pool.clear()

    def _explained(self, error: Exception) -> SourceError:
        place = f"the bucket {self._source.bucket} at {self._source.endpoint}"
        if isinstance(error, S3Error):
            if error.code == "NoSuchBucket":
                return BucketNotFound(f"{place} is not there", hint="check spec.bucketName and spec.endpoint")
            if error.code in _REFUSED:
                return AuthenticationFailed(
                    f"{place} refuses: {error.code}",
                    hint="check accesskey and secretkey in the Secret, and their rights",
                )
            if error.code in _BUSY:
                return RateLimited(f"{place} asks to be left alone: {error.code}", hint="raise spec.interval")
            return SourceError(f"{place} answers {error.code}: {error.message or ''}")
        if isinstance(error, InvalidResponseError | ServerError | ParseError):
            return SourceError(
                f"{place} does not answer as S3 does", hint="check spec.endpoint: it is a host, without a path"
            )
        if isinstance(error, ValueError) and not isinstance(error, HTTPError):
            return SourceError(f"{place} cannot be asked: {error}")
        cause = error.reason if isinstance(error, MaxRetryError) else error
        if isinstance(cause, SSLError):
            return CertificateUntrusted(
                f"the certificate of {self._source.endpoint} cannot be trusted",
                hint="put the authority into ca.crt of the Secret that certSecretRef names, or set insecure: true for HTTP",
            )
        if isinstance(cause, PoolTimeout) and not isinstance(cause, NewConnectionError):
            return FetchTimeout(f"{place} did not answer in time", hint="check the endpoint, or raise spec.timeout")
        return Unreachable(f"{place} cannot be reached ({type(cause).__name__})", hint="check spec.endpoint")


def open_s3(source: BucketSource, secrets: SourceSecrets, given: AwsKeys | None = None) -> S3Client:
    """`given`: keys for a while, in place of a Secret's. Blocks. Raises InvalidInput."""
    host, port = _host(source)
    access = http_access(
        secrets.certificates.data if secrets.certificates is not NONE else None,
        secrets.proxy.data if secrets.proxy is not NONE else None,
    )
    url = URL.build(scheme="http" if source.insecure else "https", host=host, port=port)
    pool = _pool(access, url)
    if not isinstance(pool, urllib3.ProxyManager):
        check_host(host, port)
    user, password, session = None, None, None
    if given is not None:
        user, password, session = given.access_key, given.secret_key, given.session_token or None
    elif secrets.auth is not NONE:
        user, password = required(secrets.auth, "accesskey", "secretkey")
    try:
        check_bucket_name(source.bucket)
    except ValueError as error:
        raise InvalidInput(f"{source.bucket!r} is no bucket's name: {error}", field="spec.bucketName") from error
    try:
        client = Minio(
            source.endpoint,
            access_key=user,
            secret_key=password,
            session_token=session,
            secure=not source.insecure,
            region=source.region or None,
            http_client=pool,
        )
    except ValueError as error:
        raise InvalidInput(f"{source.endpoint!r} is no S3 endpoint: {error}", field="spec.endpoint") from error
    return S3Client(client, pool, source)


def _host(source: BucketSource) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{source.endpoint}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.path or parts.query or "://" in source.endpoint:
        raise InvalidInput(
            f"{source.endpoint!r} is no endpoint",
            field="spec.endpoint",
            hint="write the host alone, with its port where it has one: minio.example.com:9000",
        )
    return host, port or (80 if source.insecure else 443)


def _pool(access: HttpAccess, url: URL) -> urllib3.PoolManager:
    proxy = proxy_of(access, url)
    context: ssl.SSLContext = make_tls(access)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=STALL_SECONDS)
    # A redirect is never followed: the request is signed for the one host, and nothing else may learn of it.
    retries = urllib3.Retry(total=2, redirect=False, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
    if proxy is None:
        return _Bounded(timeout=timeout, retries=retries, ssl_context=context, maxsize=16)
    headers = urllib3.make_headers(proxy_basic_auth=f"{proxy.username}:{proxy.password}") if proxy.username else None
    return _BoundedProxy(
        proxy_url=proxy.address,
        proxy_headers=headers,
        timeout=timeout,
        retries=retries,
        ssl_context=context,
        maxsize=16,
    )
