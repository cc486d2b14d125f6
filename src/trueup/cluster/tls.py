"""TLS settings of a connection to an API server, made into an `ssl.SSLContext`. Keys touch the disk for no longer than OpenSSL
needs to read them, in a folder of ours alone."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from msgspec import Struct

from trueup.model.errors import InvalidInput


class TlsSettings(Struct, frozen=True):
    """`ca`: PEM bundle, empty for the system's; `server_name`: the name to verify instead of the URL's host."""

    ca: bytes = b""
    insecure: bool = False
    server_name: str = ""


def make_ssl_context(settings: TlsSettings, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """A client context; `certificate` and `key` are PEM, both or neither. Raises InvalidInput."""
    if settings.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        try:
            context = ssl.create_default_context(cadata=settings.ca.decode("ascii") if settings.ca else None)
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the cluster's certificate authority is not PEM: {error}") from error
    # Python 3.13 made strict checks the default, which certificates of many existing clusters (no key identifier) fail.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if bool(certificate) != bool(key):
        raise InvalidInput("a client certificate needs its key, and a key its certificate", hint="set both")
    if certificate:
        with tempfile.TemporaryDirectory(prefix="trueup-") as folder:  # mode 0700
            pair = Path(folder) / "client.pem"
            pair.touch(mode=0o600)
            pair.write_bytes(certificate.rstrip() + b"\n" + key)
            try:
                context.load_cert_chain(pair)
            except ssl.SSLError as error:
                raise InvalidInput(
                    f"the client certificate and its key do not fit or are not PEM: {error.reason}"
                ) from None
    return context
