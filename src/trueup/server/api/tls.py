"""The server's certificate: a given one, or one of its own that is made when there is none. TLS 1.2 and newer."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trueup.model.errors import InvalidInput

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
