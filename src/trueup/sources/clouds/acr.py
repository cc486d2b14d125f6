"""Azure's container registry: a token of Entra's exchanged for one of the registry's own.

https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md (POST /oauth2/exchange)
"""

from __future__ import annotations

import base64
import binascii

from msgspec import Struct

from trueup.model.errors import AuthenticationFailed
from trueup.sources.clouds.given import AccessToken
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.http import HttpFetcher, HttpLimits, Request
from trueup.sources.httpaccess import HttpAccess
from trueup.sources.oci.address import OciAddress
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.oci.errors import RegistryFailed

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The user's name beside a token."""
_LIMITS = HttpLimits(size=256 * 1024)


class _Answer(Struct, frozen=True):
    refresh_token: str


class _Claims(Struct, frozen=True):
    exp: float = 0.0


async def acr_login(
    http: HttpFetcher, address: OciAddress, token: AccessToken, access: HttpAccess
) -> tuple[RegistryLogin, float]:
    """The login, and when it ends. Raises AuthenticationFailed, RegistryFailed and what a fetch can."""
    form = {"grant_type": "access_token", "service": address.host, "access_token": token.token}
    url = f"https://{address.api_host}/oauth2/exchange"
    answer = await http.fetch(Request(url=url, method="POST", form=form, access=access, limits=_LIMITS))
    if answer.status in (400, 401, 403):
        raise AuthenticationFailed(
            f"{address.host} refuses the identity with {answer.status}", hint="give it the role AcrPull on the registry"
        )
    if answer.status != 200:
        raise RegistryFailed(f"{address.host} answers {answer.status} where tokens are exchanged")
    try:
        found = read_json(answer.body, _Answer).refresh_token
    except NotReadable:
        raise RegistryFailed(f"{address.host} gives no usable token") from None
    return RegistryLogin(NOBODY, found), _ends(found)


def _ends(token: str) -> float:
    """When a JSON Web Token says it ends; 0: it does not say. Its signature is the registry's affair."""
    body = token.split(".")[1:2]
    try:
        return read_json(base64.urlsafe_b64decode(body[0] + "=" * (-len(body[0]) % 4)), _Claims).exp
    except (IndexError, binascii.Error, ValueError):
        return 0.0
