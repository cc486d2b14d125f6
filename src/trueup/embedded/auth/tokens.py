"""Service account tokens: JSON Web Tokens signed with the cluster's own key (ES256), for TokenRequest.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ . A token names its account, and is worth
nothing once the account, or the object that it is bound to, is gone or was made anew: whoever verifies asks the store.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from msgspec import Struct

from trueup.embedded.auth.certificates import write_private

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = ISSUER
_SIZE = 32


class BadToken(Exception):
    """The token is not one of ours, was changed, or has run out."""


class Reference(Struct, frozen=True):
    """An object that a token speaks of."""

    name: str
    uid: str = ""


class _KubernetesClaims(Struct, frozen=True, omit_defaults=True):
    namespace: str
    serviceaccount: Reference
    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None


class Claims(Struct, frozen=True, omit_defaults=True):
    """What a token says."""

    iss: str
    sub: str
    aud: list[str]
    exp: int
    iat: int
    nbf: int
    jti: str
    kubernetes: _KubernetesClaims = msgspec.field(name="kubernetes.io")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Signs and verifies. `Tokens.in_folder` keeps the key in `service-account.key`."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = _b64(hashlib.sha256(public).digest())

    @classmethod
    def in_folder(cls, folder: Path) -> Tokens:
        path = folder / "service-account.key"
        if path.is_file():
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            return cls(key)
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem)
        return cls(key)

    def issue(
        self,
        namespace: str,
        account: Reference,
        seconds: int,
        audiences: Sequence[str] = (),
        bound: Mapping[str, Reference] | None = None,
    ) -> tuple[str, int]:
        """A token for an account, and when it ends (Unix time). `bound`: what it dies with, by `pod`, `secret`, `node`."""
        now = int(time.time())
        claims = Claims(
            iss=ISSUER,
            sub=f"system:serviceaccount:{namespace}:{account.name}",
            aud=list(audiences or (AUDIENCE,)),
            exp=now + seconds,
            iat=now,
            nbf=now,
            jti=str(uuid.uuid4()),
            kubernetes=_KubernetesClaims(namespace, account, **(bound or {})),
        )
        head = {"alg": "ES256", "kid": self._key_id, "typ": "JWT"}
        signed = f"{_b64(msgspec.json.encode(head))}.{_b64(msgspec.json.encode(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_b64(r.to_bytes(_SIZE) + s.to_bytes(_SIZE))}", claims.exp

    def verify(self, token: str) -> Claims:
        """Raises BadToken."""
        try:
            signed, _, signature = token.rpartition(".")
            head, _, payload = signed.partition(".")
            if msgspec.json.decode(_unb64(head)).get("alg") != "ES256":
                raise BadToken("unexpected signature algorithm")
            raw = _unb64(signature)
            if len(raw) != 2 * _SIZE:
                raise BadToken("malformed signature")
            encoded = encode_dss_signature(int.from_bytes(raw[:_SIZE]), int.from_bytes(raw[_SIZE:]))
            self._key.public_key().verify(encoded, signed.encode(), ec.ECDSA(hashes.SHA256()))
            claims = msgspec.json.decode(_unb64(payload), type=Claims)
        except (ValueError, AttributeError, InvalidSignature) as error:
            raise BadToken("invalid bearer token") from error
        now = time.time()
        if claims.iss != ISSUER or not claims.nbf - 60 <= now < claims.exp:
            raise BadToken("the token has expired or is not valid yet")
        return claims

    def public_keys(self) -> dict[str, Any]:
        """The key set that `/openid/v1/jwks` serves."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "use": "sig",
            "kty": "EC",
            "kid": self._key_id,
            "crv": "P-256",
            "alg": "ES256",
            "x": _b64(numbers.x.to_bytes(_SIZE)),
            "y": _b64(numbers.y.to_bytes(_SIZE)),
        }
        return {"keys": [key]}
