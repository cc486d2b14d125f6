"""The throwaway authority makes certificates that TLS and kube-apiserver take."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.peers.certs import Authority


def test_a_user_and_groups_are_common_name_and_organizations() -> None:
    subject = x509.load_pem_x509_certificate(Authority().client("jane", ["dev", "ops"]).certificate).subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["jane"]
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["dev", "ops"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_client_that_trusts_the_authority_trusts_its_servers_by_address_and_by_name(
    host: str, tmp_path: Path
) -> None:
    authority = Authority()
    client = ssl.create_default_context(cadata=authority.keys.certificate.decode())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.server("127.0.0.1", "localhost").write(tmp_path, "server"))
    assert handshake(client, server, host)


def test_a_client_of_another_authority_does_not(tmp_path: Path) -> None:
    client = ssl.create_default_context(cadata=Authority().keys.certificate.decode())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*Authority().server("localhost").write(tmp_path, "server"))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, server, "localhost")


def test_private_keys_are_for_their_owner_and_not_in_a_repr(tmp_path: Path) -> None:
    keys = Authority().client("jane")
    _, key = keys.write(tmp_path, "jane")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(keys)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> bool:
    """TLS between the two in memory; raises what either says against it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        waiting = False
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting = True
        if not waiting:
            return True
    return False
