"""The file that says where the audit log is sent and how long it is kept. Secrets stand in files of their own, never in it."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import yaml
from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.records.audit.formats import Form
from trueup.records.audit.objectstore import ObjectStore, StorePlace
from trueup.records.audit.shipping import Destination
from trueup.records.audit.store import AuditRetention
from trueup.records.audit.syslog import Syslog, SyslogAddress, Transport
from trueup.records.audit.webhook import Webhook

_PORTS = {Transport.UDP: 514, Transport.TCP: 601, Transport.TLS: 6514}


class _File(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What every part of the file is."""


class RetentionSettings(_File, frozen=True, kw_only=True):
    days: float = 365
    entries: int = 5_000_000


class SyslogSettings(_File, frozen=True, kw_only=True):
    """`address`: `udp://host[:514]`, `tcp://host[:601]`, `tls://host[:6514]`."""

    address: str
    format: Form = Form.JSON
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class WebhookSettings(_File, frozen=True, kw_only=True):
    url: str
    secret_file: str
    ca_file: str = ""


class StoreSettings(_File, frozen=True, kw_only=True):
    """`endpoint` is a host, with its port where it has one; without key files: anonymously."""

    endpoint: str
    bucket: str
    prefix: str = "trueup-audit"
    region: str = ""
    insecure: bool = False
    access_key_file: str = ""
    secret_key_file: str = ""
    ca_file: str = ""
    checkpoints: bool = True


class DestinationSettings(_File, frozen=True, kw_only=True):
    """One of `syslog`, `webhook` and `s3`. The name is kept with the position, so a renamed one begins anew."""

    name: str
    syslog: SyslogSettings | None = None
    webhook: WebhookSettings | None = None
    s3: StoreSettings | None = None


class AuditSettings(_File, frozen=True, kw_only=True):
    retention: RetentionSettings = RetentionSettings()
    destinations: tuple[DestinationSettings, ...] = ()

    @property
    def kept(self) -> AuditRetention:
        return AuditRetention(days=self.retention.days, entries=self.retention.entries)


def read_settings(path: Path) -> AuditSettings:
    """Raises InvalidInput with the place in the file."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        settings = msgspec.convert(found or {}, AuditSettings)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}", hint="see docs/how-to/audit.md") from None
    names = [one.name for one in settings.destinations]
    for name in names:
        if not name or len(name) > 100 or names.count(name) > 1:
            raise InvalidInput(f"{path}: every destination needs a name of its own, and {name!r} is none")
    if settings.retention.days <= 0 or settings.retention.entries <= 0:
        raise InvalidInput(f"{path}: retention.days and retention.entries must be above 0")
    return settings


def make_destinations(settings: AuditSettings) -> list[Destination]:
    """Reads the files of secrets and authorities. Raises InvalidInput."""
    return [_make(one) for one in settings.destinations]


def _make(one: DestinationSettings) -> Destination:
    match one:
        case DestinationSettings(syslog=SyslogSettings() as syslog, webhook=None, s3=None):
            return Syslog(one.name, _address(one.name, syslog), syslog.format)
        case DestinationSettings(syslog=None, webhook=WebhookSettings() as hook, s3=None):
            secret = _secret(one.name, hook.secret_file)
            return Webhook(one.name, hook.url, secret, now=time.time, tls=_trusting(one.name, hook.ca_file))
        case DestinationSettings(syslog=None, webhook=None, s3=StoreSettings() as s3):
            return ObjectStore(one.name, _place(one.name, s3))
        case _:
            raise InvalidInput(
                f"the audit destination {one.name!r} must have exactly one of syslog, webhook and s3",
                hint="see docs/how-to/audit.md",
            )


def _address(name: str, settings: SyslogSettings) -> SyslogAddress:
    try:
        parts = urlsplit(settings.address)
        transport, host, port = Transport(parts.scheme), parts.hostname or "", parts.port
    except ValueError:
        transport, host, port = Transport.TLS, "", None
    if not host or parts.path or parts.query:
        raise InvalidInput(
            f"{settings.address!r} is no address of a syslog receiver",
            field=f"{name}.syslog.address",
            hint="udp://host:514, tcp://host:601 or tls://host:6514",
        )
    tls = None
    if transport is Transport.TLS:
        tls = _trusting(name, settings.ca_file) or ssl.create_default_context()
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate_file:
            try:
                tls.load_cert_chain(settings.certificate_file, settings.key_file or None)
            except (OSError, ssl.SSLError) as error:
                raise InvalidInput(
                    f"the certificate of the audit destination {name!r} cannot be read: {error}"
                ) from None
    return SyslogAddress(transport=transport, host=host, port=port or _PORTS[transport], tls=tls)


def _place(name: str, settings: StoreSettings) -> StorePlace:
    return StorePlace(
        endpoint=settings.endpoint,
        bucket=settings.bucket,
        prefix=settings.prefix,
        region=settings.region,
        insecure=settings.insecure,
        access_key=_secret(name, settings.access_key_file).decode() if settings.access_key_file else "",
        secret_key=_secret(name, settings.secret_key_file).decode() if settings.secret_key_file else "",
        ca_file=settings.ca_file,
    )


def _trusting(name: str, ca_file: str) -> ssl.SSLContext | None:
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"the authority of the audit destination {name!r} cannot be read: {error}") from None


def _secret(name: str, path: str) -> bytes:
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        raise InvalidInput(
            f"the secret of the audit destination {name!r} in {path} cannot be read: {error.strerror}"
        ) from None
    if not secret:
        raise InvalidInput(f"the secret of the audit destination {name!r} in {path} is empty")
    return secret
