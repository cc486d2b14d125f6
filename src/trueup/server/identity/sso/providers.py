"""Which providers people may sign in with, as configured in `argocd-cm`. Pure.

`oidc.config` is Argo CD's own (one provider, called `oidc` here); `trueup.sso` is a list of more, of any type. Values may be
references to Secrets (`$key`, `$secret:key`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
import yaml
from msgspec import Struct, field

from trueup.model.errors import InvalidInput
from trueup.server.identity.masked import NOTHING, Masked
from trueup.server.identity.sso.addresses import check_url

ARGO = "oidc.config"
OURS = "trueup.sso"
SKIP_VERIFY = "oidc.tls.insecure.skip.verify"
DEFAULT_SCOPES = ("openid", "profile", "email", "groups")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class Type(StrEnum):
    OIDC = "oidc"
    GITHUB = "github"
    GITLAB = "gitlab"


class ClaimNames(Struct, frozen=True, kw_only=True):
    """Under which claims a provider tells it; `a.b` is `b` in the object `a`. Empty `username`: Argo CD's way, `sub`."""

    username: str = ""
    email: str = "email"
    name: str = "name"
    groups: str = ""
    """Empty: what `scopes` of argocd-rbac-cm say."""


class Provider(Struct, frozen=True, kw_only=True):
    """`cli_client_id` is the public client that command lines use; `audiences` are whose ID tokens are taken as bearer tokens.

    `groups` names who may sign in at all: members of an organisation or group, or of a group claim; empty: everybody it knows.
    """

    id: str
    name: str
    type: Type
    issuer: str
    client_id: str
    client_secret: Masked = NOTHING
    cli_client_id: str = ""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    requested_claims: Mapping[str, Any] = {}
    claims: ClaimNames = ClaimNames()
    audiences: tuple[str, ...] = ()
    without_audience: bool = False
    """Whether tokens that name no audience are taken (Argo CD's skipAudienceCheckWhenTokenHasNoAudience)."""
    userinfo_groups: bool = False
    userinfo_path: str = ""
    groups: tuple[str, ...] = ()
    logout_url: str = ""
    domain_hint: str = ""
    authorities: str = ""
    """PEM of who signs its certificate, beside the system's."""
    insecure_tls: bool = False
    allow_http: bool = False
    """Plain HTTP, and then to this machine alone: for tests and tunnels."""

    def bearer_audiences(self) -> tuple[str, ...]:
        return self.audiences or tuple(dict.fromkeys(filter(None, (self.client_id, self.cli_client_id))))


class _Argo(Struct, frozen=True, kw_only=True, rename="camel"):
    """`oidc.config`. What else Argo CD has there is passed over: PKCE is always used, and a login is refreshed by its own times."""

    name: str = "OpenID Connect"
    issuer: str = ""
    client_id: str = field(name="clientID", default="")
    client_secret: str = ""
    cli_client_id: str = field(name="cliClientID", default="")
    requested_scopes: tuple[str, ...] = ()
    requested_id_token_claims: dict[str, Any] = field(name="requestedIDTokenClaims", default={})
    logout_url: str = field(name="logoutURL", default="")
    root_ca: str = field(name="rootCA", default="")
    enable_user_info_groups: bool = False
    user_info_path: str = ""
    allowed_audiences: tuple[str, ...] = ()
    skip_audience_check_when_token_has_no_audience: bool = False
    domain_hint: str = ""


