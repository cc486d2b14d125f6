"""Secrets of Flux and Argo CD become one masked value."""

from __future__ import annotations

import pytest

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.sources.credentials import GitCredentials, credentials_from_argo, credentials_from_flux, with_proxy


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"username": b"ann", "password": b"pw\n"}, GitCredentials(username="ann", password="pw")),
        ({"bearerToken": b"tok"}, GitCredentials(bearer_token="tok")),
        (
            {"identity": b"KEY", "identity.pub": b"x", "known_hosts": b"host k"},
            GitCredentials(ssh_private_key="KEY\n", known_hosts="host k"),
        ),
        (
            {"identity": b"KEY\r\nB\r\n", "known_hosts": b"h", "password": b"phrase"},
            GitCredentials(ssh_private_key="KEY\nB\n", known_hosts="h", ssh_passphrase="phrase"),
        ),
        ({"ca.crt": b"CA"}, GitCredentials(ca_certificate="CA")),
        ({"caFile": b"CA"}, GitCredentials(ca_certificate="CA")),
        ({"tls.crt": b"C", "tls.key": b"K"}, GitCredentials(client_certificate="C", client_key="K")),
        ({}, GitCredentials()),
    ],
)
def test_flux_secrets_are_read(data: dict[str, bytes], expected: GitCredentials) -> None:
    assert credentials_from_flux(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"url": b"u", "username": b"ann", "password": b"pw"}, GitCredentials(username="ann", password="pw")),
        ({"sshPrivateKey": b"KEY"}, GitCredentials(ssh_private_key="KEY\n", known_hosts="hosts")),
        ({"insecure": b"true"}, GitCredentials(insecure=True, known_hosts="hosts")),
        ({"insecureIgnoreHostKey": b"true"}, GitCredentials(insecure=True, known_hosts="hosts")),
        ({"insecure": b"false", "bearerToken": b"t"}, GitCredentials(bearer_token="t", known_hosts="hosts")),
    ],
)
def test_argo_secrets_are_read(data: dict[str, bytes], expected: GitCredentials) -> None:
    known = "hosts" if expected.known_hosts else ""
    assert credentials_from_argo(data, known_hosts=known) == expected


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"identity": b"KEY"}, "known_hosts"),
        ({"tls.crt": b"C"}, "tls"),
        ({"username": b"a\nb", "password": b"x"}, "username"),
        ({"password": b"\xff\xfe"}, "password"),
        ({"bearerToken": b"t", "password": b"p"}, "bearerToken"),
    ],
)
def test_what_cannot_work_is_refused_naming_the_key_and_not_the_value(data: dict[str, bytes], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        credentials_from_flux(data)
    assert field in caught.value.field
    assert "KEY" not in str(caught.value)


def test_logins_that_are_not_built_yet_are_said() -> None:
    for key in ("gcpServiceAccountKey", "azureServicePrincipalClientSecret"):
        with pytest.raises(NotBuiltYet):
            credentials_from_argo({key: b"k"})
    for key in ("enableLfs", "useAzureWorkloadIdentity"):
        with pytest.raises(NotBuiltYet):
            credentials_from_argo({key: b"true"})


def test_the_proxy_of_either_dialect_is_kept_out_of_sight() -> None:
    argo = credentials_from_argo({"proxy": b"http://u:hunter2@proxy:3128", "noProxy": b".internal"})
    flux = with_proxy(None, {"address": b"http://proxy:3128", "username": b"u", "password": b"p@ss/w"})
    assert (argo.proxy, argo.no_proxy) == ("http://u:hunter2@proxy:3128", ".internal")
    assert flux.proxy == "http://u:p%40ss%2Fw@proxy:3128"
    assert "hunter2" not in repr(argo)
    assert argo.secrets == ("http://u:hunter2@proxy:3128", "hunter2")
    with pytest.raises(InvalidInput):
        credentials_from_argo({"proxy": b"gopher://proxy"})


def test_the_way_there_and_a_token_of_the_hour_do_not_say_who_asks() -> None:
    first = GitCredentials(username="x", password="one", subject="app", proxy="http://a")
    second = GitCredentials(username="x", password="two", subject="app", proxy="http://b")
    other = GitCredentials(username="x", password="two", subject="another")
    assert first.fingerprint(b"k") == second.fingerprint(b"k") != other.fingerprint(b"k")


def test_no_value_is_ever_shown() -> None:
    credentials = GitCredentials(
        username="ann", password="hunter2", bearer_token="tok", ssh_private_key="PRIVATE", client_key="CK"
    )
    shown = f"{credentials} {credentials!r} {[credentials]}"
    for secret in ("hunter2", "tok,", "PRIVATE", "CK"):
        assert secret not in shown
    assert "password" in shown


def test_fingerprints_are_equal_for_equal_credentials_under_one_key() -> None:
    one, same, other = GitCredentials(password="a"), GitCredentials(password="a"), GitCredentials(password="b")
    assert one.fingerprint(b"k") == same.fingerprint(b"k")
    assert one.fingerprint(b"k") != other.fingerprint(b"k")
    assert one.fingerprint(b"k") != one.fingerprint(b"l")
    assert GitCredentials(username="ab", password="c").fingerprint(b"k") != GitCredentials(
        username="a", password="bc"
    ).fingerprint(b"k")


def test_who_asks_for_lfs_is_told_what_happens_without_it() -> None:
    with pytest.raises(NotBuiltYet) as error:
        credentials_from_argo({"enableLfs": b"true"})
    assert "stay the pointers that Git holds" in error.value.hint
