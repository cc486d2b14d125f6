"""Azure, by Microsoft's library: the controller's token (environment, workload identity, managed identity), or that of an
application that trusts a ServiceAccount. Everything here blocks.

No command is run and no file of a person's login is read, as the library's default chain would.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import (
    ChainedTokenCredential,
    ClientAssertionCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from trueup.model.errors import AuthenticationFailed, InvalidInput, SourceError
from trueup.sources.clouds.account import CloudAccount
from trueup.sources.clouds.given import AccessToken
from trueup.sources.giterrors import Unreachable

_LIMITS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 2}


class Azure:
    """The credentials of one process; the library keeps and renews their tokens."""

    def __init__(self) -> None:
        self._own: dict[str, Any] = {}

    def own_token(self, scope: str, client_id: str = "") -> AccessToken:
        """The controller's; `client_id`: of that managed identity, of several that the machine has."""
        if client_id not in self._own:
            self._own[client_id] = _chain(client_id)
        return _token(self._own[client_id], scope, "the controller's own identity")

    def account_token(self, account: CloudAccount, token: str, scope: str) -> AccessToken:
        """That of the application that the ServiceAccount's annotations name, by its token."""
        tenant, client = account.tenant_and_client
        try:
            credential = ClientAssertionCredential(tenant, client, lambda: token, **_authority(), **_LIMITS)
        except ValueError as error:
            raise InvalidInput(
                f"{account.ref} names no application: {error}", field="spec.serviceAccountName"
            ) from error
        with credential:
            return _token(credential, scope, f"{account.ref}")


def _chain(client_id: str) -> Any:
    if client_id:
        return ManagedIdentityCredential(client_id=client_id, **_LIMITS)
    chain: list[Any] = [EnvironmentCredential(**_LIMITS)]
    with suppress(ValueError):  # it is not set up here
        chain.append(WorkloadIdentityCredential(**_authority(), **_LIMITS))
    chain.append(ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID") or None, **_LIMITS))
    return ChainedTokenCredential(*chain)


def _authority() -> dict[str, Any]:
    """A cloud of another kind is named by the environment; then Azure's public one is not asked whether there is such a one."""
    named = os.environ.get("AZURE_AUTHORITY_HOST", "")
    return {"authority": named, "disable_instance_discovery": True} if named else {}


def _token(credential: Any, scope: str, what: str) -> AccessToken:
    try:
        found = credential.get_token(scope)
    except ClientAuthenticationError as error:
        raise AuthenticationFailed(
            f"Azure gives no token for {what}",
            hint="check the workload or managed identity, its federated credential's issuer and subject, and its roles",
        ) from error
    except AzureError as error:
        raise Unreachable(f"Azure's login cannot be reached for {what}") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"Azure gives no token for {what} ({type(error).__name__})") from error
    return AccessToken(token=found.token, expires=float(found.expires_on))
