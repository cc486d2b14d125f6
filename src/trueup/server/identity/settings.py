"""All that `argocd-cm` and `argocd-secret` say about identity, read once per change. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import re2  # type: ignore[import-untyped]
import yaml
from msgspec import Struct

from trueup.model.duration import parse_duration
from trueup.model.errors import InvalidInput
from trueup.server.identity.accounts import Account, accounts_of
from trueup.server.identity.masked import NOTHING, Masked
from trueup.server.identity.store import SECRETS, SETTINGS, Data, Form, Store

DEFAULT_PATTERN = "^.{8,32}$"
DEFAULT_SESSION = timedelta(hours=24)
SERVER_KEY = "server.secretkey"
OLD_KEY = "trueup.server.secretkey.previous"
"""A key that still opens what it has sealed; an operator who turns the key moves the old one here, for as long as they like."""


class Keys(Struct, frozen=True, kw_only=True):
    """What tokens are signed with, and what they may still have been signed with."""

    current: Masked = NOTHING
    previous: Masked = NOTHING

    def all(self) -> tuple[Masked, ...]:
        return tuple(key for key in (self.current, self.previous) if key)

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """A 256-bit key for one purpose, of each: no two uses share one. The keys are random, so one keyed hash is enough."""
        return tuple(
            hashlib.blake2b(
                purpose.encode(), key=hashlib.sha256(key.reveal().encode()).digest(), digest_size=32
            ).digest()
            for key in self.all()
        )


class Settings(Struct, frozen=True, kw_only=True):
    """`urls` are where people reach this server, the first of them the one to send them back to."""

    accounts: Mapping[str, Account] = {}
    keys: Keys = Keys()
    urls: tuple[str, ...] = ()
    anonymous: bool = False
    session: timedelta = DEFAULT_SESSION
    password_pattern: str = DEFAULT_PATTERN
    data: Mapping[str, str] = {}
    """All of `argocd-cm`; references in it are not resolved."""


def settings_of(config: Data, secrets: Data) -> Settings:
    """Lenient where Argo CD is; a session that cannot be read is 24 hours long, as there."""
    data = {key: value.decode("utf-8", "replace") for key, value in config.items()}
    return Settings(
        accounts=accounts_of(config, secrets),
        keys=Keys(
            current=Masked(secrets.get(SERVER_KEY, b"").decode("utf-8", "replace")),
            previous=Masked(secrets.get(OLD_KEY, b"").decode("utf-8", "replace")),
        ),
        urls=_urls(data),
        anonymous=data.get("users.anonymous.enabled", "").strip().lower() == "true",
        session=_session(data.get("users.session.duration", "")),
        password_pattern=data.get("passwordPattern", "").strip() or DEFAULT_PATTERN,
        data=data,
    )


def check_password(pattern: str, password: str) -> None:
    """Raises InvalidInput; never tells the password."""
    if compiled(pattern).search(password) is None:
        raise InvalidInput(
            f"the new password does not match {pattern}",
            field="newPassword",
            hint="choose another, or set passwordPattern",
        )


def compiled(pattern: str) -> Any:
    """What new passwords must match, an RE2. Raises InvalidInput."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidInput(
            f"{pattern!r} is no pattern: {error}", field="passwordPattern", hint="see https://golang.org/s/re2syntax"
        ) from error


def resolved(text: str, read: Callable[[str, str], bytes | None]) -> str:
    """A `$key` is a key of `argocd-secret`, a `$secret:key` one of another Secret; as written where there is none, as Argo CD does."""
    if not text.startswith("$"):
        return text
    name, _, key = text[1:].rpartition(":")
    found = read(name or SECRETS, key.strip())
    return text if found is None else found.decode("utf-8", "replace").strip()


class Live:
    """The settings as they are now. Read anew only when the store has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._settings = Settings()

    def __call__(self) -> Settings:
        if self._version != self._store.version:
            self._version = self._store.version
            self._settings = settings_of(
                self._store.read(Form.CONFIG_MAP, SETTINGS), self._store.read(Form.SECRET, SECRETS)
            )
        return self._settings

    def resolve(self, text: str) -> str:
        return resolved(text, lambda name, key: self._store.read(Form.SECRET, name).get(key))


def _urls(data: Mapping[str, str]) -> tuple[str, ...]:
    try:
        listed = yaml.safe_load(data.get("additionalUrls", ""))
    except yaml.YAMLError:
        listed = None
    more = [one.strip() for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    found = [data.get("url", "").strip(), *more]
    return tuple(dict.fromkeys(url.rstrip("/") for url in found if url.startswith(("https://", "http://"))))


def _session(text: str) -> timedelta:
    try:
        found = parse_duration(text.strip())
    except InvalidInput:
        return DEFAULT_SESSION
    return found if found > timedelta(0) else DEFAULT_SESSION
