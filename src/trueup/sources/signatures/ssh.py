"""SSH signatures, as `ssh-keygen -Y sign` and Git (`gpg.format=ssh`) make them.

Read with strict bounds; the arithmetic is `cryptography`'s. A signature counts only in its namespace: what somebody
signed as a file cannot pass as a commit. Keys: ed25519, ECDSA, RSA (SHA-2 only, from 2048 bits), and the first two on
security keys. Certificates are not followed. Formats: OpenSSH's PROTOCOL.sshsig, PROTOCOL.u2f; RFC 4253, 5656, 8332, 8709.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec import Struct

from trueup.sources.signatures.signer import SignatureInvalid, Signer

_ARMOR = re.compile(
    rb"\A\s*-----BEGIN SSH SIGNATURE-----\s+(?P<body>[A-Za-z0-9+/=\s]+?)\s*-----END SSH SIGNATURE-----\s*\Z"
)
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}
_ECDSA, _SK_ECDSA = "ecdsa-sha2-", "sk-ecdsa-sha2-nistp256@openssh.com"
_ED25519, _SK_ED25519 = "ssh-ed25519", "sk-ssh-ed25519@openssh.com"
_KEY_TYPES = frozenset({_ED25519, "ssh-rsa", *(_ECDSA + curve for curve in _CURVES), _SK_ECDSA, _SK_ED25519})
_LEAST_RSA_BITS = 2048
_MOST_BYTES = 64 * 1024


class _Signature(Struct, frozen=True):
    """What is inside the armor."""

    public_key: bytes
    namespace: bytes
    reserved: bytes
    hash_name: str
    algorithm: str
    blob: bytes
    trailer: bytes
    """A security key's flags and counter."""


def verify_ssh(payload: bytes, signature: bytes, keys: Iterable[bytes], *, namespace: str = "git") -> Signer:
    """Checks an armored SSHSIG signature. Raises SignatureInvalid. `keys` are texts with one public key a line."""
    trusted = [key for text in keys for key in read_public_keys(text)]
    if not trusted:
        raise SignatureInvalid(
            "there is no SSH public key among the trusted keys", hint="take the .pub file that ssh-keygen wrote"
        )
    found = _read_signature(signature)
    shown = fingerprint_of(found.public_key)
    if not any(hmac.compare_digest(key, found.public_key) for key in trusted):
        raise SignatureInvalid(f"signed by the SSH key {shown}, which is none of the {len(trusted)} trusted keys")
    if found.namespace != namespace.encode():
        raise SignatureInvalid(
            f"the SSH signature is for the namespace {found.namespace[:40].decode('utf-8', 'replace')!r}, not {namespace!r}"
        )
    digest = _HASHES[found.hash_name](payload).digest()
    signed = _MAGIC + b"".join(
        _string(part) for part in (found.namespace, found.reserved, found.hash_name.encode(), digest)
    )
    try:
        _check(found, signed)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        raise SignatureInvalid(
            f"the SSH signature of the trusted key {shown} does not hold: the content differs"
        ) from None
    return Signer("ssh", shown, shown)


def read_public_keys(text: bytes) -> list[bytes]:
    """The key blobs of a public-key file: `type base64 [comment]` a line, `#` begins a comment.

    Lines that begin with options or principals (authorized_keys, allowed_signers) are refused: their limits would be
    skipped silently. Raises SignatureInvalid naming the line.
    """
    found: list[bytes] = []
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] not in _KEY_TYPES or len(words) < 2:
            raise SignatureInvalid(
                f"line {number} of the trusted keys is no SSH public key that can be used: it begins with {words[0][:40]!r}",
                hint=f"write `type base64 comment`; types: {', '.join(sorted(_KEY_TYPES))}",
            )
        try:
            blob = base64.b64decode(words[1], validate=True)
            named = _Reader(blob).string().decode("ascii")
        except (binascii.Error, UnicodeDecodeError, SignatureInvalid):
            named = ""
        if named != words[0]:
            raise SignatureInvalid(f"line {number} of the trusted keys is damaged: its data is not that of {words[0]}")
        found.append(blob)
    return found


