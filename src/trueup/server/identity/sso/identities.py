"""What a provider said of a person, as we keep it: claims by the names that the provider has for them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from trueup.server.api.refusals import Forbidden, Unauthenticated
from trueup.server.identity.masked import NOTHING, Masked
from trueup.server.identity.sso.providers import Provider

OURS = ("proj:", "system:", "role:")
"""What names of tokens, of the cluster's accounts and of roles begin with: nobody of a provider is called so."""
MOST_GROUPS = 2000
LONGEST = 512


class NotAllowedIn(Forbidden):
    """The provider knows the person, but only members of certain groups may sign in."""

    reason = "NotAllowedIn"


class Identity(Struct, frozen=True, kw_only=True):
    """`subject` is what policies speak of, `provider_subject` the provider's own `sub`. `fresh_for`: seconds until it is asked again."""

    provider: str
    issuer: str
    subject: str
    provider_subject: str
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    refresh_token: Masked = NOTHING
    id_token: Masked = NOTHING
    fresh_for: int = 3600
    issued: int = 0


def claim_of(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of this very name, else `a.b` as `b` in the object `a`."""
    if name in claims or "." not in name:
        return claims.get(name)
    first, _, rest = name.partition(".")
    inner = claims.get(first)
    return claim_of(inner, rest) if isinstance(inner, Mapping) else None


def groups_in(claims: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Every text, or list of texts, under these claims: Argo CD's `scopes`, where an e-mail address may stand for a group."""
    found: list[str] = []
    for name in names:
        value = claim_of(claims, name)
        values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        found += [one for one in values if isinstance(one, str) and one]
    unique = tuple(dict.fromkeys(found))
    if len(unique) > MOST_GROUPS:
        raise Unauthenticated(
            f"the provider names {len(unique)} groups, and {MOST_GROUPS} are the most that is taken",
            hint="have the provider send only the groups that matter here",
        )
    return unique


def subject_in(claims: Mapping[str, Any], provider: Provider) -> str:
    """Argo CD's: through Dex the user's id at the provider behind it, else `sub`; or the claim that was chosen.

    A name of the forms that local users, tokens and service accounts have is refused: nobody may sign in as one of them.
    """
    chosen = provider.claims.username
    value = claim_of(claims, chosen) if chosen else claim_of(claims, "federated_claims.user_id") or claims.get("sub")
    if not isinstance(value, str) or not value or len(value) > LONGEST or not value.isprintable():
        raise Unauthenticated(f"the provider's token has no usable {chosen or 'sub'}", hint="look at claims.username")
    if value.startswith(OURS):
        raise Unauthenticated(f"nobody may sign in as {value[:40]!r}", hint="look at claims.username")
    if chosen == "email" and claims.get("email_verified") is False:
        raise Unauthenticated("the provider has not verified the e-mail address", hint="confirm it there first")
    return value


def identity_of(claims: Mapping[str, Any], provider: Provider, scopes: Sequence[str], *, issuer: str = "") -> Identity:
    """Raises Unauthenticated, or NotAllowedIn for somebody in none of the groups that may sign in."""
    names = provider.claims
    told = claim_of(claims, names.email)
    email = told if isinstance(told, str) and claims.get("email_verified") is not False else ""
    name = claim_of(claims, names.name) or claims.get("preferred_username")
    visible = {key: value for key, value in claims.items() if key != "email" or email}
    found = Identity(
        provider=provider.id,
        issuer=issuer or str(claims["iss"]),
        subject=subject_in(claims, provider),
        provider_subject=str(claims["sub"]),
        name=name[:LONGEST] if isinstance(name, str) else "",
        email=email[:LONGEST],
        groups=groups_in(visible, (names.groups,) if names.groups else scopes),
        issued=int(claims.get("iat") or 0),
    )
    check_allowed(found, provider)
    return found


def theirs(groups: Sequence[str], accounts: Collection[str]) -> tuple[str, ...]:
    """The groups of a provider's person without those that policies would take for somebody of ours.

    A policy's `g` lines speak of users, roles, tokens and groups alike: who may make a group at the provider could call it
    `role:admin`, or as a local user, and have what that one has.
    """
    return tuple(one for one in groups if not one.startswith(OURS) and one not in accounts)


def check_name(subject: str, accounts: Collection[str]) -> None:
    """Policies speak of names: a person of a provider who is called `admin` there must not be taken for ours."""
    if subject in accounts:
        raise NotAllowedIn(
            f"{subject} is the name of a local user",
            hint="have the provider say another (claims.username), or take the local user out of argocd-cm",
        )


def check_allowed(identity: Identity, provider: Provider) -> None:
    if provider.groups and not set(provider.groups) & set(identity.groups):
        raise NotAllowedIn(
            "you are known, but in none of the groups whose members may sign in",
            hint="ask whoever runs this server; what they change is `groups` of the provider",
        )
