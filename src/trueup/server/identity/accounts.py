"""Local users as Argo CD keeps them: names and capabilities in `argocd-cm`, passwords and tokens in `argocd-secret`. Pure.

https://argo-cd.readthedocs.io/en/stable/operator-manual/user-management/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from trueup.server.identity.masked import NOTHING, Masked
from trueup.server.identity.store import Data

ADMIN = "admin"
LONGEST_NAME = 32
"""Bytes of a name at login, as in Argo CD."""
_ACCOUNT = re.compile(r"accounts\.([^.]+)(\.enabled)?")


class Capability(StrEnum):
    LOGIN = "login"
    API_KEY = "apiKey"


class Token(Struct, frozen=True, kw_only=True):
    """An API token that was given out; the token itself is not kept. Times are Unix seconds; `expires` 0: never."""

    id: str
    issued: int = msgspec.field(name="iat", default=0)
    expires: int = msgspec.field(name="exp", default=0)


class Account(Struct, frozen=True, kw_only=True):
    """`password_changed`: every token from before it is worth nothing."""

    name: str
    enabled: bool = True
    capabilities: frozenset[Capability] = frozenset()
    password: Masked = NOTHING
    password_changed: datetime | None = None
    tokens: Mapping[str, Token] = {}
    """By id."""

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities


def accounts_of(settings: Data, secrets: Data) -> dict[str, Account]:
    """All of them by name, `admin` among them. A name with a dot in it cannot be: Argo CD passes it over, and so do we."""
    found = {ADMIN: _admin(settings, secrets)}
    for key, value in settings.items():
        match = _ACCOUNT.fullmatch(key)
        if match is None or match[2] or match[1] == ADMIN:
            continue
        name = match[1]
        prefix = f"accounts.{name}."
        found[name] = Account(
            name=name,
            enabled=_flag(settings, prefix + "enabled", default=True),
            capabilities=_capabilities(_text(value)),
            password=Masked(_text(secrets.get(prefix + "password", b""))),
            password_changed=_time(secrets.get(prefix + "passwordMtime", b"")),
            tokens=_tokens(secrets.get(prefix + "tokens", b"")),
        )
    return found


def _admin(settings: Data, secrets: Data) -> Account:
    """Argo CD gives it `login` alone unless `accounts.admin` says more; its tokens are at `admin.tokens`."""
    said = _text(settings.get(f"accounts.{ADMIN}", b""))
    return Account(
        name=ADMIN,
        enabled=_flag(settings, "admin.enabled", default=True)
        and _flag(settings, f"accounts.{ADMIN}.enabled", default=True),
        capabilities=_capabilities(said) | {Capability.LOGIN},
        password=Masked(_text(secrets.get("admin.password", b""))),
        password_changed=_time(secrets.get("admin.passwordMtime", b"")),
        tokens=_tokens(secrets.get("admin.tokens", b"")),
    )


def secret_key(name: str, what: str) -> str:
    """Where an account's `password`, `passwordMtime` or `tokens` is in `argocd-secret`."""
    return f"{ADMIN}.{what}" if name == ADMIN else f"accounts.{name}.{what}"


def with_password(secrets: Data, name: str, hashed: str, now: datetime) -> dict[str, bytes]:
    """Its new password; what was given out before it is worth nothing from now on."""
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = {secret_key(name, "password"): hashed.encode(), secret_key(name, "passwordMtime"): stamp.encode()}
    return {**secrets, **changed}


def with_tokens(secrets: Data, name: str, tokens: Iterable[Token]) -> dict[str, bytes]:
    """Written as Argo CD reads it: `exp` is left out where a token does not expire."""
    rows = [
        {"id": token.id, "iat": token.issued, **({"exp": token.expires} if token.expires else {})} for token in tokens
    ]
    return {**secrets, secret_key(name, "tokens"): msgspec.json.encode(rows)}


def without_credentials(secrets: Data, name: str) -> dict[str, bytes]:
    """Without its password and tokens, as if it were new."""
    gone = {secret_key(name, what) for what in ("password", "passwordMtime", "tokens")}
    return {key: value for key, value in secrets.items() if key not in gone}


def wrong_with(key: str, value: str) -> tuple[str, str] | None:
    """What is wrong with a setting `accounts.*`, and what to do: such a user would not be there, or could do nothing."""
    if not key.startswith("accounts."):
        return None
    match = _ACCOUNT.fullmatch(key)
    if match is None:
        return f"{key} makes no user", "write accounts.NAME or accounts.NAME.enabled; a name has no dot"
    if len(match[1].encode()) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} bytes, so it could not sign in", "choose a shorter one"
    if match[2]:
        said = _text(value.encode()).lower()
        return None if said in ("true", "false") else (f"is {value!r}", 'write "true" or "false"')
    words = [word.strip() for word in value.split(",") if word.strip()]
    if odd := [word for word in words if word not in set(Capability)]:
        return f"{odd[0]!r} is no capability", "write apiKey, login, or both with a comma"
    return None


def _capabilities(text: str) -> frozenset[Capability]:
    """`apiKey, login`; words that are none are passed over, as Argo CD does."""
    words = {word.strip() for word in text.split(",")}
    return frozenset(capability for capability in Capability if capability.value in words)


def _tokens(raw: bytes) -> dict[str, Token]:
    """Unreadable means none: then no token of the account holds, which is the safe side."""
    try:
        found = msgspec.json.decode(raw, type=tuple[Token, ...]) if raw.strip() not in (b"", b"null") else ()
    except msgspec.MsgspecError:
        return {}
    return {token.id: token for token in found}


def _time(raw: bytes) -> datetime | None:
    """RFC 3339."""
    try:
        found = datetime.fromisoformat(_text(raw))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _flag(data: Mapping[str, bytes], key: str, *, default: bool) -> bool:
    text = _text(data.get(key, b"")).lower()
    return default if text == "" else text in ("true", "1", "t")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()
