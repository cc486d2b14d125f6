"""A store with settings in it, a clock that the test turns, and tokens signed by anybody."""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt

from trueup.server.identity.settings import Live
from trueup.server.identity.store import SECRETS, SETTINGS, Form, MemoryStore

KEY = "a-server-key-of-enough-length-0123456789"
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Clock:
    """Both clocks: the time of day, and seconds that go forward."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self) -> float:
        return (self.now - START).total_seconds()

    def pass_(self, **parts: float) -> None:
        self.now += timedelta(**parts)


def quick_hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def a_store(settings: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None) -> MemoryStore:
    store = MemoryStore()
    store.set(
        Form.CONFIG_MAP, SETTINGS, {"accounts.alice": "apiKey, login", "accounts.robot": "apiKey", **(settings or {})}
    )
    passwords = {"admin.password": quick_hash("admin-secret"), "accounts.alice.password": quick_hash("alice-secret")}
    store.set(Form.SECRET, SECRETS, {"server.secretkey": KEY, **passwords, **(secrets or {})})
    return store


def live(store: MemoryStore) -> Live:
    return Live(store)


def forged(header: Mapping[str, Any], claims: Mapping[str, Any], key: bytes = b"", digest: str = "sha256") -> str:
    """A JWT with any header, signed by HMAC with any key; no key: no signature."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.new(key, b".".join(parts), digest).digest() if key else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
