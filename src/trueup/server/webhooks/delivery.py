"""One delivery as it came in, and why one is refused. The bodies are read by the provider's own module."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qs

from msgspec import Struct

from trueup.sources.foreignjson import NotReadable, read_json

S = TypeVar("S", bound=Struct)


class Refused(Exception):
    """`status` is what the sender is answered; the text tells its owner what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Delivery(Struct, frozen=True, kw_only=True):
    """`headers` by their names in lower case. `body` is bounded by whoever read it."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    address: str = ""
    """From where it came."""

    def __repr__(self) -> str:
        return f"Delivery({len(self.body)} bytes)"

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    def password(self) -> tuple[str, str]:
        """The user and password of basic authentication; empty: none were sent."""
        scheme, _, encoded = self.header("authorization").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password

    def read(self, type_: type[S]) -> S:
        """The body as JSON, also where it came in a form's field. Raises Refused naming the field."""
        body = self.body
        # A form by its header alone may be JSON all the same: that is what curl says when nobody tells it otherwise.
        if body.startswith(b"payload="):
            body = (parse_qs(body.decode("utf-8", "replace")).get("payload") or [""])[0].encode()
        try:
            return read_json(body, type_)
        except NotReadable as error:
            raise Refused(400, f"the body is not what this event has: {error}") from error
