"""Whether an ID token is the provider's, for us, of now, and of this login. Pure; the keys are handed in.

https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation. Algorithms are ours to choose (no `none`, no shared secret
passing for a public key), and the key must be of the kind that the algorithm takes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from trueup.server.api.refusals import Unauthenticated

KINDS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""Which kind of key each allowed algorithm takes."""
LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
LONGEST = 64 * 1024


def header_of(token: str) -> dict[str, Any]:
    """What a token says of itself, unproved. Raises Unauthenticated."""
    first, _, rest = token.partition(".")
    if not first or rest.count(".") != 1 or len(token) > LONGEST:
        raise bad("it is no signed token")
    return _decoded(first)


def claims_of(token: str) -> dict[str, Any]:
    """What a token claims, unproved. Raises Unauthenticated for what is no token."""
    header_of(token)
    return _decoded(token.split(".")[1])


def issuer_of(token: str) -> str:
    """Whom a token says it is from, unproved: it only chooses among the providers that are configured."""
    issuer = claims_of(token).get("iss")
    return issuer if isinstance(issuer, str) else ""


def expiry_of(token: str) -> float:
    """When a token that was proved ends; for ever when it says nothing."""
    return _time(_decoded(token.split(".")[1]), "exp") or float("inf")


def verified(token: str, keys: Sequence[Key], allowed: Collection[str]) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed, by an algorithm that is allowed. Raises Unauthenticated."""
    header = header_of(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in KINDS or algorithm not in allowed:
        raise bad(f"it is signed by {algorithm!s:.20}, which is not taken")
    if header.get("crit"):
        raise bad("it asks for extensions that are not known here")
    name = header.get("kid")
    for key in keys:
        if name is not None and key.kid is not None and key.kid != name:
            continue
        if key.key_type != KINDS[algorithm] or (key.alg or algorithm) != algorithm:
            continue
        try:
            found = jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError, TypeError):
            continue
        try:
            return msgspec.json.decode(found.payload, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise bad("it holds no claims") from error
    raise bad("none of the provider's keys has signed it")


def check_claims(
    claims: Mapping[str, Any],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    nonce: str | None = None,
    access_token: str = "",
    algorithm: str = "",
    without_audience: bool = False,
) -> None:
    """Raises Unauthenticated for what is another's, for others, too old, too new, or of another login."""
    if claims.get("iss") != issuer:
        raise bad("it is from another issuer")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise bad("it names nobody (sub)")
    _check_audience(claims, audiences, without_audience=without_audience)
    expires, issued, begins = (_time(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or expires + LEEWAY <= now:
        raise bad("it has expired")
    if (issued is not None and issued - LEEWAY > now) or (begins is not None and begins - LEEWAY > now):
        raise bad("it is from the future; look at the clocks")
    if nonce is not None and not _same(claims.get("nonce"), nonce):
        raise bad("it belongs to another login (nonce)")
    if access_token and "at_hash" in claims and not _same(claims["at_hash"], _half(access_token, algorithm)):
        raise bad("it belongs to another access token (at_hash)")


def _check_audience(claims: Mapping[str, Any], audiences: Collection[str], *, without_audience: bool) -> None:
    said = claims.get("aud")
    given = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    if not given and without_audience and said is None:
        return
    if not any(isinstance(one, str) and one in audiences for one in given):
        raise bad("it is for somebody else (aud)")
    party = claims.get("azp")
    if len(given) > 1 and party is not None and party not in audiences:
        raise bad("it was given to somebody else (azp)")


def _half(access_token: str, algorithm: str) -> str:
    """The left half of the hash, of the size that the algorithm has."""
    name = {"384": "sha384", "512": "sha512"}.get(algorithm[-3:], "sha512" if algorithm.startswith("Ed") else "sha256")
    digest = hashlib.new(name, access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise bad(f"its {name} is no time")
    return float(value)


def _decoded(part: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=dict[str, Any])
    except (ValueError, msgspec.MsgspecError) as error:
        raise bad("it cannot be read") from error


def bad(why: str) -> Unauthenticated:
    return Unauthenticated(f"the provider's token does not hold: {why}", hint="sign in again")