class _Ours(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    id: str
    type: Type
    client_id: str = field(name="clientID")
    name: str = ""
    issuer: str = ""
    """Of GitHub and GitLab their address; empty: github.com, gitlab.com."""
    client_secret: str = ""
    cli_client_id: str = field(name="cliClientID", default="")
    scopes: tuple[str, ...] = ()
    claims: ClaimNames = ClaimNames()
    allowed_audiences: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    logout_url: str = field(name="logoutURL", default="")
    root_ca: str = field(name="rootCA", default="")
    user_info_groups: bool = False
    allow_http: bool = field(name="allowHTTP", default=False)


class Providers(Struct, frozen=True, kw_only=True):
    """By id, and what is wrong with those that could not be read: one bad entry does not shut the others out."""

    found: Mapping[str, Provider] = {}
    problems: tuple[InvalidInput, ...] = ()


def providers_of(data: Mapping[str, str], resolve: Callable[[str], str]) -> Providers:
    found: dict[str, Provider] = {}
    problems: list[InvalidInput] = []
    for key, read in ((ARGO, _argo), (OURS, _ours)):
        if not data.get(key, "").strip():
            continue
        try:
            for provider in read(data, resolve):
                found[provider.id] = provider
        except InvalidInput as error:
            problems.append(error)
    if data.get("dex.config", "").strip() and ARGO not in data:
        problems.append(
            InvalidInput(
                "Trueup does not run Dex",
                field="argocd-cm dex.config",
                hint="run Dex yourself and name it in oidc.config; see docs/how-to/login.md",
            )
        )
    return Providers(found=found, problems=tuple(problems))


def _argo(data: Mapping[str, str], resolve: Callable[[str], str]) -> list[Provider]:
    said = _converted(_loaded(data[ARGO], ARGO), _Argo, ARGO)
    return [
        _checked(
            Provider(
                id="oidc",
                name=said.name,
                type=Type.OIDC,
                issuer=resolve(said.issuer),
                client_id=resolve(said.client_id),
                client_secret=Masked(resolve(said.client_secret)),
                cli_client_id=resolve(said.cli_client_id),
                scopes=said.requested_scopes or DEFAULT_SCOPES,
                requested_claims=said.requested_id_token_claims,
                audiences=said.allowed_audiences,
                without_audience=said.skip_audience_check_when_token_has_no_audience,
                userinfo_groups=said.enable_user_info_groups,
                userinfo_path=said.user_info_path,
                logout_url=said.logout_url,
                domain_hint=said.domain_hint,
                authorities=resolve(said.root_ca),
                insecure_tls=data.get(SKIP_VERIFY, "").strip().lower() == "true",
            ),
            said,
            ARGO,
        )
    ]


_FORGES = {
    Type.OIDC: ("", "OpenID Connect", DEFAULT_SCOPES),
    Type.GITHUB: ("https://github.com", "GitHub", ("read:user", "user:email", "read:org")),
    Type.GITLAB: ("https://gitlab.com", "GitLab", ("openid", "profile", "email", "read_user", "read_api")),
}


def _ours(data: Mapping[str, str], resolve: Callable[[str], str]) -> list[Provider]:
    found = _converted(_loaded(data[OURS], OURS), list[_Ours], OURS)
    return [_of_ours(said, resolve, f"{OURS}[{number}]") for number, said in enumerate(found)]


def _of_ours(said: _Ours, resolve: Callable[[str], str], where: str) -> Provider:
    address, name, scopes = _FORGES[said.type]
    if not _ID.fullmatch(said.id):
        raise InvalidInput(f"{said.id!r} is no id", field=f"argocd-cm {where}.id", hint="use a-z, 0-9 and -")
    return _checked(
        Provider(
            id=said.id,
            name=said.name or name,
            type=said.type,
            issuer=(resolve(said.issuer) or address).rstrip("/")
            if said.type is not Type.OIDC
            else resolve(said.issuer),
            client_id=resolve(said.client_id),
            client_secret=Masked(resolve(said.client_secret)),
            cli_client_id=resolve(said.cli_client_id),
            scopes=said.scopes or scopes,
            claims=said.claims,
            audiences=said.allowed_audiences,
            userinfo_groups=said.user_info_groups,
            groups=said.groups,
            logout_url=said.logout_url,
            authorities=resolve(said.root_ca),
            allow_http=said.allow_http,
        ),
        said,
        where,
    )


def _checked(provider: Provider, said: _Argo | _Ours, where: str) -> Provider:
    """Raises InvalidInput in the words of what is `said`: a reference may lead to any value, also to one that nobody may read."""
    for name, value, written in (
        ("issuer", provider.issuer, said.issuer),
        ("clientID", provider.client_id, said.client_id),
    ):
        if not value or value.startswith("$"):
            found = f"names {written}, which is not there" if value else "is not set"
            raise InvalidInput(found, field=f"argocd-cm {where}.{name}", hint="set it, or the Secret that it names")
    try:
        check_url(provider.issuer, allow_http=provider.allow_http)
    except InvalidInput as error:
        found = (
            f"names {said.issuer}, where no address of a provider is" if said.issuer.startswith("$") else error.message
        )
        raise InvalidInput(found, field=f"argocd-cm {where}.issuer", hint=error.hint) from None
    if provider.type is not Type.OIDC and not provider.groups:
        raise InvalidInput(
            "names no group, so that everybody with an account there could sign in",
            field=f"argocd-cm {where}.groups",
            hint="list the organisations or groups whose members may, such as [my-org]",
        )
    return provider


def _loaded(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"is not YAML: {str(error).splitlines()[0]}", field=f"argocd-cm {where}") from error


def _converted(value: Any, type_: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), field=f"argocd-cm {where}", hint="see docs/how-to/login.md") from error
