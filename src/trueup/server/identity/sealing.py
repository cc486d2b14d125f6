"""Sealed texts that a browser keeps for us: nobody can read or change them, and any replica can open them. JWE, `dir` with A256GCM.

One purpose cannot be opened as another: each has a key of its own (`Keys.derive`).
"""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from trueup.server.api.refusals import Unauthenticated, Unavailable
from trueup.server.identity.settings import Keys

S = TypeVar("S", bound=msgspec.Struct)

ALGORITHMS = ["dir", "A256GCM"]
LONGEST = 32 * 1024
"""Characters of a sealed text, and four times as many bytes of what is in it."""


def seal(keys: Keys, purpose: str, value: msgspec.Struct) -> str:
    """Compressed before it is sealed: no part of it is an attacker's to choose and to see the length of, again and again."""
    derived = keys.derive(purpose)
    if not keys.current:
        raise Unavailable("there is no key to seal sessions with yet", hint="look at server.secretkey in argocd-secret")
    packed = zlib.compress(msgspec.json.encode(value), 9)
    return jwe.encrypt_compact(
        {"alg": "dir", "enc": "A256GCM"}, packed, OctKey.import_key(derived[0]), algorithms=ALGORITHMS
    )


def open_sealed(keys: Keys, purpose: str, text: str, type_: type[S]) -> S:
    """Raises Unauthenticated for what was not sealed by one of our keys for this purpose."""
    if 0 < len(text) <= LONGEST:
        for key in keys.derive(purpose):
            try:
                packed = jwe.decrypt_compact(text, OctKey.import_key(key), algorithms=ALGORITHMS).plaintext or b""
                opener = zlib.decompressobj()
                raw = opener.decompress(packed, LONGEST * 4)
                return msgspec.json.decode(raw, type=type_)
            except (JoseError, ValueError, TypeError, zlib.error, msgspec.MsgspecError):
                continue
    raise Unauthenticated("the session does not hold", hint="sign in again")
