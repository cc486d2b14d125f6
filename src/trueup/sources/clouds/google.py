"""Google Cloud, by its own library: the controller's token (metadata server, federation, a key's file), or that of a
ServiceAccount, exchanged at Google's token service and, where an annotation says so, for an account of Google's. Blocks.

https://cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC
from functools import partial
from typing import Any

import google.auth
import requests
from google.auth import identity_pool
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, OAuthError, RefreshError, TransportError
from google.auth.transport.requests import Request
from msgspec import Struct

from trueup.model.errors import AuthenticationFailed, SourceError
from trueup.sources.clouds.account import CloudAccount
from trueup.sources.clouds.given import AccessToken
from trueup.sources.giterrors import Unreachable

SCOPES = ("https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/userinfo.email")
_SECONDS = 10
_METADATA = {"Metadata-Flavor": "Google"}
_JWT = "urn:ietf:params:oauth:token-type:jwt"


class Endpoints(Struct, frozen=True):
    """Where Google gives tokens."""

    sts: str = "https://sts.googleapis.com/v1/token"
    iam: str = "https://iamcredentials.googleapis.com"


class Google:
    """The credentials of one process."""

    def __init__(self, endpoints: Endpoints = Endpoints()) -> None:  # noqa: B008 (frozen)
        self._endpoints = endpoints
        self._own: Any = None
        self._cluster: tuple[str, str] | None = None

    def own_token(self) -> AccessToken:
        """The controller's."""
        try:
            if self._own is None:
                self._own, _ = google.auth.default(scopes=SCOPES, request=Request())
            return _refreshed(self._own)
        except GoogleAuthError as error:
            raise _explained(error, "the controller's own identity") from error

    def audience(self, account: CloudAccount) -> str:
        """For whom a ServiceAccount's token must be made out."""
        return account.google_provider or self._of_cluster()[0]

    def account_token(self, account: CloudAccount, token: str) -> AccessToken:
        pool, provider = ("", "") if account.google_provider else self._of_cluster()
        email = account.google_account
        more = (
            {
                "service_account_impersonation_url": f"{self._endpoints.iam}/v1/projects/-/serviceAccounts/"
                f"{email}:generateAccessToken"
            }
            if email
            else {}
        )
        try:
            credentials: Any = identity_pool.Credentials(  # type: ignore[no-untyped-call]
                audience=account.google_provider or f"identitynamespace:{pool}:{provider}",
                subject_token_type=_JWT,
                token_url=self._endpoints.sts,
                subject_token_supplier=_Fixed(token),
                scopes=list(SCOPES),
                **more,
            )
            return _refreshed(credentials)
        except GoogleAuthError as error:
            raise _explained(error, str(account.ref)) from error

    def _of_cluster(self) -> tuple[str, str]:
        """The workload identity pool and provider of the GKE cluster that we run in, as the metadata server tells."""
        if self._cluster is None:
            project, location, name = (
                _metadata(path)
                for path in (
                    "project/project-id",
                    "instance/attributes/cluster-location",
                    "instance/attributes/cluster-name",
                )
            )
            base = "https://container.googleapis.com/v1"
            self._cluster = (
                f"{project}.svc.id.goog",
                f"{base}/projects/{project}/locations/{location}/clusters/{name}",
            )
        return self._cluster


class _Fixed(identity_pool.SubjectTokenSupplier):
    def __init__(self, token: str) -> None:
        self._token = token

    def get_subject_token(self, context: Any, request: Any) -> str:  # noqa: ARG002
        return self._token


def _metadata(path: str) -> str:
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    try:
        answer = requests.get(f"http://{host}/computeMetadata/v1/{path}", headers=_METADATA, timeout=3)
    except requests.RequestException as error:
        raise AuthenticationFailed(
            "Google's metadata server does not answer: this is no GKE cluster, or its metadata is shut off",
            hint="elsewhere, annotate the ServiceAccount with gcp.auth.fluxcd.io/workload-identity-provider",
        ) from error
    if answer.status_code != 200 or not answer.text.strip() or answer.headers.get("Metadata-Flavor") != "Google":
        raise AuthenticationFailed(f"Google's metadata server does not tell {path}")
    return answer.text.strip()


def _request() -> Callable[..., Any]:
    return partial(Request(), timeout=_SECONDS)


def _refreshed(credentials: Any) -> AccessToken:
    if not credentials.valid:
        credentials.refresh(_request())
    expiry = credentials.expiry  # naive, and UTC
    return AccessToken(token=credentials.token, expires=expiry.replace(tzinfo=UTC).timestamp() if expiry else 0.0)


def _explained(error: GoogleAuthError, what: str) -> SourceError:
    if isinstance(error, DefaultCredentialsError):
        return AuthenticationFailed(
            "Google gives the controller no credentials",
            hint="set up Workload Identity Federation for GKE for it, or name a Secret",
        )
    if isinstance(error, RefreshError | OAuthError):
        return AuthenticationFailed(
            f"Google refuses {what}", hint="check the workload identity provider, its conditions and roles"
        )
    if isinstance(error, TransportError):
        return Unreachable(f"Google's token service cannot be reached for {what}")
    return AuthenticationFailed(f"Google gives no token for {what} ({type(error).__name__})")
