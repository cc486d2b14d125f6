"""The two lists of whom to trust in Argo CD's ConfigMaps, as Argo CD's API tells them: keys of SSH hosts, certificates by host. Pure.

Lines and entries that a change does not name stay byte for byte. sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Struct

from trueup.server.api.refusals import BadQuery

SSH, HTTPS = "ssh", "https"
_TYPES = {"": (SSH, HTTPS), "*": (SSH, HTTPS), SSH: (SSH,), HTTPS: (HTTPS,), "tls": (HTTPS,)}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_TYPE = re.compile(r"[A-Za-z0-9@._-]{1,64}")
_SSH_HOST = re.compile(r"\[(?P<host>[^\]]+)\]:\d{1,5}|(?P<bare>[^\[\]]+)")


class Certificate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Argo CD's RepositoryCertificate. `cert_data` is base64 of the key's text or the PEM; a list tells `cert_info` in its place."""

    server_name: str = ""
    cert_type: str = ""
    cert_sub_type: str = ""
    cert_data: str = ""
    cert_info: str = ""


class Selector(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which of them: globs of names; `certType` is ssh, https or both."""

    host_name_pattern: str = ""
    cert_type: str = ""
    cert_sub_type: str = ""

    def kinds(self) -> Sequence[str]:
        """Raises BadQuery."""
        if self.cert_type not in _TYPES:
            raise BadQuery(f"is {self.cert_type[:40]!r}", field="certType", hint="one of: ssh, https, *")
        return _TYPES[self.cert_type]


class HostKey(Struct, frozen=True):
    """One line. `marker` is `@revoked` or `@cert-authority`, or empty."""

    line: str
    marker: str
    hosts: str
    type: str
    key: str

    @property
    def place(self) -> tuple[str, str, str]:
        """What one line at most should be about."""
        return self.marker, self.hosts, self.type

    @property
    def told(self) -> Certificate:
        return Certificate(server_name=self.hosts, cert_type=SSH, cert_sub_type=self.type, cert_info=_print(self.key))


def host_keys(text: str) -> list[HostKey | str]:
    """Line by line; what is no key (comments, what cannot be read) as it stands."""
    return [_host_key(line) or line for line in text.splitlines()]


def listed(text: str, certificates: Mapping[str, str], selector: Selector) -> list[Certificate]:
    found: list[Certificate] = []
    if SSH in selector.kinds():
        found += [one.told for one in host_keys(text) if isinstance(one, HostKey) and _is_chosen(one, selector, any)]
    if HTTPS in selector.kinds():
        for host in sorted(certificates):
            if fnmatchcase(host, selector.host_name_pattern or "*"):
                found += [_told(host, one) for one in _parsed(certificates[host])]
    return found


def with_keys(text: str, wanted: Sequence[Certificate], *, upsert: bool) -> str:
    """Raises BadQuery for what is no key, and for another key of a host where that was not asked for."""
    lines = host_keys(text)
    for number, one in enumerate(wanted):
        made = _checked(one, f"items[{number}]")
        same = [line for line in lines if isinstance(line, HostKey) and line.place == made.place]
        if not same:
            lines.append(made)
        elif any(line.key != made.key for line in same):
            if not upsert:
                raise BadQuery(
                    f"there is another {made.type} key of {made.hosts} already",
                    field=f"items[{number}]",
                    hint="say upsert=true to replace it",
                )
            at = lines.index(same[0])
            lines[at] = made
            lines = [line for line in lines if line is made or line not in same]
    return _text(lines)


def without_keys(text: str, selector: Selector) -> tuple[str, list[Certificate]]:
    """A line of several names goes only when all of them are chosen."""
    lines = host_keys(text)
    gone = [one for one in lines if isinstance(one, HostKey) and _is_chosen(one, selector, all)]
    return _text([one for one in lines if one not in gone]) if gone else text, [one.told for one in gone]


def with_certificates(data: Mapping[str, str], wanted: Sequence[Certificate], *, upsert: bool) -> dict[str, str]:
    """Raises BadQuery as `with_keys`."""
    found = dict(data)
    for number, one in enumerate(wanted):
        place = f"items[{number}]"
        host, pem = one.server_name, _decoded(one, place)
        if not _HOST.fullmatch(host):
            raise BadQuery(f"{host[:80]!r} is no name of a host", field=f"{place}.serverName")
        if not _parsed(pem):
            raise BadQuery(
                "is no certificate", field=f"{place}.certData", hint="base64 of PEM: -----BEGIN CERTIFICATE-----"
            )
        if found.get(host, pem) != pem and not upsert:
            raise BadQuery(
                f"there are other certificates of {host}", field=place, hint="say upsert=true to replace them"
            )
        found[host] = pem
    return found


def without_certificates(data: Mapping[str, str], selector: Selector) -> tuple[dict[str, str], list[Certificate]]:
    gone = [host for host in sorted(data) if fnmatchcase(host, selector.host_name_pattern)]
    told = [_told(host, one) for host in gone for one in _parsed(data[host])]
    return {host: pem for host, pem in data.items() if host not in gone}, told


def _host_key(line: str) -> HostKey | None:
    parts = line.split()
    marker = parts.pop(0) if parts and parts[0].startswith("@") else ""
    if len(parts) < 3 or line.startswith("#") or _blob(parts[2]) is None:
        return None
    return HostKey(line, marker, parts[0], parts[1], parts[2])


def _is_chosen(one: HostKey, selector: Selector, of: Callable[[list[bool]], bool]) -> bool:
    names = [*one.hosts.split(","), one.hosts] if of is any else one.hosts.split(",")
    named = of([fnmatchcase(name, selector.host_name_pattern or "*") for name in names])
    return named and selector.cert_sub_type in ("", "*", one.type)


def _checked(one: Certificate, place: str) -> HostKey:
    match = _SSH_HOST.fullmatch(one.server_name)
    if match is None or not _HOST.fullmatch(match["host"] or match["bare"]):
        raise BadQuery(f"{one.server_name[:80]!r} is no name of a host", field=f"{place}.serverName")
    key = _decoded(one, place).strip()
    blob = _blob(key)
    # A key says its own type first (RFC 4253, 6.6): what is said beside it must be that.
    kind = one.cert_sub_type
    if blob is None or blob[4 : 4 + int.from_bytes(blob[:4])] != kind.encode() or not _TYPE.fullmatch(kind):
        raise BadQuery(
            f"is no key of the type {one.cert_sub_type[:40]!r}",
            field=f"{place}.certData",
            hint="base64 of the third word of a line of ssh-keyscan, with the second as certSubType",
        )
    line = f"{one.server_name} {one.cert_sub_type} {key}"
    return HostKey(line, "", one.server_name, one.cert_sub_type, key)


def _decoded(one: Certificate, place: str) -> str:
    try:
        return base64.b64decode(one.cert_data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadQuery("is not base64 of a text", field=f"{place}.certData") from None


def _blob(key: str) -> bytes | None:
    try:
        return base64.b64decode(key, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _print(key: str) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(_blob(key) or b"").digest()).decode().rstrip("=")


def _parsed(pem: str) -> list[x509.Certificate]:
    """Empty for what cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def _told(host: str, certificate: x509.Certificate) -> Certificate:
    key = certificate.public_key()
    kind = "rsa" if isinstance(key, RSAPublicKey) else "ecdsa" if isinstance(key, EllipticCurvePublicKey) else "ed25519"
    return Certificate(
        server_name=host, cert_type=HTTPS, cert_sub_type=kind, cert_info=certificate.subject.rfc4514_string()
    )


def _text(lines: Sequence[HostKey | str]) -> str:
    return "".join(f"{line.line if isinstance(line, HostKey) else line}\n" for line in lines)
