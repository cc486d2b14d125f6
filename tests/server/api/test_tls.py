"""The certificate that the server shows: its own or a given one, and another one as soon as there is another one."""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from cryptography import x509

from trueup.model.errors import InvalidInput
from trueup.server.api.listening import Bounds, Listener
from trueup.server.api.tls import LASTS, Certificate, context_of, own_certificate

NAMES = ("localhost", "127.0.0.1")


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


class Shown:
    """A server with a certificate, and what a client sees of it."""

    def __init__(self, certificate: Certificate, port: int) -> None:
        self.certificate = certificate
        self.port = port

    async def serial(self, trusted: Path) -> int:
        """Of the certificate that a new connection gets, which a client verifies by one that it was given."""
        context = ssl.create_default_context(cafile=str(trusted))
        _, writer = await asyncio.open_connection("localhost", self.port, ssl=context)
        told = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(told).serial_number


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return own_certificate(tmp_path / "tls", NAMES)


@pytest.fixture
async def shown(pair: tuple[Path, Path]) -> AsyncIterator[Shown]:
    app = web.Application()
    app.router.add_get("/", hello)
    listener = Listener(app, Bounds(drain_seconds=0.1))
    certificate = Certificate(lambda: pair)
    yield Shown(certificate, await listener.start("127.0.0.1", 0, certificate.context))
    await listener.stop()


def serial_of(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


async def test_a_certificate_that_was_renewed_is_shown_without_a_restart(
    shown: Shown, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    assert await shown.serial(pair[0]) == serial_of(pair[0])
    newer = own_certificate(tmp_path / "newer", NAMES)
    for old, new in zip(pair, newer, strict=True):
        new.replace(old)
    shown.certificate.look()
    assert await shown.serial(pair[0]) == serial_of(pair[0])


async def test_half_a_renewal_leaves_the_certificate_of_before(
    shown: Shown, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    before = tmp_path / "before.crt"
    before.write_bytes(pair[0].read_bytes())
    newer = own_certificate(tmp_path / "newer", NAMES)
    newer[0].replace(pair[0])
    shown.certificate.look()  # the key does not fit
    assert await shown.serial(before) == serial_of(before)
    pair[1].unlink()
    shown.certificate.look()  # there is none
    assert await shown.serial(before) == serial_of(before)
    newer[1].replace(pair[1])
    shown.certificate.look()
    assert await shown.serial(pair[0]) == serial_of(pair[0])


async def test_a_client_is_answered_by_tls_and_not_by_its_old_versions(shown: Shown, pair: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=str(pair[0]))
    async with ClientSession() as client, client.get(f"https://localhost:{shown.port}/", ssl=trusting) as answer:
        assert await answer.text() == "hello"
    assert shown.certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_our_own_is_made_once_and_anew_when_it_ends_soon(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    certificate, key = own_certificate(tmp_path, NAMES, now)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = serial_of(certificate)
    own_certificate(tmp_path, NAMES, now + LASTS - timedelta(days=31))
    assert serial_of(certificate) == first
    own_certificate(tmp_path, NAMES, now + LASTS - timedelta(days=29))
    assert serial_of(certificate) != first
    context_of(certificate, key)


def test_what_is_no_pair_is_said_at_the_start(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = own_certificate(tmp_path / "other", NAMES)
    for files in ((pair[0], other[1]), (pair[1], pair[0]), (tmp_path / "none", pair[1])):
        with pytest.raises((InvalidInput, OSError), match=r"no certificate with its key|No such file"):
            Certificate(lambda files=files: files)  # type: ignore[misc]
