"""Continue tokens of lists: where the next page starts, and the version that all pages show.

The form is the real server's, so that messages about broken ones agree; clients treat it as opaque.
https://github.com/kubernetes/apiserver/blob/master/pkg/storage/continue.go
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath

import msgspec
from msgspec import Struct

from trueup.embedded.api import refusals
from trueup.embedded.storage.keys import Key

_VERSION = "meta.k8s.io/v1"
NEWEST = -1
"""The `rv` of a token that goes on with what there is now."""


class PageToken(Struct, frozen=True, kw_only=True):
    """`start` is the path below the list's own (`/web\\0` in a namespace, `/shop/web\\0` in all of them)."""

    v: str = _VERSION
    rv: int = 0
    start: str = ""


def after(key: Key, namespace: str, version: int) -> PageToken:
    """The token of the page behind `key` in a list of `namespace` (empty: of everything)."""
    below = key.name if namespace or not key.namespace else key.path
    return PageToken(rv=version, start=f"/{below}\0")


def path_of(token: PageToken, namespace: str) -> str:
    """Where the next page starts, as a path of the collection; raises 400 for one that leaves the list."""
    below = token.start if token.start.startswith("/") else f"/{token.start}"
    if posixpath.normpath(below) != below:
        raise _invalid(token.start)
    if namespace:
        return f"{namespace}{below}"
    return below[1:] if below.count("/") > 1 else below


def write(token: PageToken) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def read(text: str) -> PageToken:
    """Raises 400."""
    bad = next((index for index, sign in enumerate(text) if not (sign.isalnum() or sign in "-_")), None)
    if bad is not None:
        raise _invalid(f"illegal base64 data at input byte {bad}")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _invalid(f"illegal base64 data at input byte {len(text) - 1}") from None
    try:
        token = msgspec.json.decode(raw, type=PageToken)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _invalid(_go_words(raw)) from None
    if token.v != _VERSION:
        raise _invalid(f"server does not recognize this encoded version {token.v}")
    if token.rv == 0:
        raise _invalid(f"incorrect encoded start resourceVersion (version {_VERSION})")
    if not token.start:
        raise _invalid(f"encoded start key empty (version {_VERSION})")
    return token


def _invalid(detail: str) -> Exception:
    return refusals.bad_request(f"invalid continue token: continue key is not valid: {detail}")


_LITERALS = {"n": "null", "t": "true", "f": "false"}


def _go_words(raw: bytes) -> str:
    """What Go's decoder says of bytes that are no token."""
    text = raw.decode(errors="replace").lstrip()
    if not text:
        return "unexpected end of JSON input"
    if literal := _LITERALS.get(text[0]):
        for have, want in zip(text, literal, strict=False):
            if have != want:
                return f"invalid character '{have}' in literal {literal} (expecting '{want}')"
    if text[0] not in '{["-0123456789ntf':
        return f"invalid character '{text[0]}' looking for beginning of value"
    try:
        json.loads(text)
    except ValueError as error:
        return str(error)
    return "json: cannot unmarshal into Go value of type storage.continueToken"
