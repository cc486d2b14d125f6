"""What the clients of all providers share: credentials read out of a Secret, hosts that are not connected to, bounded copies.

The clients bring their own HTTP, so the guard of `sources.http` is repeated here on the endpoint's addresses before a client
is made: a cloud's metadata service is no object store.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import IO

from trueup.model.errors import InvalidInput
from trueup.sources.buckets.objects import MEBIBYTE, BucketRefused
from trueup.sources.giterrors import Unreachable
from trueup.sources.http import AddressRefused
from trueup.sources.secrets import SecretData

CONNECT_SECONDS = 10.0
STALL_SECONDS = 20.0
CHUNK = 64 * 1024


def text_of(secret: SecretData, key: str) -> str:
    """Empty where it is missing. Raises InvalidInput naming the key, never its value."""
    try:
        text = secret.data.get(key, b"").decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the key {key!r} is not UTF-8 text", field=key) from error
    if any(character in text for character in "\0\r\n"):
        raise InvalidInput(f"the key {key!r} holds a line break", field=key)
    return text


def required(secret: SecretData, *keys: str) -> list[str]:
    found = [text_of(secret, key) for key in keys]
    if not all(found):
        missing = ", ".join(repr(key) for key, value in zip(keys, found, strict=True) if not value)
        raise InvalidInput(f"the Secret has no {missing}", field=keys[0], hint=f"set {' and '.join(keys)}")
    return found


def check_host(host: str, port: int) -> None:
    """Blocks. Raises Unreachable for a name that nobody knows, AddressRefused for one that leads to a link-local address."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(f"{host} is not known: {error.strerror or error}", hint="check spec.endpoint") from error
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_link_local or address.is_multicast:
            raise AddressRefused(f"{host} leads to {address}, a link-local address, where no bucket is")


def copy_bounded(chunks: Iterable[bytes], target: IO[bytes], limit: int, key: str) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise BucketRefused(f"the object {key} is larger than {limit // MEBIBYTE or 1} MiB (limit)")
        target.write(chunk)
