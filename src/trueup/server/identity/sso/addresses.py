"""Which addresses are asked at all: https, and none that only this machine or the cloud's metadata has. Pure.

Private addresses are allowed, for providers in the cluster have them.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from trueup.model.errors import InvalidInput


def check_url(url: str, *, allow_http: bool) -> None:
    """Raises InvalidInput for an address that is not asked."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"{url!r} is no address: {error}", field="issuer") from error
    if not host or parts.username is not None or parts.fragment or any(letter.isspace() for letter in url):
        raise InvalidInput(f"{url!r} is no plain address", field="issuer", hint="write https://HOST[:PORT][/PATH]")
    loopback = host == "localhost" or _is_loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http and loopback):
        raise InvalidInput(
            f"{url!r} is not https",
            field="issuer",
            hint="providers are asked over https alone; allowHTTP allows http to this machine",
        )
    if _address(host) is not None:
        check_address(host, allow_loopback=allow_http)


def check_address(text: str, *, allow_loopback: bool) -> None:
    """Raises InvalidInput for an IP address at which no provider is."""
    address = _address(text)
    if address is None:
        return
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    bad = address.is_link_local or address.is_multicast or address.is_unspecified or str(address) == "fd00:ec2::254"
    if bad or (address.is_loopback and not allow_loopback):
        raise InvalidInput(
            f"{text} is not asked: it is {'this machine' if address.is_loopback else 'no place for a provider'}",
            field="issuer",
            hint="name the provider by its public or cluster address",
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback
