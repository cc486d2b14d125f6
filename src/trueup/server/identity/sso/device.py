"""The device flow, for a terminal without a browser: a code to enter elsewhere, and asking until somebody did. RFC 8628."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.server.api.refusals import Unauthenticated
from trueup.server.identity.sso.discovery import Metadata
from trueup.server.identity.sso.grants import GrantRefused, Tokens
from trueup.server.identity.sso.outgoing import Outgoing, ProviderUnreachable
from trueup.server.identity.sso.providers import Provider

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER = 5.0
"""Seconds to add when the provider finds us impatient."""


class Device(Struct, frozen=True, kw_only=True):
    """`verification_uri_complete` has the code in it already."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str = ""
    interval: float = 5.0

    def __repr__(self) -> str:
        return f"Device({self.verification_uri!r})"


async def begin(outgoing: Outgoing, provider: Provider, metadata: Metadata) -> Device:
    """Raises InvalidInput where the provider has no such flow."""
    if not metadata.device_authorization_endpoint:
        raise InvalidInput(f"{provider.name} offers no device flow", hint="sign in with a browser on this machine")
    form = {"client_id": provider.client_id, "scope": " ".join(provider.scopes)}
    answer = await outgoing.post(metadata.device_authorization_endpoint, form)
    try:
        if answer.status != 200:
            raise msgspec.ValidationError(f"status {answer.status}")
        return msgspec.convert(answer.body, Device, strict=False)
    except msgspec.ValidationError as error:
        raise ProviderUnreachable(
            f"{provider.name} began no device flow: {error}", hint="is the client allowed to use it?"
        ) from error


async def wait(
    outgoing: Outgoing,
    provider: Provider,
    metadata: Metadata,
    device: Device,
    *,
    sleep: Callable[[float], Awaitable[None]],
) -> Tokens:
    """Until the code was entered. Raises GrantRefused when somebody said no, Unauthenticated when nobody came in time."""
    interval, waited = max(device.interval, 1.0), 0.0
    form = {"grant_type": GRANT, "device_code": device.device_code, "client_id": provider.client_id}
    while waited < device.expires_in:
        await sleep(interval)
        waited += interval
        try:
            answer = await outgoing.post(metadata.token_endpoint, form)
        except ProviderUnreachable:
            interval += SLOWER  # RFC 8628, 3.5: back off when it does not answer
            continue
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status == 200 and "error" not in body:
            return msgspec.convert(body, Tokens, strict=False)
        match body.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval += SLOWER
            case "access_denied":
                raise GrantRefused("the login was refused at the provider", hint="begin again")
            case "expired_token":
                break
            case error:
                raise ProviderUnreachable(f"{provider.name} answered {answer.status} {str(error)[:60]}")
    raise Unauthenticated("nobody entered the code in time", hint="begin again")
