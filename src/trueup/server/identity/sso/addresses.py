"""Which addresses are asked at all: https, and none that only this machine or the cloud's metadata has. Pure.

Private addresses are allowed, for providers in the cluster have them.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from trueup.model.errors import InvalidInput
from trueup.sources.addresses import METADATA, names_this_machine, reached_address


def check_url(url: str, *, allow_http: bool) -> None:
    """Raises InvalidInput for an address that is not asked."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"{url!r} is no address: {error}", field="issuer") from error
    if not host or parts.username is not None or parts.fragment or any(letter.isspace() for letter in url):
        raise InvalidInput(f"{url!r} is no plain address", field="issuer", hint="write https://HOST[:PORT][/PATH]")
    loopback = names_this_machine(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http and loopback):
        raise InvalidInput(
            f"{url!r} is not https",
            field="issuer",
            hint="providers are asked over https alone; allowHTTP allows http to this machine",
        )
    check_address(host, allow_loopback=allow_http)


def check_address(host: str, *, allow_loopback: bool) -> None:
    """Raises InvalidInput for an IP address at which no provider is. Names pass: what they lead to is looked at when it is connected to."""
    try:
        address = reached_address(host)
    except ValueError:
        return
    unwanted = address.is_link_local or address.is_multicast or address.is_unspecified or address in METADATA
    if unwanted or (address.is_loopback and not allow_loopback):
        raise InvalidInput(
            f"{host} is not asked: it is {'this machine' if address.is_loopback else 'no place for a provider'}",
            field="issuer",
            hint="name the provider by its public or cluster address",
        )
