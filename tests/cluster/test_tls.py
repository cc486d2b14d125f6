"""Encrypted connections: whom we trust, under which name, and our own certificate."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.scripted import Script, client_for, config_for, json, scripted_server
from tests.peers.certs import Authority, KeyPair
from trueup.cluster.client import KubeClient
from trueup.cluster.credentials import Credential, StaticCredentials
from trueup.cluster.retry import RetryPolicy
from trueup.cluster.tls import TlsSettings, make_ssl_context
from trueup.model.apierror import ClusterUnreachable
from trueup.model.errors import InvalidInput

ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def secure(authority: Authority, tmp_path: Path) -> AsyncIterator[Script]:
    """Asks for a client certificate, as API servers do, and takes requests without one too."""
    keys = authority.server("api.example")
    (tmp_path / "server.pem").write_bytes(keys.certificate + keys.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.keys.certificate.decode())
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    async with scripted_server(context) as script:
        script.on("GET /version", json({"major": "1"}))
        yield script


def client(script: Script, tls: TlsSettings, keys: KeyPair | None = None) -> KubeClient:
    credential = Credential("", keys.certificate, keys.key) if keys else Credential()
    config = config_for(script, tls=tls, credentials=StaticCredentials(credential))
    return client_for(script, config=config, retry=ONCE)


async def version(made: KubeClient) -> Any:
    async with made:
        return (await made.raw("GET", "/version")).manifest


async def test_the_kubeconfigs_authority_and_server_name_are_trusted(secure: Script, authority: Authority) -> None:
    tls = TlsSettings(authority.keys.certificate, server_name="api.example")
    assert await version(client(secure, tls)) == {"major": "1"}


async def test_another_name_is_refused_and_said(secure: Script, authority: Authority) -> None:
    with pytest.raises(ClusterUnreachable, match=r"is not trusted: .*other\.example") as caught:
        await version(client(secure, TlsSettings(authority.keys.certificate, server_name="other.example")))
    assert "certificate-authority-data" in caught.value.hint


async def test_an_unknown_authority_is_refused_and_said(secure: Script) -> None:
    with pytest.raises(ClusterUnreachable, match="is not trusted"):
        await version(client(secure, TlsSettings(Authority().keys.certificate, server_name="api.example")))


async def test_insecure_is_only_by_request(secure: Script) -> None:
    assert await version(client(secure, TlsSettings(insecure=True))) == {"major": "1"}


async def test_our_certificate_is_shown_and_no_key_stays_on_the_disk(
    secure: Script, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[Any] = []

    async def who(request: Any) -> Any:
        seen.append(request.transport.get_extra_info("peercert"))
        return await json({})(request)

    secure.on("GET /version", who)
    keys = authority.client("jane", ("dev",))
    await version(client(secure, TlsSettings(authority.keys.certificate, server_name="api.example"), keys))
    subject = {key: value for ((key, value),) in seen[0]["subject"]}
    assert subject["commonName"] == "jane"
    assert names_in(tmp_path) == ["server.pem"]


def test_a_certificate_and_a_key_that_do_not_fit_are_said(authority: Authority) -> None:
    one, other = authority.client("a", ()), authority.client("b", ())
    with pytest.raises(InvalidInput, match="do not fit"):
        make_ssl_context(TlsSettings(insecure=True), one.certificate, other.key)
    with pytest.raises(InvalidInput, match="needs its key"):
        make_ssl_context(TlsSettings(insecure=True), one.certificate, b"")
    with pytest.raises(InvalidInput, match="not PEM"):
        make_ssl_context(TlsSettings(ca=b"nonsense"))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
