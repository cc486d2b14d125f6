"""Who made a signature, and the error of one that does not count."""

from __future__ import annotations

from msgspec import Struct

from trueup.model.errors import SourceError


class Signer(Struct, frozen=True):
    """The trusted key that a signature was made with. `key` is how its own tools show it."""

    kind: str
    """`pgp` or `ssh`."""
    key: str
    """OpenPGP: the primary key's id, `3299AEB0E4085BAF`; SSH: `SHA256:` and the fingerprint in base64."""
    fingerprint: str
    """In full: the primary key's (hexadecimal), or the same as `key` for SSH."""

    def __str__(self) -> str:
        return self.key


class SignatureInvalid(SourceError):
    """No signature by a trusted key. Another Secret or another revision may bring one, so it is tried again."""

    reason = "VerificationError"