def fingerprint_of(blob: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _read_signature(armored: bytes) -> _Signature:
    match = _ARMOR.match(armored) if len(armored) <= _MOST_BYTES else None
    if match is None:
        raise SignatureInvalid("it is not an armored SSH signature")
    try:
        raw = base64.b64decode(b"".join(match["body"].split()), validate=True)
    except binascii.Error as error:
        raise SignatureInvalid(f"the SSH signature is damaged: {error}") from None
    outer = _Reader(raw)
    if outer.take(len(_MAGIC)) != _MAGIC or outer.number() != _VERSION:
        raise SignatureInvalid("the SSH signature is of another form than SSHSIG version 1")
    public_key, namespace, reserved = outer.string(), outer.string(), outer.string()
    hash_name = outer.string().decode("ascii", "replace")
    inner = _Reader(outer.string())
    outer.end()
    if hash_name not in _HASHES:
        raise SignatureInvalid(
            f"the SSH signature's hash {hash_name[:20]!r} is not allowed", hint="sha256 and sha512 are"
        )
    algorithm, blob = inner.string().decode("ascii", "replace"), inner.string()
    trailer = inner.take(5) if algorithm.startswith("sk-") else b""
    inner.end()
    return _Signature(public_key, namespace, reserved, hash_name, algorithm, blob, trailer)


def _check(found: _Signature, signed: bytes) -> None:
    """Raises InvalidSignature, ValueError (numbers that no key has) or SignatureInvalid."""
    key = _Reader(found.public_key)
    kind = key.string().decode("ascii", "replace")
    wanted = tuple(_RSA_HASHES) if kind == "ssh-rsa" else (kind,)
    if kind not in _KEY_TYPES or found.algorithm not in wanted:
        raise SignatureInvalid(
            f"the SSH signature's algorithm {found.algorithm[:40]!r} is not one for a key of {kind[:40]!r}"
        )
    if kind == "ssh-rsa":
        exponent, modulus = key.integer(), key.integer()
        key.end()
        if modulus.bit_length() < _LEAST_RSA_BITS:
            raise SignatureInvalid(
                f"RSA keys of {modulus.bit_length()} bits are not trusted; from {_LEAST_RSA_BITS} on they are"
            )
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        public.verify(found.blob, signed, padding.PKCS1v15(), _RSA_HASHES[found.algorithm])
    elif kind in (_ED25519, _SK_ED25519):
        point = key.string()
        signed = _with_application(key, found, signed) if kind == _SK_ED25519 else signed
        key.end()
        ed25519.Ed25519PublicKey.from_public_bytes(point).verify(found.blob, signed)
    else:
        name = key.string().decode("ascii", "replace")
        if name not in _CURVES or kind not in (_ECDSA + name, _SK_ECDSA):
            raise SignatureInvalid(f"an SSH key of type {kind} has no curve {name[:20]!r}")
        curve, digest = _CURVES[name]
        public_point = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.string())
        signed = _with_application(key, found, signed) if kind == _SK_ECDSA else signed
        key.end()
        numbers = _Reader(found.blob)
        r, s = numbers.integer(), numbers.integer()
        numbers.end()
        public_point.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))


def _with_application(key: _Reader, found: _Signature, signed: bytes) -> bytes:
    """What a security key really signs: application, flags, counter, and the hash of the message."""
    application = key.string()
    return hashlib.sha256(application).digest() + found.trailer + hashlib.sha256(signed).digest()


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


class _Reader:
    """SSH's wire types (RFC 4251, section 5). Raises SignatureInvalid where the data is too short or too long."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise SignatureInvalid("the SSH signature or key is cut off")
        self._at += size
        return part

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def integer(self) -> int:
        data = self.string()
        if not data or data[0] & 0x80:
            raise SignatureInvalid("the SSH signature or key holds a number that is not positive")
        return int.from_bytes(data, "big")

    def end(self) -> None:
        if self._at != len(self._data):
            raise SignatureInvalid("the SSH signature or key holds more than it should")
