"""What the Secrets of a Helm repository say, in both dialects."""

from __future__ import annotations

import pytest

from tests.peers.certs import Authority
from trueup.model.errors import InvalidInput
from trueup.model.source import HelmRepositorySource
from trueup.sources.helm.access import read_access
from trueup.sources.secrets import NO_SECRETS, SecretData, SourceSecrets

SOURCE = HelmRepositorySource(url="https://charts.example.com/stable")
BASIC = "Basic bWU6c2VjcmV0"
LOGIN = {"username": b"me\n", "password": b"secret\n"}


def flux(**data: bytes) -> SourceSecrets:
    return SourceSecrets(auth=SecretData("Opaque", {key.replace("_", "."): value for key, value in data.items()}))


def argo(**data: bytes) -> SourceSecrets:
    return SourceSecrets(argo=SecretData("Opaque", data))


def test_nothing_is_said_without_a_secret() -> None:
    access = read_access(SOURCE, NO_SECRETS)
    assert (access.authorization, access.http.ca, access.http.insecure_tls) == ("", b"", False)


def test_user_and_password_lose_their_last_newline_and_are_never_shown() -> None:
    for secrets in (flux(**LOGIN), argo(**LOGIN, type=b"helm", url=b"https://charts.example.com")):
        access = read_access(SOURCE, secrets)
        assert access.authorization == BASIC
        assert "secret" not in repr(access)
        assert BASIC not in repr(access)


def test_certificates_of_their_own_secret_go_before_the_old_keys() -> None:
    old, new = Authority(), Authority()
    secrets = flux(**LOGIN, caFile=old.keys.certificate)
    assert read_access(SOURCE, secrets).http.ca == old.keys.certificate
    both = SourceSecrets(auth=secrets.auth, certificates=SecretData("Opaque", {"ca.crt": new.keys.certificate}))
    assert read_access(SOURCE, both).http.ca == new.keys.certificate


def test_argos_secret_brings_certificates_and_may_turn_checks_off() -> None:
    pair = Authority().client("robot")
    secrets = argo(tlsClientCertData=pair.certificate, tlsClientCertKey=pair.key, insecure=b"true")
    access = read_access(SOURCE, secrets)
    assert (access.http.certificate, access.http.insecure_tls) == (pair.certificate, True)
    assert read_access(SOURCE, argo(insecure=b"false")).http.insecure_tls is False


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        (flux(username=b"me"), "password"),
        (flux(password=b"secret"), "username"),
        (flux(username=b"me", password=b"a\nb"), "password"),
        (flux(username=b"\xff", password=b"x"), "username"),
        (flux(tls_crt=b"x"), "tls.crt, tls.key"),
        (SourceSecrets(certificates=SecretData("Opaque", {"other": b"x"})), "certSecretRef"),
    ],
)
def test_what_cannot_be_names_the_key_and_not_what_it_holds(secrets: SourceSecrets, field: str) -> None:
    with pytest.raises(InvalidInput) as told:
        read_access(SOURCE, secrets)
    assert told.value.field == field
    assert "secret" not in str(told.value).replace("Secret", "")


@pytest.mark.parametrize(
    ("url", "passed", "shown"),
    [
        ("https://charts.example.com/other/app.tgz", False, True),
        ("https://charts.example.com:8443/app.tgz", False, False),
        ("http://charts.example.com/app.tgz", False, False),
        ("https://cdn.example.com/app.tgz", False, False),
        ("https://cdn.example.com/app.tgz", True, True),
    ],
)
def test_to_whom_credentials_are_shown(url: str, passed: bool, shown: bool) -> None:
    source = HelmRepositorySource(url=SOURCE.url, pass_credentials=passed)
    assert bool(read_access(source, flux(**LOGIN)).towards(url, source).authorization) is shown
