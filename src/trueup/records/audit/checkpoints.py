"""Checkpoints: what a chain was at a time, signed with a key that is not in the database. Pure but for the key's file.

A cut is a checkpoint too: it says that everything up to it was deleted by retention, which nobody without the key can say.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Head

FORMAT = b"trueup.audit.checkpoint.v1\n"
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Mark(StrEnum):
    REACHED = "reached"
    """The chain was this long, and its last entry had this hash."""
    CUT = "cut"
    """Retention deleted everything up to and including this entry."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """`hash` and `signature` in hex; `key` names the public key."""

    chain: str
    sequence: int
    hash: str
    at_us: int
    mark: Mark = Mark.REACHED
    key: str
    signature: str = ""

    @property
    def head(self) -> Head:
        return Head(self.sequence, bytes.fromhex(self.hash))


class Signer:
    """The private key. Its text is in no message."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key()
        self.name = key_name(self.public)

    def __repr__(self) -> str:
        return f"Signer({self.name})"

    def sign(self, chain: str, head: Head, at_us: int, mark: Mark = Mark.REACHED) -> Checkpoint:
        open_ = Checkpoint(
            chain=chain, sequence=head.sequence, hash=head.hash.hex(), at_us=at_us, mark=mark, key=self.name
        )
        return msgspec.structs.replace(open_, signature=self._key.sign(_signed(open_)).hex())


PublicKeys = Mapping[str, Ed25519PublicKey]


def is_signed(checkpoint: Checkpoint, keys: PublicKeys) -> bool:
    """Whether one of these keys signed exactly this. An unknown key has signed nothing."""
    key = keys.get(checkpoint.key)
    if key is None:
        return False
    try:
        key.verify(bytes.fromhex(checkpoint.signature), _signed(checkpoint))
    except (InvalidSignature, ValueError):
        return False
    return True


def key_name(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def public_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def load_signer(path: Path) -> Signer:
    """The key in a file, which is made, readable by its owner alone, when it is not there. Raises InvalidInput."""
    with contextlib.suppress(FileExistsError):
        _make(path)
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), error.strerror or "it cannot be opened") from None
    return signer_of(pem, str(path))


def signer_of(pem: bytes, where: str) -> Signer:
    """`where` names the place in the error. Raises InvalidInput."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unreadable(where, "it is no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(
            f"the audit log's key in {where} is not an Ed25519 key", hint="openssl genpkey -algorithm ed25519"
        )
    return Signer(key)


def _unreadable(where: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"the audit log's key in {where} cannot be read: {why}", hint="openssl genpkey -algorithm ed25519"
    )


def read_public_keys(paths: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """Public keys in PEM by their names; of a private key its public half. Raises InvalidInput."""
    found: dict[str, Ed25519PublicKey] = {}
    for path in paths:
        try:
            data = path.read_bytes()
            if b"PRIVATE" in data:
                private = serialization.load_pem_private_key(data, None)
                key = private.public_key() if isinstance(private, Ed25519PrivateKey) else None
            else:
                public = serialization.load_pem_public_key(data)
                key = public if isinstance(public, Ed25519PublicKey) else None
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no key in PEM"
            raise InvalidInput(f"{path} cannot be read as a key: {why}") from None
        if key is None:
            raise InvalidInput(f"{path} is not an Ed25519 key")
        found[key_name(key)] = key
    return found


def encode(checkpoint: Checkpoint) -> bytes:
    """One line of JSON, as it is exported."""
    return _ENCODER.encode(checkpoint) + b"\n"


def decode_lines(text: bytes, name: str) -> list[Checkpoint]:
    """What was exported. The last line may be torn (a crash while it was written); any other must be whole."""
    found: list[Checkpoint] = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Checkpoint))
        except (msgspec.DecodeError, ValueError) as error:
            if not line.endswith(b"\n"):
                break
            raise InvalidInput(f"{name}:{number} is no checkpoint: {error}") from None
    return found


def _signed(checkpoint: Checkpoint) -> bytes:
    said = {name: getattr(checkpoint, name) for name in checkpoint.__struct_fields__ if name != "signature"}
    return FORMAT + _ENCODER.encode(said)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        return
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Whole or not at all, and never over another one: two processes may start at once.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{base64.b16encode(os.urandom(4)).decode()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
