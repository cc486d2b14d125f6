"""OpenPGP signatures, detached and clear-signed, by Sequoia. Stricter than the standard where a cluster should be.

A signature counts when a trusted key made it, when the algorithms are still sound (Sequoia's standard policy: no SHA-1 of
today, no short RSA keys; Brainpool curves are not there), and when neither signature nor key (primary and signing subkey)
is expired or revoked *now*: whoever stole a key that has run out could date a signature back. As in `git verify-commit`.
Format: RFC 9580.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pysequoia
from pysequoia.packet import Packet, PacketPile, SignatureType, Tag

from trueup.sources.signatures.signer import SignatureInvalid, Signer

_KEY_BLOCK = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_SIGNATURE_BLOCK = re.compile(rb"-----BEGIN PGP SIGNATURE-----.*?-----END PGP SIGNATURE-----", re.DOTALL)
_CLEARTEXT = b"-----BEGIN PGP SIGNED MESSAGE-----"
_MOST_SIGNATURES = 16
_EPOCH = datetime.fromtimestamp(0, UTC)
_MOST_BYTES = 4 * 1024 * 1024


class _Valid(Protocol):
    """One valid signature as Sequoia names it, by fingerprints in lower case."""

    certificate: str
    signing_key: str


def verify_pgp(payload: bytes, signature: bytes, keys: Iterable[bytes], *, now: datetime | None = None) -> Signer:
    """Checks a detached signature (armored or binary). Raises SignatureInvalid.

    `keys` are keyrings, each armored (one block or several) or binary. `now` is this moment unless a test says another.
    """
    certificates = _certificates(keys)
    failures: list[str] = []
    for packet in _signature_packets(signature):
        if not _is_of_document(packet):
            continue
        try:
            detached = pysequoia.Sig.from_bytes(bytes(packet))
            result = pysequoia.verify(bytes=payload, store=_store(certificates), signature=detached)
            return _signer(result.valid_sigs, certificates, packet, now)
        except SignatureInvalid as error:
            failures.append(error.message)
        except Exception as error:
            failures.append(_explain(packet, certificates, error))
    raise SignatureInvalid(failures[0] if failures else "there is no OpenPGP signature of a document in it")


def verify_pgp_cleartext(signed: bytes, keys: Iterable[bytes], *, now: datetime | None = None) -> tuple[bytes, Signer]:
    """Checks a clear-signed text and answers what was signed: only that may be believed, never what stands around it.

    Raises SignatureInvalid. A chart's `.prov` file is such a text.
    """
    certificates = _certificates(keys)
    start = signed.find(_CLEARTEXT)
    block = _SIGNATURE_BLOCK.search(signed, max(start, 0))
    if start < 0 or block is None:
        raise SignatureInvalid("it is not a clear-signed OpenPGP text", hint="sign it with: gpg --clear-sign FILE")
    packets = _signature_packets(block.group())
    try:
        result = pysequoia.verify(bytes=signed[start : block.end()] + b"\n", store=_store(certificates))
    except Exception as error:
        raise SignatureInvalid(_explain(packets[0], certificates, error)) from None
    assert result.bytes is not None
    return result.bytes, _signer(result.valid_sigs, certificates, packets[0], now)


def is_pgp_keyring(data: bytes) -> bool:
    """Whether it is an armored keyring, as `gpg --export --armor` writes one."""
    return b"-----BEGIN PGP PUBLIC KEY BLOCK-----" in data


def _certificates(keys: Iterable[bytes]) -> dict[str, pysequoia.Cert]:
    """By fingerprint. Two copies of one key are merged, so that a revocation in either counts."""
    found: dict[str, pysequoia.Cert] = {}
    given = 0
    for ring in keys:
        given += 1
        for block in _KEY_BLOCK.findall(ring) or [ring]:
            for certificate in _parsed(block):
                known = found.get(certificate.fingerprint)
                found[certificate.fingerprint] = known.merge(certificate) if known is not None else certificate
    if not found:
        raise SignatureInvalid(
            f"there is no OpenPGP public key in the {given} keyrings that are trusted",
            hint="export one with: gpg --export --armor KEY-ID",
        )
    return found


def _parsed(ring: bytes) -> list[pysequoia.Cert]:
    if len(ring) > _MOST_BYTES:
        return []
    try:
        return pysequoia.Cert.split_bytes(ring)
    except Exception:
        return []  # one file of a Secret that is no keyring does not take the others' trust away


def _signature_packets(signature: bytes) -> list[Packet]:
    if len(signature) > _MOST_BYTES:
        raise SignatureInvalid(f"the signature is {len(signature)} bytes long; at most {_MOST_BYTES} are read")
    try:
        packets = [packet for packet in PacketPile.from_bytes(signature) if packet.tag == Tag.Signature]
    except Exception as error:
        raise SignatureInvalid(f"the OpenPGP signature cannot be read: {_first_line(error)}") from None
    if not packets:
        raise SignatureInvalid("there is no OpenPGP signature in it")
    return packets[:_MOST_SIGNATURES]


def _is_of_document(packet: Packet) -> bool:
    """Not of a key."""
    return _type_of(packet) in (SignatureType.Binary, SignatureType.Text)


def _type_of(packet: Packet) -> SignatureType | None:
    """None for a type that nobody has defined, for which the library raises."""
    try:
        return packet.signature_type
    except Exception:
        return None


def _issuer(packet: Packet) -> str:
    try:
        return packet.issuer_fingerprint or packet.issuer_key_id or ""
    except Exception:
        return ""


def _store(certificates: dict[str, pysequoia.Cert]) -> object:
    return lambda _: list(certificates.values())


def _explain(packet: Packet, certificates: dict[str, pysequoia.Cert], error: Exception) -> str:
    """Sequoia says only that none is valid: whether the key is unknown or the text was changed is what people ask."""
    issuer = _issuer(packet)
    if issuer and not any(_has_key(certificate, issuer) for certificate in certificates.values()):
        return (
            f"signed by the OpenPGP key {issuer.upper()[-16:]}, which is none of the {len(certificates)} trusted keys"
        )
    return f"the OpenPGP signature of the trusted key {issuer.upper()[-16:]} does not hold: {_first_line(error)}"


def _has_key(certificate: pysequoia.Cert, issuer: str) -> bool:
    return any(
        (packet.fingerprint or "").endswith(issuer)
        for packet in PacketPile.from_bytes(bytes(certificate))
        if packet.tag in (Tag.PublicKey, Tag.PublicSubkey)
    )


def _signer(
    valid: Sequence[_Valid], certificates: dict[str, pysequoia.Cert], packet: Packet, now: datetime | None
) -> Signer:
    """The first signer whose key is still in force; raises SignatureInvalid saying why none is."""
    moment = now or datetime.now(UTC)
    problem = ""
    for found in valid:
        certificate = certificates[found.certificate]
        problem = _out_of_force(certificate, found.signing_key, packet, moment)
        if not problem:
            fingerprint = certificate.fingerprint.upper()
            return Signer("pgp", fingerprint[24:40] if len(fingerprint) == 40 else fingerprint[:16], fingerprint)
    raise SignatureInvalid(problem or "there is no valid OpenPGP signature")


def _out_of_force(certificate: pysequoia.Cert, signing_key: str, packet: Packet, moment: datetime) -> str:
    name = f"the trusted OpenPGP key {certificate.fingerprint.upper()[-16:]}"
    if certificate.is_revoked:
        return f"{name} is revoked"
    if certificate.expiration is not None and certificate.expiration <= moment:
        return f"{name} expired on {certificate.expiration:%Y-%m-%d}"
    ended = _subkey_expiration(certificate, signing_key)
    if ended is not None and ended <= moment:
        return f"the signing subkey {signing_key.upper()[-16:]} of {name} expired on {ended:%Y-%m-%d}"
    created, validity = packet.signature_created, packet.signature_validity_period
    if created is not None and validity and created + validity <= moment:
        return f"the signature itself expired on {created + validity:%Y-%m-%d}"
    return ""


def _subkey_expiration(certificate: pysequoia.Cert, signing_key: str) -> datetime | None:
    """By the newest binding signature that follows the subkey; None for the primary key, or where it never expires."""
    current = ""
    created: datetime | None = None
    bindings: list[Packet] = []
    for packet in PacketPile.from_bytes(bytes(certificate)):
        if packet.tag in (Tag.PublicKey, Tag.PublicSubkey):
            current = packet.fingerprint or ""
            created = packet.key_created if current == signing_key else created
        elif current == signing_key and _type_of(packet) == SignatureType.SubkeyBinding:
            bindings.append(packet)
    newest = max(bindings, key=lambda packet: packet.signature_created or _EPOCH, default=None)
    if created is None or newest is None or not newest.key_validity_period:
        return None
    return created + newest.key_validity_period


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
