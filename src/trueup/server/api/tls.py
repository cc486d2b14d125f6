"""The server's certificate: a given one, or one of its own that is made when there is none. TLS 1.2 and newer.

Whoever renews a given one (cert-manager, say) puts other files in its place: they are noticed, and no restart is needed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trueup.model.errors import InvalidInput

log = structlog.get_logger(__name__)

LOOK_SECONDS = 60.0
"""Between two looks at the files."""
LASTS = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """Raises InvalidInput for files that are no certificate with its key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(
            f"{certificate} and {key} are no certificate with its key: {error}",
            hint="give PEM files of one pair: --tls-cert and --tls-key",
        ) from error
    return context


class Certificate:
    """The pair as it is now. `find` says where it is, and makes it where it is our own and ends soon.

    `context` is for the listener; each handshake is given the newest pair. Raises InvalidInput when the first one is none.
    """

    def __init__(self, find: Callable[[], tuple[Path, Path]]) -> None:
        self._find = find
        pair = find()
        self._stamp = _stamp(pair)
        self._current = self.context = context_of(*pair)
        self.context.sni_callback = self._choose

    async def keep(self, seconds: float = LOOK_SECONDS) -> None:
        """Looks at the files from time to time, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """What is there now is shown from now on; what cannot be read leaves the pair of before. Blocks."""
        try:
            pair = self._find()
            stamp = _stamp(pair)
            if stamp == self._stamp:
                return
            self._current = context_of(*pair)
            self._stamp = stamp
        except (InvalidInput, OSError) as error:
            # Two files are not written in one moment: the next look finds both.
            log.warning("the new certificate cannot be used yet, so the one of before stays", problem=str(error))
            return
        log.info("another certificate is used from now on", certificate=str(pair[0]))

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = self._current


def _stamp(pair: tuple[Path, Path]) -> tuple[tuple[int, int, int], ...]:
    """Changes whenever a file was written, or another one is in its place (as Kubernetes changes what it mounts)."""
    found = (path.stat() for path in pair)
    return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


def own_certificate(folder: Path, names: Iterable[str], now: datetime | None = None) -> tuple[Path, Path]:
    """The pair in `folder`, made anew when it is not there or ends soon. Browsers warn of it; clients can be given it as CA."""
    certificate, key = folder / "server.crt", folder / "server.key"
    now = now or datetime.now(UTC)
    if certificate.exists() and key.exists() and _lasts(certificate, now):
        return certificate, key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made, secret = _make(sorted(set(names)), now)
    _write(key, secret)
    _write(certificate, made)
    return certificate, key


def _lasts(certificate: Path, now: datetime) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return False
    return found.not_valid_after_utc - RENEW_BEFORE > now


def _make(names: list[str], now: datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trueup-server")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and for its owner alone."""
    partial = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    partial.replace(path)
