"""How a registry is told who we are: its challenge read, and a token fetched where it wants one.

Tokens are for pulling from one repository, kept in memory until shortly before they end. The password goes to the token
service that the registry names, and only over TLS when the registry itself speaks TLS.
https://distribution.github.io/distribution/spec/auth/token/ and RFC 9110, section 11.6.1
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from itertools import zip_longest

import msgspec
from msgspec import Struct
from yarl import URL

from trueup.model.errors import AuthenticationFailed
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.http import AddressRefused, HttpFetcher, HttpLimits, Request, shown
from trueup.sources.httpaccess import HttpAccess
from trueup.sources.oci.address import OciAddress
from trueup.sources.oci.credentials import RegistryLogin
from trueup.sources.oci.errors import RegistryFailed, error_codes

_CLIENT = "trueup"
_SHORTEST = 60.0
_EARLY = 10.0
_MOST_TOKENS = 4096
_PARAMETER = re.compile(r'([A-Za-z_-]{1,64})\s{0,8}=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"(?:^|,)\s*(Bearer|Basic)(?:\s+|$)", re.IGNORECASE)


class Challenge(Struct, frozen=True):
    """`scheme` is `bearer` or `basic`."""

    scheme: str
    realm: str = ""
    service: str = ""


class Party(Struct, frozen=True, kw_only=True):
    """A repository, and how we come to it. `scheme` is what the registry speaks."""

    address: OciAddress
    login: RegistryLogin
    access: HttpAccess
    scheme: str = "https"


class _Token(Struct, frozen=True):
    token: str = ""
    access_token: str = ""
    expires_in: float = 0


def read_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all WWW-Authenticate headers that we can answer, in their order."""
    found: list[Challenge] = []
    for header in headers:
        marks = list(_SCHEME.finditer(header))
        for mark, following in zip_longest(marks, marks[1:]):
            text = header[mark.end() : following.start() if following is not None else len(header)]
            values = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                for name, quoted, plain in _PARAMETER.findall(text)
            }
            found.append(Challenge(mark[1].lower(), values.get("realm", ""), values.get("service", "")))
    return tuple(found)


class Authorizer:
    """Remembers what each repository accepts. `now` is a monotonic clock in seconds."""

    def __init__(self, http: HttpFetcher, now: Callable[[], float]) -> None:
        self._http = http
        self._now = now
        self._kept: dict[tuple[OciAddress, RegistryLogin], tuple[str, float]] = {}

    def current(self, party: Party) -> str:
        """The Authorization header that was good last time; empty: none known, so the registry is asked without."""
        if party.login.registry_token:
            return f"Bearer {party.login.registry_token}"
        value, until = self._kept.get((party.address, party.login), ("", 0.0))
        return value if self._now() < until else ""

    def forget(self, party: Party) -> None:
        self._kept.pop((party.address, party.login), None)

    async def answer(self, party: Party, headers: Iterable[str], limits: HttpLimits) -> str:
        """The header that answers a 401; empty: we have nothing to say. Raises AuthenticationFailed and what a fetch can."""
        self.forget(party)
        if party.login.registry_token:
            return ""
        for challenge in read_challenges(headers):
            if challenge.scheme == "bearer" and challenge.realm:
                value, seconds = await self._token(party, challenge, limits)
            elif challenge.scheme == "basic" and party.login.username:
                value, seconds = _basic(party.login), 3600.0
            else:
                continue
            if len(self._kept) >= _MOST_TOKENS:
                self._kept.clear()
            self._kept[party.address, party.login] = (value, self._now() + seconds)
            return value
        return ""

    async def _token(self, party: Party, challenge: Challenge, limits: HttpLimits) -> tuple[str, float]:
        answer = await self._http.fetch(_token_request(party, challenge, limits))
        if answer.status in (400, 401, 403):
            said = "; ".join(code for code, _ in error_codes(answer.body))
            raise AuthenticationFailed(
                f"the token service {shown(challenge.realm)} of {party.address.host} refuses"
                f" {'anonymous access' if party.login.is_anonymous else 'these credentials'}"
                f" with {answer.status}{f' ({said})' if said else ''}",
                hint="check the registry's Secret" if not party.login.is_anonymous else "name a Secret by secretRef",
            )
        if answer.status != 200:
            raise RegistryFailed(
                f"the token service {shown(challenge.realm)} of {party.address.host} answers {answer.status}"
            )
        try:
            token = read_json(answer.body, _Token)
        except NotReadable:
            token = _Token()  # an error of decoding could show a part of the token
        value = token.token or token.access_token
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise RegistryFailed(f"the token service {shown(challenge.realm)} gives no usable token")
        return f"Bearer {value}", max(token.expires_in, _SHORTEST) - _EARLY


def _token_request(party: Party, challenge: Challenge, limits: HttpLimits) -> Request:
    try:
        realm = URL(challenge.realm)
        good = realm.scheme in ("http", "https") and bool(realm.host)
    except ValueError:
        good = False
    if not good:
        raise RegistryFailed(f"{party.address.host} names a token service that is not a URL")
    if party.scheme == "https" and realm.scheme != "https":
        raise AddressRefused(
            f"{party.address.host} sends us to the token service {shown(realm)} without TLS; no password goes there"
        )
    own_host = realm.host == URL(f"{party.scheme}://{party.address.api_host}").host
    values = {"service": challenge.service, "scope": f"repository:{party.address.repository}:pull"}
    values = {name: value for name, value in values.items() if value}
    common = Request(
        url=str(realm),
        access=party.access if own_host else party.access.for_strangers,
        limits=limits,
        named=own_host or party.address.is_this_machine,
    )
    if party.login.identity_token:
        form = values | {
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "refresh_token": party.login.identity_token,
        }
        return msgspec.structs.replace(common, method="POST", form=form)
    login = _basic(party.login) if party.login.username else ""
    return msgspec.structs.replace(common, url=str(realm.update_query(values)), authorization=login)


def _basic(login: RegistryLogin) -> str:
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
