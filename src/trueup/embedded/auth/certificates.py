"""The cluster's own authority, its serving certificate and the administrator's client certificate.

Keys are P-256; everything lies in one folder, readable by its owner alone. Certificates near their end are made anew at
start; the authority stays, so that kubeconfigs keep working.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

AUTHORITY_DAYS, LEAF_DAYS, RENEW_DAYS = 3650, 365, 30


class KeyPair(Struct, frozen=True):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "KeyPair(...)"


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that nobody else can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    temporary.replace(path)


class Authority:
    """Signs the cluster's certificates. `Authority.in_folder` makes one, or finds the one that is there."""

    def __init__(self, pair: KeyPair) -> None:
        self.certificate = pair.certificate
        self._signer = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    @classmethod
    def in_folder(cls, folder: Path) -> Authority:
        """The authority in `ca.crt` and `ca.key`."""
        certificate, key = folder / "ca.crt", folder / "ca.key"
        if certificate.is_file() and key.is_file():
            return cls(KeyPair(certificate.read_bytes(), key.read_bytes()))
        pair = _self_signed()
        write_private(key, pair.key)
        write_private(certificate, pair.certificate)
        return cls(pair)

    def server(self, hosts: Sequence[str]) -> KeyPair:
        """A serving certificate for names and addresses."""
        return self._leaf("kube-apiserver", (), ExtendedKeyUsageOID.SERVER_AUTH, [_alternative(host) for host in hosts])

    def client(self, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """A client certificate: the common name is the user, the organisations are its groups."""
        return self._leaf(user, groups, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def _leaf(
        self, name: str, groups: Sequence[str], usage: x509.ObjectIdentifier, alternatives: list[x509.GeneralName]
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            ]
        )
        builder = (
            _builder(subject, self._signer.subject, key, LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return _pair(builder.sign(self._key, hashes.SHA256()), key)


def _self_signed() -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trueup-embedded-kubernetes")])
    certificate = (
        _builder(name, name, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # a clock that is a little behind
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def expires_soon(certificate: bytes) -> bool:
    """Whether less than a month is left."""
    end = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    return end - datetime.now(UTC) < timedelta(days=RENEW_DAYS)
