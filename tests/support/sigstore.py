"""A Sigstore of a test's own: certificates as Fulcio gives them, entries as Rekor's log keeps them, and the root of trust.

After the public formats: RFC 6962 (SCTs, inclusion), https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md,
https://github.com/transparency-dev/formats (checkpoints). All of it with keys made on the spot, so no network is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER = "https://token.actions.example.com"
SUBJECT = "https://github.example.com/shop/web/.github/workflows/release.yaml@refs/heads/main"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ORIGIN = "rekor.example.com"
_START = datetime(2024, 1, 1, tzinfo=UTC)
SIGNED_AT = datetime(2024, 5, 1, 12, tzinfo=UTC)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _der(tag: int, data: bytes) -> bytes:
    size = bytes([len(data)]) if len(data) < 0x80 else b"\x82" + struct.pack(">H", len(data))
    return bytes([tag]) + size + data


class Sigstore:
    """One instance, with its own authority and logs."""

    def __init__(self) -> None:
        self.authority, self.rekor, self.ct = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fulcio")])
        key = self.authority.public_key()
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key)
            .serial_number(1)
            .not_valid_before(_START)
            .not_valid_after(_START + timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self.authority, SHA256())
        )

    @property
    def trusted_root(self) -> bytes:
        """`trusted_root.json`."""
        valid = {"start": "2024-01-01T00:00:00Z"}
        logs = {
            what: [
                {
                    "baseUrl": f"https://{what}.example.com",
                    "hashAlgorithm": "SHA2_256",
                    "publicKey": {
                        "rawBytes": _b64(_spki(key)),
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        "validFor": valid,
                    },
                    "logId": {"keyId": _b64(hashlib.sha256(_spki(key)).digest())},
                }
            ]
            for what, key in (("tlogs", self.rekor), ("ctlogs", self.ct))
        }
        authority = {
            "subject": {"organization": "example.com", "commonName": "fulcio"},
            "uri": "https://fulcio.example.com",
            "certChain": {"certificates": [{"rawBytes": _b64(self.root.public_bytes(Encoding.DER))}]},
            "validFor": valid,
        }
        kind = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
        return json.dumps({"mediaType": kind, **logs, "certificateAuthorities": [authority]}).encode()

    def certificate(
        self, key: ec.EllipticCurvePrivateKey, *, subject: str = SUBJECT, issuer: str = ISSUER
    ) -> x509.Certificate:
        """Good for ten minutes, with the certificate log's promise in it."""

        def made(scts: bytes) -> x509.Certificate:
            builder = (
                x509.CertificateBuilder()
                .subject_name(x509.Name([]))
                .issuer_name(self.root.subject)
                .public_key(key.public_key())
                .serial_number(7)
                .not_valid_before(SIGNED_AT - timedelta(minutes=1))
                .not_valid_after(SIGNED_AT + timedelta(minutes=9))
                .add_extension(
                    x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True
                )
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()), critical=False
                )
                .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(subject)]), critical=True)
            )
            for arc, value in (("1", issuer.encode()), ("8", _der(0x0C, issuer.encode()))):
                oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{arc}")
                builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
            if scts:
                builder = builder.add_extension(x509.UnrecognizedExtension(_SCTS, scts), critical=False)
            return builder.sign(self.authority, SHA256())

        before = made(b"").tbs_certificate_bytes
        when = struct.pack(">Q", int(SIGNED_AT.timestamp() * 1000))
        issuer_hash = hashlib.sha256(_spki(self.authority)).digest()
        size = struct.pack(">I", len(before))[1:]
        signed = b"\0\0" + when + b"\0\1" + issuer_hash + size + before + b"\0\0"
        signature = self.ct.sign(signed, ec.ECDSA(SHA256()))
        log_id = hashlib.sha256(_spki(self.ct)).digest()
        sct = b"\0" + log_id + when + b"\0\0" + b"\4\3" + struct.pack(">H", len(signature)) + signature
        rows = struct.pack(">H", len(sct)) + sct
        return made(_der(0x04, struct.pack(">H", len(rows)) + rows))

    def annotations(
        self, payload: bytes, *, subject: str = SUBJECT, issuer: str = ISSUER, at: datetime = SIGNED_AT
    ) -> dict[str, str]:
        """What `cosign sign` up to version 2 writes beside the payload."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = self.certificate(key, subject=subject, issuer=issuer).public_bytes(Encoding.PEM)
        signature = _b64(key.sign(payload, ec.ECDSA(SHA256())))
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}},
                "signature": {"content": signature, "publicKey": {"content": _b64(pem)}},
            },
        }
        entry = self._entry(json.dumps(body, separators=(",", ":")).encode(), at)
        promised = {"SignedEntryTimestamp": self._promise(entry), "Payload": entry}
        return {
            "dev.cosignproject.cosign/signature": signature,
            "dev.sigstore.cosign/certificate": pem.decode(),
            "dev.sigstore.cosign/bundle": json.dumps(promised),
        }

    def bundle(self, statement: bytes, *, subject: str = SUBJECT, issuer: str = ISSUER) -> bytes:
        """What `cosign sign` writes from version 3 on."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certificate(key, subject=subject, issuer=issuer)
        kind = b"application/vnd.in-toto+json"
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
        signature = _b64(key.sign(signed, ec.ECDSA(SHA256())))
        envelope = {
            "payload": _b64(statement),
            "payloadType": kind.decode(),
            "signatures": [{"sig": signature}],
        }
        body = {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": {
                    "algorithm": "sha256",
                    "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest(),
                },
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(statement).hexdigest()},
                "signatures": [{"signature": signature, "verifier": _b64(certificate.public_bytes(Encoding.PEM))}],
            },
        }
        text = json.dumps(body, separators=(",", ":")).encode()
        entry = self._entry(text, SIGNED_AT)
        leaf = hashlib.sha256(b"\0" + text).digest()
        log_entry = {
            "logIndex": "0",
            "logId": {"keyId": _b64(hashlib.sha256(_spki(self.rekor)).digest())},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(entry["integratedTime"]),
            "inclusionPromise": {"signedEntryTimestamp": self._promise(entry)},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(leaf),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": self._checkpoint(leaf)},
            },
            "canonicalizedBody": entry["body"],
        }
        return json.dumps(
            {
                "mediaType": BUNDLE,
                "verificationMaterial": {
                    "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
                    "tlogEntries": [log_entry],
                },
                "dsseEnvelope": envelope,
            }
        ).encode()

    def _entry(self, body: bytes, at: datetime) -> dict[str, Any]:
        log = hashlib.sha256(_spki(self.rekor)).hexdigest()
        return {"body": _b64(body), "integratedTime": int(at.timestamp()), "logID": log, "logIndex": 0}

    def _promise(self, entry: dict[str, Any]) -> str:
        canonical = json.dumps(entry, separators=(",", ":"), sort_keys=True).encode()
        return _b64(self.rekor.sign(canonical, ec.ECDSA(SHA256())))

    def _checkpoint(self, root: bytes) -> str:
        note = f"{_ORIGIN}\n1\n{_b64(root)}\n"
        hint = hashlib.sha256(_spki(self.rekor)).digest()[:4]
        signature = _b64(hint + self.rekor.sign(note.encode(), ec.ECDSA(SHA256())))
        return f"{note}\n— {_ORIGIN} {signature}\n"
