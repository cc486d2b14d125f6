"""What the Secrets of one source hold, by what they are for; printed masked.

Read by the controllers (or a person's command), understood by each kind of source in its own module. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
from msgspec import Struct, field, structs

from trueup.model.source import Source
from trueup.sources.clouds.account import CONTROLLER, CloudAccount


class SecretData(Struct, frozen=True):
    """One Secret: its type and its decoded data. Its repr shows the keys, never what they hold."""

    type: str
    data: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"SecretData({self.type!r}, keys={sorted(self.data)})"


NONE = SecretData("", {})
_NO_TIME = timedelta(0)


class SourceSecrets(Struct, frozen=True, kw_only=True):
    """See `model.source.SecretRefs` for what each is for. What is not named is empty."""

    auth: SecretData = NONE
    certificates: SecretData = NONE
    proxy: SecretData = NONE
    trust: SecretData = NONE
    root: SecretData = NONE
    pull: tuple[SecretData, ...] = ()
    """The imagePullSecrets of the source's ServiceAccount."""
    argo: SecretData = NONE
    """Argo CD's repository Secret, with its own keys."""
    known_hosts: str = ""
    """Argo CD's list of SSH hosts."""
    authorities: str = ""
    """Argo CD's certificate of the host, PEM."""
    identity: CloudAccount = CONTROLLER
    sts: SecretData = NONE
    sts_certificates: SecretData = NONE

    @property
    def managed_identity(self) -> str:
        """Of a Secret that says nothing but which of Azure's managed identities we are: its client id."""
        others = ("tenantId", "accountKey", "sasKey")
        if any(self.auth.data.get(key) for key in others):
            return ""
        return self.auth.data.get("clientId", b"").decode("utf-8", "replace").strip()

    def fingerprint(self, key: bytes) -> str:
        """Equal for equal Secrets under one key; says nothing about them to who lacks the key."""
        return hmac.new(key, msgspec.json.encode(self, order="deterministic"), hashlib.sha256).hexdigest()[:32]


NO_SECRETS = SourceSecrets()


class Granted(Struct, frozen=True):
    """Under which name content is remembered as shown to these Secrets by that source, so that nobody else is given it."""

    key: bytes = field(default=b"")

    def to(self, source: Source, secrets: SourceSecrets) -> str:
        """Intervals and the like do not matter: they do not say what is fetched."""
        plain = structs.replace(source, interval=_NO_TIME, timeout=_NO_TIME, suspend=False, ignore=None)
        digest = hmac.new(self.key, msgspec.json.encode(plain, order="deterministic"), hashlib.sha256)
        digest.update(type(source).__name__.encode())
        digest.update(secrets.fingerprint(self.key).encode())
        return digest.hexdigest()[:40]


def load_key(root: Path) -> bytes:
    """The key under which secrets are fingerprinted; made at first use, readable by us alone."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = root / "fingerprint.key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()
