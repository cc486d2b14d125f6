"""How a host is reached over HTTP: whom we trust there, the certificate that we show, the proxy between.

Read out of the Secrets that `certSecretRef` and `proxySecretRef` name. Pure but for `make_tls`, which blocks for as long as
OpenSSL reads its files. Who we say we are (passwords, tokens) is each kind of source's own affair.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import msgspec
from msgspec import Struct
from yarl import URL

from trueup.model.errors import InvalidInput
from trueup.sources.addresses import names_this_machine

_CERTIFICATE_KEYS = {"ca": ("ca.crt", "caFile"), "certificate": ("tls.crt", "certFile"), "key": ("tls.key", "keyFile")}


class Proxy(Struct, frozen=True):
    """`address` is `http://host:port`; its repr hides the password."""

    address: str
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.address!r})"


class HttpAccess(Struct, frozen=True, kw_only=True):
    """PEM texts, or empty. `proxy` None: the process environment says (HTTPS_PROXY, NO_PROXY), as for every Go program."""

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    insecure_tls: bool = False
    """Certificates are not checked. Only Argo CD's Secrets can ask for it."""
    proxy: Proxy | None = None

    def __repr__(self) -> str:
        parts = [name for name in self.__struct_fields__ if getattr(self, name)]
        return f"HttpAccess({', '.join(parts) or 'plain'})"

    def fingerprint(self, key: bytes) -> str:
        """Equal for equal access under one key; says nothing about it to who lacks the key."""
        return hmac.new(key, msgspec.json.encode(self), hashlib.sha256).hexdigest()[:32]

    @property
    def for_strangers(self) -> HttpAccess:
        """What may be used towards a host that we were only sent to: the same trust, no certificate of ours."""
        return msgspec.structs.replace(self, certificate=b"", key=b"")


def http_access(
    certificates: Mapping[str, bytes] | None = None,
    proxy: Mapping[str, bytes] | None = None,
    *,
    insecure_tls: bool = False,
) -> HttpAccess:
    """Reads Flux's two Secrets (`data`, decoded). Raises InvalidInput naming the key, never its value.

    https://fluxcd.io/flux/components/source/ocirepositories/#cert-secret-reference and #proxy-secret-reference
    """
    found = {name: _first(certificates or {}, keys) for name, keys in _CERTIFICATE_KEYS.items()}
    if certificates is not None and not any(found.values()):
        raise InvalidInput(
            "the Secret for certificates has none of the keys ca.crt, tls.crt and tls.key", field="certSecretRef"
        )
    if bool(found["certificate"]) != bool(found["key"]):
        raise InvalidInput("a client certificate and its key must both be set, or neither", field="tls.crt, tls.key")
    return HttpAccess(**found, insecure_tls=insecure_tls, proxy=read_proxy(proxy) if proxy is not None else None)


def read_proxy(data: Mapping[str, bytes]) -> Proxy:
    """The keys `address`, `username` and `password`. Raises InvalidInput."""
    values = {key: data.get(key, b"").decode("utf-8", "replace").strip() for key in ("address", "username", "password")}
    if not values["address"]:
        raise InvalidInput("the Secret for the proxy has no key 'address'", field="proxySecretRef")
    try:
        url = URL(values["address"])
    except ValueError as error:
        raise InvalidInput("the proxy's address is not a URL", field="address") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput(
            f"the proxy's address is of the kind {url.scheme!r}",
            hint="only http://host:port and https://host:port can be used",
            field="address",
        )
    return Proxy(
        str(url.with_user(None)), values["username"] or url.user or "", values["password"] or url.password or ""
    )


def proxy_of(access: HttpAccess, url: URL) -> Proxy | None:
    """The proxy on the way to a URL: the source's own, else the environment's, which is never asked for this machine (as in Go)."""
    if access.proxy is not None:
        return access.proxy
    host = url.host or ""
    address = "" if names_this_machine(host) or proxy_bypass(host) else getproxies().get(url.scheme, "")
    return read_proxy({"address": address.encode()}) if address else None


def make_tls(access: HttpAccess) -> ssl.SSLContext:
    """A client context: the system's authorities and the source's own. Raises InvalidInput."""
    context = ssl.create_default_context()
    # Python 3.13 made strict checks the default, which certificates of many existing hosts (no key identifier) fail.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if access.insecure_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.ca:
        try:
            context.load_verify_locations(cadata=access.ca.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
            raise InvalidInput("the certificate authority is not PEM", field="ca.crt") from error
    if access.certificate:
        _show_certificate(context, access)
    return context


def _show_certificate(context: ssl.SSLContext, access: HttpAccess) -> None:
    with tempfile.TemporaryDirectory(prefix="trueup-") as folder:  # mode 0700; OpenSSL reads keys from files only
        pair = Path(folder) / "client.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(access.certificate.rstrip() + b"\n" + access.key)
        try:
            context.load_cert_chain(pair, password=lambda: b"")  # an encrypted key must not ask at the terminal
        except (ssl.SSLError, ValueError):
            raise InvalidInput(
                "the client certificate and its key do not fit or are not PEM", field="tls.crt, tls.key"
            ) from None


def _first(data: Mapping[str, bytes], keys: tuple[str, ...]) -> bytes:
    return next((data[key] for key in keys if data.get(key)), b"")
