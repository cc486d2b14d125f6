"""What must be there before anybody can sign in: a key to sign with, and the first `admin` with a random password.

The password is written where its reader finds it before its hash is, so that a crash in between leaves nobody locked out; two replicas
that begin at once take the same one.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog

from trueup.server.identity.accounts import ADMIN, secret_key, with_password
from trueup.server.identity.masked import Masked
from trueup.server.identity.passwords import Passwords, random_password
from trueup.server.identity.settings import SERVER_KEY, settings_of
from trueup.server.identity.store import INITIAL, SECRETS, SETTINGS, Data, Form, Store

log = structlog.get_logger(__name__)

LABELS = {"app.kubernetes.io/part-of": "argocd", "app.kubernetes.io/managed-by": "trueup"}
PASSWORD_FILE = "initial-admin-password"  # noqa: S105 the name of a file
_HASH = secret_key(ADMIN, "password")


async def begin(
    store: Store,
    passwords: Passwords,
    now: Callable[[], datetime],
    *,
    home: Path | None = None,
    make: Callable[[], str] = random_password,
) -> Masked:
    """The first password when one was made now, else nothing. `home`: the embedded server's folder, where it is written too."""
    await store.write(Form.SECRET, SECRETS, _with_key, labels=LABELS)
    settings = settings_of(store.read(Form.CONFIG_MAP, SETTINGS), store.read(Form.SECRET, SECRETS))
    admin = settings.accounts[ADMIN]
    if admin.password or not admin.enabled:
        return Masked("")
    fresh = make()
    first, second = INITIAL
    kept = await store.write(Form.SECRET, first, lambda data: _with_initial(data, fresh), labels=LABELS)
    password = kept["password"].decode()
    await store.write(Form.SECRET, second, lambda data: {**data, "password": password.encode()}, labels=LABELS)
    if home is not None:
        write_private(home / PASSWORD_FILE, password + "\n")
    hashed = await passwords.hash(password)
    await store.write(
        Form.SECRET,
        SECRETS,
        lambda data: None if data.get(_HASH) else with_password(data, ADMIN, hashed, now()),
        labels=LABELS,
    )
    log.info(
        "the first password of admin was made", secrets=list(INITIAL), file=str(home / PASSWORD_FILE) if home else ""
    )
    return Masked(password)


def _with_key(data: Data) -> Data | None:
    return None if data.get(SERVER_KEY) else {**data, SERVER_KEY: base64.b64encode(secrets.token_bytes(32))}


def _with_initial(data: Data, fresh: str) -> Data | None:
    return None if data.get("password") else {**data, "password": fresh.encode()}


def write_private(path: Path, text: str) -> None:
    """For its owner's eyes from the first byte on, and whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
