"""Argo CD's own tokens: JWTs with HS256 by `server.secretkey`, of local users and of projects' roles. Given out and read here. Pure.

`iss` is `argocd`; `sub` is `NAME:login`, `NAME:apiKey` or `proj:PROJECT:ROLE`; `jti`, `iat`, `nbf`, and `exp` where it ends.
A token that Argo CD gave out holds here, and one from here holds there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from trueup.server.api.refusals import Unauthenticated, Unavailable
from trueup.server.identity.accounts import Account, Capability
from trueup.server.identity.masked import Masked
from trueup.server.identity.revocation import Revoked
from trueup.server.identity.settings import Keys

ISSUER = "argocd"
ALGORITHMS = ["HS256"]
LEEWAY = 30
"""Seconds that clocks of replicas may differ."""
LONGEST = 16 * 1024
"""Characters of a token; nothing longer is decoded."""


class Claims(Struct, frozen=True, kw_only=True):
    """What a token of ours says. Times are Unix seconds; `expires` 0: never."""

    subject: str
    token_id: str
    issued: int
    expires: int = 0


class ProjectTokens(Struct, frozen=True):
    """The tokens that a project's role has given out: (id, iat) of each."""

    tokens: frozenset[tuple[str, int]]


Roles = Callable[[str, str], ProjectTokens | None]
"""By project and role; None: there is no such role."""


def issue(keys: Keys, claims: Claims) -> str:
    if not keys.current:
        raise Unavailable("there is no key to sign tokens with yet", hint="look at server.secretkey in argocd-secret")
    said: dict[str, Any] = {
        "iss": ISSUER,
        "sub": claims.subject,
        "jti": claims.token_id,
        "iat": claims.issued,
        "nbf": claims.issued,
    }
    if claims.expires:
        said["exp"] = claims.expires
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, said, _key(keys.current), algorithms=ALGORITHMS)


def read(keys: Keys, token: str, now: datetime) -> Claims:
    """The claims of a token that one of our keys has signed and that holds now. Raises Unauthenticated."""
    if len(token) > LONGEST:
        raise refused("it is too long")
    for key in keys.all():
        try:
            found = jwt.decode(token, _key(key), algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError):
            continue
        return _claims(found.claims, now.timestamp())
    raise refused("it was not signed by this server")


def _claims(said: Mapping[str, Any], now: float) -> Claims:
    subject, token_id = said.get("sub"), said.get("jti", "")
    issued, expires, begins = (_seconds(said, name) for name in ("iat", "exp", "nbf"))
    if said.get("iss") != ISSUER or not isinstance(subject, str) or not isinstance(token_id, str):
        raise refused("it is no token of a user or of a project's role")
    if issued is None or issued > now + LEEWAY or (begins or 0) > now + LEEWAY:
        raise refused("it is not valid yet; look at the servers' clocks")
    if expires is not None and expires <= now:
        raise refused("it has expired")
    return Claims(subject=subject, token_id=token_id, issued=issued, expires=expires or 0)


class LocalUser(Struct, frozen=True, kw_only=True):
    """Whose token it is: an account by one of its capabilities, or a project's role."""

    name: str
    claims: Claims
    capability: Capability | None = None

    @property
    def is_project(self) -> bool:
        return self.capability is None


def whose(claims: Claims, accounts: Mapping[str, Account], roles: Roles, revoked: Revoked) -> LocalUser:
    """Whether what the token says holds now, by Argo CD's rules. Raises Unauthenticated."""
    if revoked.covers(claims.token_id, claims.subject, claims.issued):
        raise refused("it was revoked")
    parts = claims.subject.split(":")
    if len(parts) == 3 and parts[0] == "proj":
        given = roles(parts[1], parts[2])
        if given is None or not _given(given, claims):
            raise refused("the project's role does not know it (any more)")
        return LocalUser(name=claims.subject, claims=claims)
    name, word = parts[0], parts[1] if len(parts) > 1 else ""
    # Argo CD's rule: what names no capability is an API token.
    capability = Capability.LOGIN if word == Capability.LOGIN else Capability.API_KEY
    account = accounts.get(name)
    if account is None or not account.enabled or not account.can(capability):
        raise refused("the user is disabled, may not do this, or is no more")
    if not claims.token_id:
        raise refused("it has no id (jti), so that it could not be revoked")
    if capability is Capability.API_KEY and claims.token_id not in account.tokens:
        raise refused("it was deleted")
    if account.password_changed is not None and claims.issued < int(account.password_changed.timestamp()):
        raise refused("the password was changed after it was given out")
    return LocalUser(name=name, claims=claims, capability=capability)


def _given(given: ProjectTokens, claims: Claims) -> bool:
    """By its id; tokens from before there were ids are known by the second in which they were given out."""
    if claims.token_id:
        return any(token_id == claims.token_id for token_id, _ in given.tokens)
    return any(issued == claims.issued for _, issued in given.tokens)


def hashed(token: str) -> str:
    """An id for a token that has none of its own, and that says nothing about it."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the token does not hold: {why}", hint="sign in again, or ask for a new token")


def seconds_of(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def _seconds(said: Mapping[str, Any], name: str) -> int | None:
    """Raises Unauthenticated for a time that is no number: such a token must not hold for ever."""
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise refused(f"its {name} is no time")
    return int(value)


def _key(key: Masked) -> OctKey:
    return OctKey.import_key(key.reveal())
