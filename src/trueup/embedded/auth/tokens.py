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
from trueup.embedded.gowords import quoted

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = ISSUER
LEEWAY = 60
"""Seconds by which clocks may differ."""
_SIZE = 32
_BAD_SIGNATURE = "go-jose/go-jose: error in cryptographic primitive"


class BadToken(Exception):
    """The token is not one of ours, was changed, is for others or has run out. The message is what a review tells of it."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"[invalid bearer token, {detail}]" if detail else "invalid bearer token")


class Reference(Struct, frozen=True):
    """An object that a token speaks of."""

    name: str
    uid: str = ""


class _KubernetesClaims(Struct, frozen=True, omit_defaults=True):
    namespace: str = ""
    serviceaccount: Reference = Reference("")
    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None


class Claims(Struct, frozen=True, omit_defaults=True):
    """What a token says."""

    iss: str
    sub: str = ""
    aud: list[str] | str = []
    exp: int | None = None
    iat: int = 0
    nbf: int = 0
    jti: str = ""
    kubernetes: _KubernetesClaims = msgspec.field(name="kubernetes.io", default=_KubernetesClaims())

    @property
    def audiences(self) -> tuple[str, ...]:
        """Whom it is for; one for nobody is for this server."""
        return ((self.aud,) if isinstance(self.aud, str) else tuple(self.aud)) or (AUDIENCE,)


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
        return f"{signed}.{_b64(r.to_bytes(_SIZE) + s.to_bytes(_SIZE))}", now + seconds

    def verify(self, token: str, audiences: Sequence[str] = (AUDIENCE,)) -> tuple[Claims, tuple[str, ...]]:
        """What it says, and which of the audiences it is for; raises BadToken. Whether those of whom it speaks are there
        still is not asked here."""
        signed, _, signature = token.rpartition(".")
        head, _, payload = signed.partition(".")
        try:
            claims = msgspec.json.decode(_unb64(payload), type=Claims)
            algorithm = msgspec.json.decode(_unb64(head)).get("alg")
        except (ValueError, AttributeError) as error:
            raise BadToken from error
        if claims.iss != ISSUER or algorithm != "ES256":
            raise BadToken
        self._check_signature(signed, signature)
        meant = tuple(each for each in audiences if each in claims.audiences)
        if not meant:
            said, wanted = (f"[{' '.join(map(quoted, each))}]" for each in (claims.audiences, audiences))
            raise BadToken(f"token audiences {said} is invalid for the target audiences {wanted}")
        now = time.time()
        if claims.exp is not None and now > claims.exp + LEEWAY:
            raise BadToken("service account token has expired")
        if now < claims.nbf - LEEWAY:
            raise BadToken("service account token is not valid yet")
        return claims, meant

    def _check_signature(self, signed: str, signature: str) -> None:
        try:
            raw = _unb64(signature)
            encoded = encode_dss_signature(int.from_bytes(raw[:_SIZE]), int.from_bytes(raw[_SIZE:]))
            if len(raw) != 2 * _SIZE:
                raise BadToken(_BAD_SIGNATURE)
            self._key.public_key().verify(encoded, signed.encode(), ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature) as error:
            raise BadToken(_BAD_SIGNATURE) from error

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
